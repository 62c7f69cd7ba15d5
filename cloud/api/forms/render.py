"""From a template to an answer: escaped, in the reader's language, with a nonce of its own."""

import secrets
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cloud.accounts.values import Language
from cloud.api.forms.words import WORDS, language_of

FOLDER: Final = Path(__file__).parent / "templates"


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )


def _policy(nonce: str) -> str:
    """Return the Content-Security-Policy: no script at all, one style, forms to ourselves."""
    return (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def render(
    request: Request,
    template: str,
    title: str,
    *,
    status: int = 200,
    language: Language | None = None,
    wrong: str | None = None,
    **values: Any,
) -> Response:
    """Return a page; `title` is a key of the words, `wrong` the text of what is wrong."""
    spoken = language_of(request, language)
    words = WORDS[spoken]
    nonce = secrets.token_urlsafe(18)
    shown = _templates().get_template(template)
    text = shown.render(
        language=spoken, words=words, title=words[title], nonce=nonce, wrong=wrong, **values
    )
    headers = {
        "Content-Security-Policy": _policy(nonce),
        "Content-Language": spoken,
        "Vary": "Accept-Language, Cookie",
        # without a referrer browsers would name no origin in a form's post
        "Referrer-Policy": "same-origin",
    }
    return HTMLResponse(text, status, headers)


def wants_page(request: Request) -> bool:
    """Whether a browser shows the answer to a person (it does not ask for JSON)."""
    if request.url.path.startswith("/api/"):
        return False
    return "text/html" in request.headers.get("accept", "")


def error_page(request: Request, status: int) -> Response:
    """Return a page for an error."""
    key = f"e{status}" if f"e{status}" in WORDS["en"] else "e500" if status >= 500 else "e400"
    words = WORDS[language_of(request)]
    href, link = ("/sign-in", words["sign_in"]) if status == 401 else ("/", words["back"])
    return render(request, "note.html", key, status=status, note="", href=href, link=link)
