from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from cloud.api.guard import LARGEST_BODY
from tests.cloud.api.plant import BASE, Opened

WRITE = "/api/v1/tickets/nothing/comments"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8470", "localhost", "LOCALHOST:8470", "[::1]:8470", "[::1]"],
)
async def test_answers_under_its_own_names(api: httpx.AsyncClient, host: str) -> None:
    answer = await api.get("/livez", headers={"Host": host})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example:8470",
        "localhost.evil.example",
        "evil.example:8470",
        "127.0.0.2",
        "0.0.0.0:8470",
        "127.0.0.1@evil.example",
        "[::1",
        "localhost:port",
        "localhost:99999",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_refuses_a_rebound_host(api: httpx.AsyncClient, host: str, method: str) -> None:
    answer = await api.request(method, "/api/v1/machines", headers={"Host": host, **JSON})
    assert answer.status_code == 421
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:forewarn:problem:foreign-host"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://evil.example:8470",
        "http://127.0.0.1",
        "http://127.0.0.1:3000",
        "https://127.0.0.1:8470",
        "http://localhost:8470",
        "null",
        "file://",
        "",
        "http://[",
    ],
)
async def test_refuses_writes_of_a_foreign_origin(api: httpx.AsyncClient, origin: str) -> None:
    answer = await api.post(WRITE, json={"text": "x"}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:forewarn:problem:foreign-origin"


@pytest.mark.parametrize("headers", [{}, {"Origin": BASE}, {"Origin": BASE.upper()}])
async def test_takes_writes_of_its_own_origin(
    api: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await api.post(WRITE, json={"text": "x"}, headers=headers)
    assert answer.status_code == 404


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
async def test_refuses_what_a_form_could_send(api: httpx.AsyncClient, media: str) -> None:
    answer = await api.post(WRITE, content=b'{"text":"x"}', headers={"Content-Type": media})
    assert answer.status_code == 415
    assert answer.json()["type"] == "urn:forewarn:problem:not-json"


async def test_a_public_address_is_one_of_its_own(opened: Opened) -> None:
    app = opened.app(public_url="https://pm.example.org")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://pm.example.org") as client:
        own, foreign = [
            await client.post(WRITE, json={"text": "x"}, headers={"Origin": origin})
            for origin in ("https://pm.example.org", "https://pm.example.org.evil.example")
        ]
    assert (own.status_code, foreign.status_code) == (404, 403)


async def test_a_body_has_a_largest_size(api: httpx.AsyncClient) -> None:
    async def stream(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 1024):
            yield b" " * 1024

    declared = await api.post(WRITE, content=b" " * (LARGEST_BODY + 1), headers=JSON)
    streamed = await api.post(WRITE, content=stream(LARGEST_BODY + 1024), headers=JSON)
    for answer in (declared, streamed):
        assert answer.status_code == 413
        assert "1 MiB" in answer.json()["detail"]
    fits = await api.post(WRITE, content=stream(LARGEST_BODY), headers=JSON)
    assert fits.status_code == 400


@pytest.mark.parametrize("path", ["/livez", "/api/v1/machines", "/nothing", "/a%00b", "/a?b=%00"])
async def test_every_answer_has_safe_headers(api: httpx.AsyncClient, path: str) -> None:
    headers = (await api.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


async def test_two_hosts_are_refused(opened: Opened) -> None:
    sent: list[Any] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/livez",
        "raw_path": b"/livez",
        "query_string": b"",
        "scheme": "http",
        "headers": [(b"host", b"localhost"), (b"host", b"evil.example")],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await opened.app()(scope, receive, send)
    assert sent[0]["status"] == 400
