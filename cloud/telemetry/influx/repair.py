"""A task in the server that makes hours good from minutes where an hour is missing.

Hours are written when a machine's first reading of the next hour arrives. Should a line of them be
lost in the server (refused, or deleted by hand), the task finds hours whose minutes count readings
that the hour does not, and writes the hour's first bucket again. Late readings have partial buckets
of their own (`rolls`), which the task leaves alone.
"""

from typing import Final

from influxdb_client.domain.task_create_request import TaskCreateRequest

from cloud.errors import StoreBusy
from cloud.telemetry.influx.http import Server
from cloud.telemetry.influx.setup import Buckets, client

EVERY: Final = "1h"
BACK: Final = "6h"
_FLUX: Final = """import "date"

option task = {{name: "{name}", every: {every}, offset: 5m}}

stop = date.truncate(t: now(), unit: 1h)
start = date.sub(d: {back}, from: stop)
whole = (t, unit) => int(v: t) == int(v: date.truncate(t: t, unit: unit))

minutes = from(bucket: "{minute}")
    |> range(start: start, stop: stop)
    |> filter(fn: (r) => r._measurement == "minute")
    |> filter(fn: (r) => whole(t: r._time, unit: 1m))
    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
    |> filter(fn: (r) => r.count > 0)
    |> map(
        fn: (r) => ({{
            machine: r.machine, signal: r.signal, hour: date.truncate(t: r._time, unit: 1h),
            _time: r._time, had: 0, first: r.first, last: r.last, min: r.min, max: r.max,
            sum: r.sum, count: r.count, quality: r.quality, first_at: r.first_at,
            last_at: r.last_at, min_at: r.min_at, max_at: r.max_at,
        }}),
    )
    |> group()

hours = from(bucket: "{ever}")
    |> range(start: start, stop: stop)
    |> filter(fn: (r) => r._measurement == "hour" and r._field == "count")
    |> filter(fn: (r) => whole(t: r._time, unit: 1h))
    |> map(
        fn: (r) => ({{
            machine: r.machine, signal: r.signal, hour: r._time, _time: r._time, had: r._value,
            first: 0.0, last: 0.0, min: 0.0, max: 0.0, sum: 0.0, count: 0, quality: 0,
            first_at: 0, last_at: 0, min_at: 0, max_at: 0,
        }}),
    )
    |> group()

union(tables: [minutes, hours])
    |> group(columns: ["machine", "signal", "hour"])
    |> sort(columns: ["_time"])
    |> reduce(
        identity: {{
            n: 0, had: 0, first: 0.0, last: 0.0, min: 0.0, max: 0.0, sum: 0.0, count: 0, quality: 0,
            first_at: 0, last_at: 0, min_at: 0, max_at: 0,
        }},
        fn: (r, accumulator) => {{
            at = int(v: r._time) - int(v: r.hour)
            seen = r.count > 0
            fresh = seen and accumulator.n == 0
            low = seen and (fresh or r.min < accumulator.min)
            high = seen and (fresh or r.max > accumulator.max)
            return {{
                n: if seen then accumulator.n + 1 else accumulator.n,
                had: accumulator.had + r.had,
                first: if fresh then r.first else accumulator.first,
                first_at: if fresh then at + r.first_at else accumulator.first_at,
                last: if seen then r.last else accumulator.last,
                last_at: if seen then at + r.last_at else accumulator.last_at,
                min: if low then r.min else accumulator.min,
                min_at: if low then at + r.min_at else accumulator.min_at,
                max: if high then r.max else accumulator.max,
                max_at: if high then at + r.max_at else accumulator.max_at,
                sum: accumulator.sum + r.sum,
                count: accumulator.count + r.count,
                quality: if r.quality > accumulator.quality then r.quality else accumulator.quality,
            }}
        }},
    )
    |> filter(fn: (r) => r.had < r.count)
    |> map(fn: (r) => ({{r with _time: r.hour, _measurement: "hour"}}))
    |> drop(columns: ["n", "had", "hour"])
    |> to(
        bucket: "{ever}",
        tagColumns: ["machine", "signal"],
        fieldFn: (r) => ({{
            first: r.first, last: r.last, min: r.min, max: r.max, sum: r.sum, count: r.count,
            quality: r.quality, first_at: r.first_at, last_at: r.last_at, min_at: r.min_at,
            max_at: r.max_at,
        }}),
    )
"""


def name_of(buckets: Buckets) -> str:
    """Return the task's name."""
    return f"{buckets.ever}-hours"


def flux(buckets: Buckets) -> str:
    """Return the task's text."""
    return _FLUX.format(
        name=name_of(buckets), every=EVERY, back=BACK, minute=buckets.minute, ever=buckets.ever
    )


def make_task(server: Server, buckets: Buckets) -> str:
    """Make the task, or bring it up to date; return its id."""
    text = flux(buckets)
    with client(server) as lent:
        api = lent.tasks_api()
        found = api.find_tasks(name=name_of(buckets), org=server.org)  # type: ignore[no-untyped-call]
        if found:
            task = found[0]
            if task.flux != text:
                task.flux = text
                api.update_task(task)
            return str(task.id)
        api_of_orgs = lent.organizations_api()
        organisations = api_of_orgs.find_organizations(org=server.org)  # type: ignore[no-untyped-call]
        if not organisations:
            raise StoreBusy(f"{server.url}: there is no organisation '{server.org}'")
        request = TaskCreateRequest(  # type: ignore[no-untyped-call]
            org_id=organisations[0].id, flux=text, status="active", description="forewarn: hours"
        )
        return str(api.create_task(task_create_request=request).id)
