"""Units of a machine's signals: what its profile says, and what its device tells in its birth.

Where the two disagree nothing of the profile that is a number in that unit is believed of that
signal: neither its limits nor the lives of parts that are read from it. Nothing is converted; only
the spelling of a unit is mended.
"""

import json
import re
import unicodedata
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from models.profile import Limits, Profile, Signal

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})  #: told of the units of a machine
_ANNOTATION: Final = re.compile(r"\{[^}]*\}")  #: of UCUM, without meaning: {page} is 1
_POWER: Final = re.compile(r"(?<=[A-Za-z])\^(?=-?\d)")  #: m/s^2, which is m/s2 in UCUM
_LETTERS: Final = str.maketrans({"\xb0": "deg", "\u03bc": "u", "\u03a9": "Ohm", "\xb7": "."})
#: UCUM codes as authors of firmware spell them, in small letters. None is, however its letters are
#: written, a code of UCUM that means something else.
_SPELLED: Final = {
    "Cel": "cel degc deg_c celsius degcelsius", "[degF]": "degf deg_f fahrenheit", "K": "kelvin",
    "%": "percent pct", "/min": "rpm min-1 rev/min revs/min", "[psi]": "psi", "bar": "bar bars",
    "Pa": "pascal", "kPa": "kpa", "V": "v volt volts", "A": "amp amps ampere amperes",
    "W": "watt watts",
    "Ohm": "ohm ohms", "Hz": "hz hertz", "s": "sec secs second seconds", "h": "hr hrs hour hours",
    "min": "mins minute minutes", "mm/s": "mm/sec", "m3/h": "m3/hr", "By": "byte bytes",
    "By/s": "byte/s bytes/s", "1": "count counts cycle cycles page pages",
}  # fmt: skip
_CODES: Final = {word: code for code, words in _SPELLED.items() for word in words.split()}
#: the same, of which other letters mean something else: R/min, MOhm
_EXACT: Final = {
    "r/min": "/min", "mohm": "mOhm", "mohms": "mOhm", "mOhms": "mOhm", "kohm": "kOhm",
    "kohms": "kOhm", "kOhms": "kOhm", "Mohm": "MOhm", "Mohms": "MOhm", "MOhms": "MOhm",
}  # fmt: skip
#: codes of UCUM that are taken for these where a profile expects them: coulomb, farad
_SHORT: Final = {"C": "Cel", "F": "[degF]"}


def spelled(unit: str) -> str:
    """Return the UCUM code of a unit that is told in a common spelling; else the unit as it is.

    So degC, deg C, °C, celsius (Cel), m/s² and m/s^2 (m/s2), rpm, min-1 (/min), µm (um), kΩ (kOhm).
    Spaces around it do not count.
    """
    plain = unicodedata.normalize("NFKC", unit).translate(_LETTERS).strip()
    plain = _POWER.sub("", plain)
    return _EXACT.get(plain) or _CODES.get(plain.lower().replace(" ", ""), plain)


def differing(profile: Profile, told: Mapping[str, str]) -> list[str]:
    """Return the signals of a profile, in order, that are told in another unit than its own."""
    return sorted(
        name
        for name in told.keys() & profile.signals.keys()
        if (unit := profile.signals[name].unit) is not None and not _same(_plain(unit), told[name])
    )


def _same(expected: str, told: str) -> bool:
    return expected in (_plain(told), _SHORT.get(told))


def _plain(unit: str) -> str:
    code = spelled(_ANNOTATION.sub("", unit)) or "1"
    return code.removeprefix("1") if code.startswith("1/") else code


def without(profile: Profile, names: Collection[str], told: Mapping[str, str]) -> Profile:
    """Return a profile that believes nothing in its own unit of these signals of it.

    `told`: the units that they have instead, where known.
    """
    signals = dict(profile.signals)
    for name in names:
        signals[name] = replace(signals[name], unit=told.get(name), limits=Limits())
    parts = dict(profile.consumables)
    for name, part in parts.items():
        load = part.norm.by if part.norm else None
        if {part.counter, part.indicator, load} & set(names):
            parts[name] = replace(
                part, counter=None, rated=None, indicator=None, limit=None, curve=(), norm=None
            )
    return replace(profile, signals=signals, consumables=parts)


def shown(profile: Profile, told: Mapping[str, str]) -> Profile:
    """Return a profile in which each signal has the unit of its readings.

    `told`: signal -> UCUM code, as the machine's device says. For pages and words, not for scoring.
    """
    others = {name: Signal(unit=unit) for name, unit in told.items() if profile.said(name) is None}
    fitted = without(profile, differing(profile, told), told)
    return replace(fitted, signals={**fitted.signals, **others})


class Types:
    """Profiles by name, and by a name of their own what they are without some signals' units.

    Such a name holds the profile's and the signals', so that a snapshot needs nothing else.
    """

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self._known = dict(profiles)

    def named(self, profile: str, told: Mapping[str, str]) -> str:
        """Return under which name a profile fits a machine whose device tells these units."""
        known = self._known.get(profile)
        names = differing(known, told) if known and told else []
        # a profile's name holds no space, and "/" stands between such a name and a part's
        return f"{profile} {json.dumps(names)}".replace("/", "\\u002f") if names else profile

    def get(self, name: str) -> Profile | None:
        """Return the profile of a name; None for one that is not known."""
        known = self._known.get(name)
        profile, _, names = name.partition(" ")
        if known is None and names and profile in self._known:
            whole = self._known[profile]
            gone = [one for one in json.loads(names) if one in whole.signals]
            known = self._known[name] = replace(without(whole, gone, {}), name=name)
        return known

    def moved(self, before: str, now: str) -> set[str]:
        """Return the signals that are read in another unit under one name than under the other."""
        one, other = (set(json.loads(n.partition(" ")[2] or "[]")) for n in (before, now))
        return one ^ other
