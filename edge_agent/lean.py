"""Imported before all else by the agent's command: what libraries load and it hardly uses waits.

`urllib.parse` imports `ipaddress` for addresses in brackets, `linecache` imports `tokenize` for
lines of source, and the codec of host names `stringprep` for names that are not ASCII: 0.8 MB.
TLS is another 4 MB; it waits until the link to a broker asks for it. asyncio's part of it has to
wait as well: it asks for names of `ssl` as it loads.
"""

from edge_agent.later import later

# paho names these errors wherever a socket has nothing to give
later("ssl", errors=("SSLWantReadError", "SSLWantWriteError"))
for name in ("ipaddress", "stringprep", "tokenize", "asyncio.sslproto"):
    later(name)
