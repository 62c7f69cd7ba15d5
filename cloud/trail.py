"""A machine's trail of health: few points over a month, in 16 bytes each. Pure.

As tuples of numbers the points of a month would cost 5 KB a machine.
"""

import struct
from typing import Final

POINTS: Final = 48  #: of a machine's trail
REACH_NS: Final = 30 * 86_400 * 10**9  #: how far back they reach
STEP_NS: Final = REACH_NS // POINTS
_POINT: Final = struct.Struct("<qd")
Trail = bytes  #: points one after the other, as `points` reads them


def points(trail: Trail) -> list[tuple[int, float]]:
    """Return (time in ns on the machine's clock, health 0..100) of each point, in order."""
    return list(_POINT.iter_unpack(trail))


def newest(trail: Trail) -> Trail:
    """Return a trail of the newest point alone."""
    return trail[-_POINT.size :]


def longer(trail: Trail, at_ns: int, health: float) -> Trail:
    """Return a trail with one more point; a point follows the one before by a step at least.

    The newest point always stands at the end; it gives way to the next one while it is less than a
    step (`STEP_NS`) after its predecessor.
    """
    last = [at for at, _ in points(trail[-2 * _POINT.size :])]
    if last and at_ns <= last[-1]:
        return trail
    if len(last) > 1 and last[-1] - last[-2] < STEP_NS:
        trail = trail[: -_POINT.size]
    return (trail + _POINT.pack(at_ns, round(health, 1)))[-POINTS * _POINT.size :]
