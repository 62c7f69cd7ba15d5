"""The route and the middleware; what the numbers are is tested with `cloud.metrics`."""

import httpx

from cloud.accounts.values import Role
from tests.cloud.api.plant import BASE, Opened, Plant


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


async def test_a_service_that_counts_nothing_says_so(opened: Opened) -> None:
    transport = httpx.ASGITransport(opened.app(metrics=None))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        assert (await client.get("/metrics")).status_code == 501


async def test_answers_are_counted_by_operation(api: httpx.AsyncClient) -> None:
    await api.get("/livez")
    await api.get("/livez")
    await api.get("/api/v1/machines/none")
    answer = await api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    begin = "forewarn_http_answer_seconds_count"
    assert f'{begin}{{operation="live",status="2xx"}} 2.0' in lines
    assert f'{begin}{{operation="one_machine",status="4xx"}} 1.0' in lines
    assert "forewarn_messages_total 9.0" in lines


async def test_a_stranger_sees_no_metrics(api: httpx.AsyncClient, plant: Plant) -> None:
    plant.person(Role.ADMINISTRATOR)  # with an account there are strangers
    assert (await api.get("/metrics")).status_code == 401
    _, _, secret = plant.person(Role.ENGINEER)
    known = {"Authorization": f"Bearer {secret}"}
    assert (await api.get("/metrics", headers=known)).status_code == 200
    assert (await api.get("/livez")).status_code == 200
