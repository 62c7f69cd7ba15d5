"""The pages: a shell with a nonce of its own for every answer, and assets that never change.

The sources stand in `web/` and are built by `make setup` into `assets/`; the wheel carries those.
Each asset's name holds a hash of its content, so that a browser may keep it for ever.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from cloud.errors import NotFound

FOLDER: Final = Path(__file__).parent / "assets"
API: Final = "/api/v1"
SHELL_READS: Final = ("/session", "/board")  #: what every page reads of the API


class Screen(NamedTuple):
    """A page: the source that draws it, and what it reads before it can show anything."""

    source: str
    reads: tuple[str, ...] = ()


#: addresses of pages; the page itself reads what is meant from its address
PAGES: Final[Mapping[str, Screen]] = {
    "/": Screen("board"),
    "/machines/{id:path}": Screen(
        "machine", ("/machines/{id}", "/machines/{id}/signals", "/machines/{id}/trend")
    ),
    "/inbox": Screen("inbox"),
    "/inbox/{id}": Screen("inbox"),
    "/tickets": Screen("tickets"),
    "/tickets/{id}": Screen(
        "ticket", ("/tickets/{id}", "/tickets/{id}/why", "/tickets/{id}/history?limit=200")
    ),
    "/overview": Screen("overview"),
    "/settings": Screen("settings"),
    "/settings/{part}": Screen("settings"),
}
TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
IMMUTABLE: Final = "public, max-age=31536000, immutable"
MISSING: Final = (
    "<!doctype html><title>forewarn</title><p>The pages are not built yet: run <code>make setup"
    "</code>. The HTTP API works without them.</p>"
)
router = APIRouter(include_in_schema=False)


def policy(nonce: str) -> str:
    """Return the Content-Security-Policy of a page (Mantine makes style elements at run time)."""
    return "; ".join(
        (
            "default-src 'self'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self' data:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


@cache
def _file(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


class Chunk(msgspec.Struct):
    """A built file in the manifest of the build."""

    file: str
    imports: list[str] = []


@cache
def _scripts(source: str) -> tuple[str, ...]:
    """Return the addresses of the scripts that a page needs and the shell does not name."""
    manifest = _file(FOLDER / "manifest.json")
    if manifest is None:
        return ()
    chunks = msgspec.json.decode(manifest, type=dict[str, Chunk])

    def needed(name: str) -> dict[str, None]:
        found = {chunks[name].file: None}
        for other in chunks[name].imports:
            found |= needed(other)
        return found

    shell = needed("index.html")
    return tuple(f"/{one}" for one in needed(f"src/pages/{source}.tsx") if one not in shell)


def _ahead(screen: Screen, id_: str) -> str:
    """Return links that let a browser fetch at once what the page will ask for."""
    name = quote(id_, safe="~")
    reads = (API + one.format(id=name) for one in (*SHELL_READS, *screen.reads))
    scripts = (
        f'<link rel="modulepreload" crossorigin href="{s}">' for s in _scripts(screen.source)
    )
    data = (f'<link rel="preload" as="fetch" crossorigin href="{escape(r)}">' for r in reads)
    return "".join((*scripts, *data))


async def _shell(request: Request, screen: Screen) -> Response:
    """Answer with the shell of the pages.

    It says where the live stream stands: the page follows it from there, so that nothing that
    happens between the shell and the stream is missed, and nothing needs to be read twice.
    """
    content = _file(FOLDER / "index.html")
    if content is None:
        return HTMLResponse(MISSING, 503)
    nonce = secrets.token_urlsafe(18)
    deps = getattr(request.app.state, "deps", None)
    place = deps.live.place() if deps and deps.live else ""
    ahead = _ahead(screen, request.path_params.get("id", ""))
    filled = content.replace(b"%NONCE%", nonce.encode()).replace(b"%LIVE%", place.encode())
    filled = filled.replace(b"</head>", ahead.encode() + b"</head>")
    headers = {"Content-Security-Policy": policy(nonce), "Cache-Control": "no-store"}
    return HTMLResponse(filled, headers=headers)


def _page(screen: Screen) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        return await _shell(request, screen)

    return page


for _path, _screen in PAGES.items():
    router.add_api_route(_path, _page(_screen), methods=["GET"], name="page")


@router.get("/assets/{name}")
async def asset(request: Request, name: str) -> Response:
    """Answer with a built file, compressed as the browser takes it."""
    path = FOLDER / "assets" / name
    media = TYPES.get(path.suffix)
    content = _file(path) if media and path.parent == FOLDER / "assets" else None
    if content is None:
        raise NotFound(f"there is no asset '{name}'")
    headers = {"Cache-Control": IMMUTABLE, "Vary": "Accept-Encoding"}
    taken = request.headers.get("accept-encoding", "")
    for encoding, suffix in ENCODINGS:
        packed = _file(path.with_name(name + suffix)) if encoding in taken else None
        if packed is not None:
            return Response(
                packed, media_type=media, headers=headers | {"Content-Encoding": encoding}
            )
    return Response(content, media_type=media, headers=headers)
