"""Judges what was raised against what is true: the right ticket in time, and no false one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from simulators.fleet import Failure
from simulators.scenario import DAY_S, Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """A ticket: for which machine and failure mode, and when, s of simulated time."""

    machine: str
    mode: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """How early the first right ticket came: seconds and share of the life after onset.

    A machine that was repaired in time (`repaired_s`) would have failed at `fails_s`.
    """

    machine: str
    mode: str
    ticket_s: float
    fails_s: float
    share: float
    repaired_s: float | None = None

    @property
    def days(self) -> float:
        """Lead time before the failure in days of simulated time."""
        return (self.fails_s - self.ticket_s) / DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The leads of the expected tickets, and every reason why the run does not count as right."""

    leads: tuple[Lead, ...]
    problems: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether all that was expected came in time, and nothing else."""
        return not self.problems


def judge(
    expected: Sequence[Expectation],
    failures: Sequence[Failure],
    raised: Sequence[Raised],
    repaired: Mapping[str, float] | None = None,
) -> Verdict:
    """Compare tickets with the truth.

    A machine without a fault must have no ticket. A ticket before the onset is a false one too, and
    so is one after a repair (`repaired`: machine -> when, s) that came before the failure.
    """
    mended = repaired or {}
    truth = {failure.machine: failure for failure in failures}
    problems = [*_false(raised, truth, mended)]
    leads = []
    for want in expected:
        failure = truth[want.machine]
        times = [t.at_s for t in raised if (t.machine, t.mode) == (want.machine, want.mode)]
        if not times:
            problems.append(f"no ticket {want.mode} for {want.machine}")
            continue
        first = min(times)
        share = failure.share_left(first)
        leads.append(
            Lead(
                machine=want.machine,
                mode=want.mode,
                ticket_s=first,
                fails_s=failure.fails_s,
                share=share,
                repaired_s=mended.get(want.machine),
            )
        )
        if share < want.share:
            problems.append(
                f"ticket {want.mode} for {want.machine} came with {share:.1%} of the life after "
                f"onset left, less than {want.share:.0%}"
            )
    return Verdict(leads=tuple(leads), problems=tuple(problems))


def _false(
    raised: Sequence[Raised], truth: Mapping[str, Failure], mended: Mapping[str, float]
) -> Iterator[str]:
    """Yield what is wrong with tickets that nothing called for."""
    for t in raised:
        said = f"ticket {t.mode} for {t.machine}"
        if t.machine not in truth:
            yield f"false {said}"
        elif t.at_s < truth[t.machine].onset_s:
            yield f"{said} came before anything was wrong"
        if t.at_s > mended.get(t.machine, t.at_s):
            yield f"{said} came after it was repaired"
