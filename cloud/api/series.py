"""Readings of one signal: reduced to buckets that hide no spike, or exactly as recorded."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Request

from cloud.api.assessments import Moment
from cloud.api.deps import ApiDeps, Deps
from cloud.api.pages import After, answer, next_link
from cloud.api.problems import declared
from cloud.api.wire import Json
from cloud.errors import NotFound, Refused
from cloud.ledger.records import Clock
from cloud.telemetry.rollup import HOUR_NS, MINUTE_NS
from cloud.times import SECOND, iso_duration, parse_duration, parse_time
from models.contract.times import MAX_INSTANT

DEFAULT_SPAN_NS: Final = 86_400 * SECOND
PIXELS: Final = 1_000
MAX_BUCKETS: Final = 10_000
RAW_LIMIT: Final = 5_000
MAX_RAW_LIMIT: Final = 20_000
router = APIRouter(prefix="/api/v1/machines", tags=["series"])


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A signal of a machine from `start` until before `end`, on the machine's clock."""

    machine: str
    signal: str
    unit: str | None  #: UCUM code
    clock: Clock
    start_ns: int
    end_ns: int


class BucketSeries(Span, frozen=True, kw_only=True):
    """Columns of equal length, one entry a bucket that has readings; `width` is ISO 8601.

    Each bucket has its first, last, smallest and largest value with their times, in ns since 1970
    UTC on the machine's clock, and its sum, count and worst quality. Buckets are aligned to 0 UTC.
    """

    width: str
    bucket_ns: list[int]
    first: list[float | None]
    first_ns: list[int]
    last: list[float | None]
    last_ns: list[int]
    min: list[float | None]
    min_ns: list[int]
    max: list[float | None]
    max_ns: list[int]
    sum: list[float | None]
    count: list[int]
    quality: list[int]


class RawSeries(Span, frozen=True, kw_only=True):
    """Readings as they were sent, repeated times included; null is a missing value.

    `times_ns` are ns since 1970 UTC on the machine's clock. `quality`: 0 good, 1 uncertain, 2 bad,
    3 stale.
    """

    times_ns: list[int]
    values: list[float | int | bool | None]
    quality: list[int]
    next: str | None


def _span(
    deps: Deps,
    machine: str,
    signal: Annotated[str, Query(min_length=1, max_length=200)],
    start: Moment = None,
    end: Moment = None,
) -> Span:
    return span_of(deps, machine, signal, start, end)


def span_of(deps: ApiDeps, machine: str, signal: str, start: str | None, end: str | None) -> Span:
    """Return what is asked for; without times the 24 h up to the newest reading.

    Raises:
        NotFound: there is no such machine or signal.
        Refused: the times are wrong.
    """
    row = deps.ledger.machine(machine)
    said = deps.profile_of(machine, row.profile).said(signal)
    if said is None:
        stored = deps.telemetry.signals(machine)
        if signal not in stored:
            names = ", ".join(stored) or "none yet"
            raise NotFound(f"{machine} has no signal '{signal}'; heard: {names}")
    end_ns = parse_time(end, "query/end") if end else _newest(deps, machine, signal) + 1
    start_ns = parse_time(start, "query/start") if start else max(0, end_ns - DEFAULT_SPAN_NS)
    if end and start_ns >= end_ns:
        raise Refused("query/start", "start must be before end")
    return Span(
        machine=machine,
        signal=signal,
        unit=said.unit if said else None,
        clock=row.clock,
        start_ns=start_ns,
        end_ns=max(end_ns, start_ns + 1),
    )


def _newest(deps: ApiDeps, machine: str, signal: str) -> int:
    times = (one.at_ns for one in deps.telemetry.latest(machine) if one.signal == signal)
    return max(times, default=MAX_INSTANT)


class Options:
    """How a series is shown."""

    def __init__(
        self,
        width: Annotated[
            str,
            Query(max_length=40, description="of a bucket, ISO 8601 (PT1M); or how many (800)"),
        ] = str(PIXELS),
        raw: Annotated[bool, Query(description="readings as sent instead of buckets")] = False,
        limit: Annotated[
            int, Query(ge=1, le=MAX_RAW_LIMIT, description="raw readings a page")
        ] = RAW_LIMIT,
        after: After = None,
    ) -> None:
        self.width = width
        self.raw = raw
        self.limit = limit
        self.after = after


@router.get("/{machine}/series", responses=answer("BucketSeries", "RawSeries") | declared(404))
def series(
    request: Request,
    deps: Deps,
    span: Annotated[Span, Depends(_span)],
    options: Annotated[Options, Depends()],
) -> Json:
    """Return readings with start <= time < end; default: the 24 h up to the newest."""
    if options.raw:
        return Json(_raw(request, deps, span, options.after, options.limit))
    return Json(_buckets(deps, span, options.width))


def _ready(width_ns: int) -> int:
    """Round up to whole minutes or hours, which the stores have ready, so that no reading is read.

    So there are at most as many buckets as were asked for.
    """
    for unit in (HOUR_NS, MINUTE_NS):
        if width_ns > unit:
            return -(-width_ns // unit) * unit
    return width_ns


def _buckets(deps: ApiDeps, span: Span, width: str) -> BucketSeries:
    length = span.end_ns - span.start_ns
    if width.isdecimal() and width.isascii():
        count = int(width)
        if not 1 <= count <= MAX_BUCKETS:
            raise Refused("query/width", f"from 1 to {MAX_BUCKETS} buckets, or a duration (PT1M)")
        width_ns = _ready(max(1, -(-length // count)))
    else:
        width_ns = parse_duration(width, "query/width")
        if length > width_ns * MAX_BUCKETS:
            least = iso_duration(-(-length // MAX_BUCKETS))
            raise Refused("query/width", f"more than {MAX_BUCKETS} buckets; at least {least}")
    found = deps.telemetry.buckets(span.machine, span.signal, span.start_ns, span.end_ns, width_ns)
    return BucketSeries(
        **msgspec.structs.asdict(span),
        width=iso_duration(found.width_ns),
        bucket_ns=found.start_ns.tolist(),
        first=found.first.tolist(),
        first_ns=found.first_ns.tolist(),
        last=found.last.tolist(),
        last_ns=found.last_ns.tolist(),
        min=found.min.tolist(),
        min_ns=found.min_ns.tolist(),
        max=found.max.tolist(),
        max_ns=found.max_ns.tolist(),
        sum=found.sum.tolist(),
        count=found.count.tolist(),
        quality=found.quality.tolist(),
    )


def _raw(request: Request, deps: ApiDeps, span: Span, after: str | None, limit: int) -> RawSeries:
    """Go on at the last time seen and leave out as many of that time as were already shown."""
    filters = {"signal": span.signal}
    place = request.url.path
    key = deps.cursors.read(place, filters, after)
    begin, seen, end = (int(part or 0) for part in key) if key else (span.start_ns, 0, span.end_ns)
    found = deps.telemetry.series(span.machine, span.signal, begin, end, seen + limit + 1)
    times = found.times_ns[seen:]
    more = len(times) > limit
    times = times[:limit]
    missing = found.missing[seen : seen + limit].tolist()
    values = found.values[seen : seen + limit].tolist()
    following = None
    if more:
        last = int(times[-1])
        shown = int((times == last).sum()) + (seen if last == begin else 0)
        following = next_link(request, deps.cursors.make(place, filters, (last, shown, end)))
    return RawSeries(
        **msgspec.structs.asdict(span) | {"end_ns": end},
        times_ns=times.tolist(),
        values=[None if gone else value for value, gone in zip(values, missing, strict=True)],
        quality=found.quality[seen : seen + limit].tolist(),
        next=following,
    )
