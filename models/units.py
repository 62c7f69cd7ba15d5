"""Units of a machine's signals: what its profile says, and what its device tells of the others."""

from collections.abc import Mapping

import msgspec

from models.profile import Profile, Signal


def shown(profile: Profile, told: Mapping[str, str]) -> Profile:
    """Return a profile in which the signals that it does not name have the units they are told in.

    `told`: signal -> UCUM code, as the machine's device says. For pages and words, not for scoring.
    """
    others = {name: Signal(unit=unit) for name, unit in told.items() if profile.said(name) is None}
    return msgspec.structs.replace(profile, signals={**profile.signals, **others})
