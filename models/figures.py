"""Figures, units and time spans as people write them, in English and Chinese. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

#: UCUM codes as people write them; all others are shown as they are
UNITS: Final = {
    "Cel": "°C",
    "1": "",
    "m3/h": "m³/h",
    "ug/m3": "µg/m³",
    "/min": "1/min",
    "mOhm": "mΩ",
    "Ohm": "Ω",
    "By": "B",
    "By/s": "B/s",
    "[degF]": "°F",
    "[psi]": "psi",
    "um": "µm",
    "m/s2": "m/s²",
    "kOhm": "kΩ",
    "MOhm": "MΩ",
}
#: annotations of UCUM that say what is counted: singular and plural
COUNTED: Final = {
    "{page}": {"en": ("page", "pages"), "zh": ("页", "页")},
    "{cycle}": {"en": ("cycle", "cycles"), "zh": ("次", "次")},
}
PREFIXED: Final = ("By", "By/s")  #: units that take one of these, so that each figure has its own
PREFIXES: Final = ("", "k", "M", "G", "T", "P")
PLAIN: Final = (1e-9, 1e15)  #: sizes between which no power of ten is written
MINUTE, HOUR, DAY, YEAR = 60.0, 3600.0, 86_400.0, 365.25 * 86_400.0

_SPANS: Final = (
    (YEAR, 2.0, {"en": ("year", "years"), "zh": ("年", "年")}),
    (DAY, 2.0, {"en": ("day", "days"), "zh": ("天", "天")}),
    (HOUR, 2.0, {"en": ("hour", "hours"), "zh": ("小时", "小时")}),
    (MINUTE, -1.0, {"en": ("minute", "minutes"), "zh": ("分钟", "分钟")}),
)


def quantity(value: float | None, unit: str | None, lang: str = "en") -> str:
    """Return a value of three figures with its unit as people write it; `–` when there is none.

    What is counted is a word of the language: pages, cycles.
    """
    if value is None:
        return "–"
    shown = UNITS.get(unit, unit) if unit else ""
    if shown.startswith("{"):
        shown = shown.strip("{}")
    if unit in PREFIXED:
        value = float(f"{value:.3g}")
        steps = min((len(f"{abs(value):.0f}") - 1) // 3, len(PREFIXES) - 1)
        value, shown = value / 1000.0**steps, PREFIXES[steps] + shown
    number = f"{value:.0f}" if 100 <= abs(value) < PLAIN[1] else figure(value, 3)
    if unit in COUNTED:
        return counted(number, COUNTED[unit], lang)
    space = "" if shown in {"%", ""} else " "
    return f"{number}{space}{shown}"


def counted(number: str, names: Mapping[str, tuple[str, str]], lang: str) -> str:
    """Return a number before what it counts; `names`: singular and plural by language."""
    one, many = names[lang]
    space = "" if lang == "zh" else " "
    return f"{number}{space}{one if number == '1' else many}"


def figure(value: float, digits: int) -> str:
    """Return a value of so many figures; only what is very small or large has a power of ten."""
    rounded = f"{value:.{digits}g}"
    if "e" not in rounded:
        return rounded
    if PLAIN[0] <= abs(value) < PLAIN[1]:
        return f"{Decimal(rounded):f}"
    mantissa, power = rounded.split("e")
    return f"{mantissa}e{int(power)}"


def span(seconds: float, lang: str, *, bare: bool = False) -> str:
    """Return a time span in the unit that suits its size; `bare` leaves the unit out."""
    return span_of(seconds, seconds, lang, bare=bare)


def span_of(seconds: float, size: float, lang: str, *, bare: bool = False) -> str:
    """Return a time span in the unit that suits `size`, s; days below ten to a tenth of one.

    So are hours below one.
    """
    length, _, names = next(entry for entry in _SPANS if size >= entry[1] * entry[0])
    count = f"{seconds / length:.1f}" if length == YEAR else f"{seconds / length:.0f}"
    if (length == DAY and seconds < 10.0 * DAY) or (length == HOUR and seconds < HOUR):
        count = f"{seconds / length:.1f}".removesuffix(".0")
    if bare:
        return count
    return counted(count, names, lang)
