"""How the pages are served: a nonce per answer, assets for ever, compressed, nothing else."""

import re
from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI

from cloud import ui
from cloud.api.problems import install
from tests.cloud.api.scripts import SCRIPTS
from tests.ui.plant import need


@pytest.fixture
async def pages() -> AsyncIterator[httpx.AsyncClient]:
    need((ui.FOLDER / "index.html").is_file(), "the pages are not built: make setup")
    app = FastAPI()
    app.include_router(ui.router)
    install(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def test_each_answer_has_a_nonce_of_its_own(pages: httpx.AsyncClient) -> None:
    nonces = set()
    for path in ("/", "/machines/demo.a:pump%2F1", "/inbox/x", "/settings/users"):
        answer = await pages.get(path)
        policy = answer.headers["content-security-policy"]
        found = re.search(r"'nonce-([\w-]{24,})'", policy)
        assert found
        assert f'nonce="{found[1]}"' in answer.text
        assert "unsafe" not in policy
        nonces.add(found[1])
    assert len(nonces) == 4


async def test_the_shell_loads_from_here_alone_and_runs_no_inline_script(
    pages: httpx.AsyncClient,
) -> None:
    text = (await pages.get("/")).text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert addresses
    assert all(one.startswith(("/assets/", "/api/v1/")) for one in addresses)
    assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
    assert "style=" not in text


async def test_the_shell_names_ahead_what_its_page_will_ask_for(pages: httpx.AsyncClient) -> None:
    text = (await pages.get("/machines/demo.a:pump%2F1")).text
    for path in ("session", "board", "machines/demo.a%3Apump%2F1/trend"):
        assert f'<link rel="preload" as="fetch" crossorigin href="/api/v1/{path}">' in text
    script = re.search(r'rel="modulepreload" crossorigin href="(/assets/machine-[^"]+)"', text)
    assert script
    assert (await pages.get(script[1])).status_code == 200
    assert script[1] not in (await pages.get("/")).text


@pytest.mark.parametrize("text", SCRIPTS[::40])
async def test_an_address_is_never_more_than_an_address(
    pages: httpx.AsyncClient, text: str
) -> None:
    plain = (await pages.get("/machines/x")).text
    for path in ("/machines/", "/tickets/", "/inbox/", "/settings/"):
        answer = await pages.get(path + quote(text, safe=""))
        assert answer.text.count("<") <= plain.count("<")
        assert answer.text.count('"') <= plain.count('"')


async def test_assets_are_compressed_and_kept_for_ever(pages: httpx.AsyncClient) -> None:
    script = re.search(r'src="(/assets/[^"]+\.js)"', (await pages.get("/")).text)
    assert script
    sizes = {}
    for encoding in ("identity", "gzip", "br"):
        async with pages.stream("GET", script[1], headers={"Accept-Encoding": encoding}) as answer:
            sizes[encoding] = len(b"".join([part async for part in answer.aiter_raw()]))
            assert "immutable" in answer.headers["cache-control"]
            assert answer.headers["vary"] == "Accept-Encoding"
            assert answer.headers.get("content-encoding", "identity") == encoding
    assert sizes["br"] < sizes["gzip"] < sizes["identity"] / 2


@pytest.mark.parametrize(
    "name", ["../index.html", "..%2f__init__.py", "nothing.js", "%2e%2e/index.html", ".", ""]
)
async def test_nothing_else_is_served(pages: httpx.AsyncClient, name: str) -> None:
    assert (await pages.get(f"/assets/{name}")).status_code == 404
