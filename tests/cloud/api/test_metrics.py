"""The route and the middleware; what the numbers are is tested with `cloud.metrics`."""

from pathlib import Path

import httpx

from cloud.ingest import Counters
from cloud.metrics import Metrics, Sources
from cloud.service import Status
from tests.cloud.api.plant import BASE, Opened


async def test_each_answer_has_a_trace_id_of_its_own(api: httpx.AsyncClient) -> None:
    first = (await api.get("/livez")).headers["X-Trace-Id"]
    second = (await api.get("/nowhere")).headers["X-Trace-Id"]
    assert first != second
    trace = "0af7651916cd43dd8448eb211c80319c"
    given = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    assert (await api.get("/livez", headers=given)).headers["X-Trace-Id"] == trace
    refused = await api.get("/livez", headers={"Host": "evil.example"})
    assert refused.status_code == 421
    assert refused.headers["X-Trace-Id"]


async def test_a_service_that_counts_nothing_says_so(api: httpx.AsyncClient) -> None:
    assert (await api.get("/metrics")).status_code == 501


async def test_answers_are_counted_by_operation(opened: Opened, tmp_path: Path) -> None:
    status = Status(
        connected=True, position=7, waiting=0, parked=0, store_error=None, broker_error=None,
        disk_error=None, refusals={}, counters=Counters(),
    )  # fmt: skip
    sources = Sources(
        status=lambda: status, intake=Counters, tally=opened.plant.ledger.tally, positions={},
        folder=tmp_path, now=lambda: 0,
    )  # fmt: skip
    transport = httpx.ASGITransport(opened.app(metrics=Metrics(sources)))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        await client.get("/livez")
        await client.get("/livez")
        await client.get("/api/v1/machines/none")
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    begin = "forewarn_http_answer_seconds_count"
    assert f'{begin}{{operation="live",status="2xx"}} 2.0' in lines
    assert f'{begin}{{operation="one_machine",status="4xx"}} 1.0' in lines
    assert 'forewarn_position_records{part="models"} 7.0' in lines
