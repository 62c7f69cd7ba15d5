"""Tickets of simulated consumables, followed to the end of their life by the service's rules.

Each unit's assessments go through `cloud.advisories.triage`, all of them and in order, as the
service files them. Nobody answers the tickets, and no other visit is planned that could take them
along.
"""

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.consumables_units import (
    DAY_S,
    GROUP,
    PARTS,
    PROFILES,
    START_NS,
    Unit,
    interval,
    line_d,
    mean_d,
    specimens,
)
from cloud.advisories.triage import triage
from cloud.advisories.values import STANDING, Stamp, Standing
from cloud.advisories.window import MAX_SPREAD, horizon_s
from cloud.ledger.records import AdvisoryRow
from models.assessment import Assessment
from models.profile import Profile
from simulators.plants import PLANTS, Array, Plant, Specimen

NEVER: Final = float("nan")
WEEK_D: Final = 7.0
HEARD_D: Final = (350.0, 500.0)  #: left when a unit is first heard, if lives are as long
TONER_D: Final = range(30, 1_000, 30)  #: a printer whose drum is followed gets new toner, days
FIRST_LOOK_D: Final = 7  #: days of readings that peers have at their first look
LOOKS: Final = 3  #: days in a row on which a peer must say that the part is due
EDGES: Final = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, MAX_SPREAD)  #: of leads, by the planned one


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """One unit to its end, in days. NaN: that never came."""

    opened: float  #: life left when the ticket was opened
    due: float  #: life left when the ticket first said that the part is to be ordered now
    blind: bool  #: it said so before a band was known
    spare: float  #: life left at the end of the window of the visit, as it was said then
    moved_opened: float  #: the furthest that this end moved after the ticket was opened
    moved_due: float  #: and after the part was to be ordered
    line: float  #: life left when the line through 30 days came to the planned lead
    usual: float  #: life left when the usual life did


class Tickets:
    """What becomes of one machine's assessments: the versions of the advisories of one part."""

    def __init__(self, profile: Profile, component: str) -> None:
        self._profile, self._component = profile, component
        count = itertools.count()
        self._stamp = Stamp(new_id=lambda: str(next(count)), recorded_ns=0)
        self._standing: list[Standing] = []
        self._said: list[tuple[int, AdvisoryRow]] = []  #: from when on

    def take(self, assessments: Sequence[Assessment]) -> None:
        """File assessments in order."""
        for assessment in assessments:
            rows = {one.advisory.id: one for one in self._standing}
            for outcome in triage(self._standing, self._profile, assessment, self._stamp):
                advisory = outcome.standing.advisory
                rows[advisory.id] = outcome.standing
                mode = self._profile.failure_modes.get(advisory.mode)
                if mode is not None and mode.life and mode.component == self._component:
                    self._said.append((assessment.at_ns, advisory))
            self._standing = [one for one in rows.values() if one.advisory.state in STANDING]

    def judged(self, end_ns: int, line: float, usual: float) -> Followed:
        """Return what was said of the part whose life ended at `end_ns`."""
        said = [one for one in self._said if one[0] < end_ns]
        due = next(_orders(said, end_ns), None)
        if not said or due is None:
            opened = _days(end_ns - said[0][0]) if said else NEVER
            lost = {"due": NEVER, "spare": NEVER, "moved_opened": 0.0, "moved_due": 0.0}
            return Followed(opened=opened, blind=False, **lost, line=line, usual=usual)
        k, due_ns = due
        life = said[k][1].life
        return Followed(
            opened=_days(end_ns - said[0][0]),
            due=_days(end_ns - due_ns),
            blind=life is None or life.p10_s is None,
            spare=_days(end_ns - said[k][1].due_latest_ns),
            moved_opened=_moved(said),
            moved_due=_moved(said[k:]),
            line=line,
            usual=usual,
        )


def _orders(said: Sequence[tuple[int, AdvisoryRow]], end_ns: int) -> Iterator[tuple[int, int]]:
    """Yield the versions by which the part is to be ordered, and from when on."""
    until = [*[at_ns for at_ns, _ in said][1:], end_ns]
    for k, ((at_ns, advisory), later_ns) in enumerate(zip(said, until, strict=False)):
        by_ns = advisory.order_by_ns
        if by_ns is not None and by_ns < later_ns:
            yield k, max(at_ns, by_ns)


def _moved(said: Sequence[tuple[int, AdvisoryRow]]) -> float:
    first = said[0][1].due_latest_ns
    return max(abs(_days(advisory.due_latest_ns - first)) for _, advisory in said)


def _days(ns: int) -> float:
    return ns / 1e9 / DAY_S


def follow(
    profile: str, component: str, units: int, *, fault: bool, seed: int
) -> Iterator[Followed]:
    """Yield each unit followed from its first reading to the end of its life."""
    chance = np.random.default_rng(seed)
    step = PARTS[profile, component] * 3600.0
    for first in range(0, units, GROUP):
        made = specimens(component, chance, first, fault)
        if not fault:
            made = _aged(profile, component, made, chance, seed)
        plant = PLANTS[profile](made, seed)
        ends = plant.fails_at(component)
        times: Array = np.arange(ends.max() // step) * step
        values = plant.sample(times)
        for i in range(GROUP):
            rows = int(np.searchsorted(times, ends[i]))
            known = (times[:rows], values[:rows, i])
            yield _followed(profile, component, plant, known, float(ends[i]))


def _aged(
    profile: str, component: str, made: Sequence[Specimen], chance: np.random.Generator, seed: int
) -> list[Specimen]:
    """Return units as old as it takes to have `HEARD_D` left; new ones where lives are shorter."""
    lives = PLANTS[profile]([Specimen(key=m.key) for m in made], seed).fails_at(component) / DAY_S
    used = np.maximum(1.0 - chance.uniform(*HEARD_D, len(made)) / lives, 0.0)
    other = {"toner": tuple(day * DAY_S for day in TONER_D)} if component == "drum" else {}
    return [
        Specimen(key=m.key, used={component: float(u)}, replaced_s=other)
        for m, u in zip(made, used, strict=True)
    ]


def _followed(
    profile: str, component: str, plant: Plant, known: tuple[Array, Array], end_s: float
) -> Followed:
    times, values = known
    unit, tickets = Unit(profile, plant, times, values), Tickets(PROFILES[profile], component)
    part = PROFILES[profile].consumables[component]
    day = int(DAY_S / (times[1] - times[0]))
    peers: list[tuple[float, float, float]] = []  # days by either, and the true ones
    for first in range(0, len(times), day):
        last = min(first + day, len(times))
        tickets.take(unit.feed(first, last, tell=True))
        if last >= FIRST_LOOK_D * day:
            seen = (times[:last], values[:last], plant, part)
            left = (end_s - times[last - 1]) / DAY_S
            peers.append((line_d(*seen), mean_d(unit.life(component), *seen), left))
    horizon = _horizon_d(profile, component)
    *said, left_d = np.array(peers).T
    line, usual = (_when(one, left_d, horizon) for one in said)
    return tickets.judged(START_NS + int(end_s * 1e9), line, usual)


def _when(said: Array, left: Array, horizon: float) -> float:
    """Return the life left when a peer's days came to the planned lead and stayed there."""
    row = 0
    for days, true in zip(said, left, strict=False):
        row = row + 1 if days <= horizon else 0
        if row == LOOKS:
            return float(true)
    return NEVER


def _horizon_d(profile: str, component: str) -> float:
    """Return how long ahead a planner must know: lead, planning time and customer's window."""
    kind = PROFILES[profile]
    mode = next(m for m in kind.failure_modes.values() if m.life and m.component == component)
    return horizon_s(mode, kind) / DAY_S


def lines(part: tuple[str, str], units: int, *, fault: bool, seed: int) -> str:
    """Return a part's lines of the two tables below each other: tickets in their window, leads."""
    found = list(follow(*part, units, fault=fault, seed=seed))
    horizon = _horizon_d(*part)
    least = horizon - PROFILES[part[0]].visit_d
    most = MAX_SPREAD * horizon
    name = ": ".join(part)
    opened, due, blind, spare, moved_opened, moved_due, line, usual = (
        np.array([getattr(one, key) for one in found]) for key in Followed.__slots__
    )
    far = due > most
    cells = [
        name,
        str(len(found)),
        f"{least:g} … {most:g}",
        *(interval(_within(way, least, most)) for way in (due, line, usual)),
        ", ".join(f"{np.mean(hit):.2f}" for hit in (~(due >= least), far, far & blind)),
        f"{np.nanmedian(opened):.0f}, {np.nanmedian(due):.0f}",
        interval(~(spare >= 0.0)),
        f"{np.nanmedian(spare):.1f}",
        ", ".join(f"{np.mean(moved > WEEK_D):.2f}" for moved in (moved_opened, moved_due)),
    ]
    leads = due[~np.isnan(due)] / horizon
    bins = np.bincount(np.searchsorted(EDGES, leads), minlength=len(EDGES) + 1)
    histogram = [name, f"{horizon:g}", str(len(found) - len(leads)), *map(str, bins)]
    return f"| {' | '.join(cells)} |\n| {' | '.join(histogram)} |"


def _within(days: Array, least: float, most: float) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (least <= days) & (days <= most)
    return found


HEAD: Final = (
    "| Part | Units | Window, d | In it, ours | Line | Usual life | Ours too late, false, "
    "false without a band | "
    "Left when opened, when due, d | Failed before the visit's window closed | "
    "Left then, d | Moved over a week: since opened, since due |\n" + "|---" * 11 + "|"
)
LEADS: Final = (
    "| Part | Planned lead, d | none | under 0.25 | 0.25 … 0.5 | 0.5 … 1 | 1 … 1.5 | 1.5 … 2 | "
    "2 … 3 | 3 … 4 | over 4 |\n" + "|---" * 11 + "|"
)
ABOUT: Final = (
    "Units followed from their first reading to the end of their life, every assessment by the "
    "rules that raise tickets; nobody answers them. They are first heard "
    f"{HEARD_D[0]:.0f} to {HEARD_D[1]:.0f} days before their end, or new where lives are shorter; "
    "a printer whose drum is followed gets toner. A ticket is *opened* by the band or by an alert "
    "limit, whichever comes first, and is *due* when it says that the part is to be ordered now. "
    "*Window*: at least the part's lead time and the planner's days before the end, else it is "
    f"too late; at most {MAX_SPREAD:g} times the planned lead (those and the customer's days), "
    "from where the service itself calls a band not known yet, else it is false; some of these are "
    "opened by an alert limit in the first days, before any band is known. The visit's "
    "window, as it stands when the ticket is due, closes at the early end of the band, before "
    "which 10 % may fail. *Line* and *usual life* are due when they say the planned lead or less "
    f"on {LOOKS} days in a row, from {FIRST_LOOK_D} days of readings on."
)


def text(worn: Sequence[str], quick: Sequence[str]) -> list[str]:
    """Return the tables of tickets in Markdown, line by line."""
    said = [
        "### Tickets in their window",
        "",
        *textwrap.wrap(ABOUT, 95),
        "",
        HEAD,
        *(part.splitlines()[0] for part in worn),
        "",
        "Where wear quickens (a fault leaves 10 to 24 days at mean use, from 16 to 28 days on):",
        "",
        HEAD,
        *(part.splitlines()[0] for part in quick),
        "",
        "Units by the lead with which their ticket was due, as a share of the planned one (1.0:",
        "exactly as planned), worn evenly and then quickened:",
        "",
        LEADS,
    ]
    return said + [part.splitlines()[1] for part in (*worn, *quick)]
