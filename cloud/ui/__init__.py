"""The pages: a shell with a nonce of its own for every answer, and assets that never change.

The sources stand in `web/` and are built by `make setup` into `assets/`; the wheel carries those.
Each asset's name holds a hash of its content, so that a browser may keep it for ever.
"""

import secrets
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from cloud.errors import NotFound

FOLDER: Final = Path(__file__).parent / "assets"
#: addresses of pages; the page itself reads what is meant from its address
PAGES: Final = (
    "/",
    "/machines/{machine:path}",
    "/inbox",
    "/inbox/{advisory}",
    "/tickets",
    "/tickets/{ticket}",
    "/overview",
    "/settings",
    "/settings/{part}",
)
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


async def page() -> Response:
    """Answer with the shell of the pages."""
    content = _file(FOLDER / "index.html")
    if content is None:
        return HTMLResponse(MISSING, 503)
    nonce = secrets.token_urlsafe(18)
    headers = {"Content-Security-Policy": policy(nonce)}
    return HTMLResponse(content.replace(b"%NONCE%", nonce.encode()), headers=headers)


for _path in PAGES:
    router.add_api_route(_path, page, methods=["GET"], name="page")


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
