"""Imported before all else by the agent's command: what libraries load and it hardly uses waits.

`urllib.parse` imports `ipaddress` for addresses in brackets, `linecache` imports `tokenize` for
lines of source, and the codec of host names `stringprep` for names that are not ASCII: 0.8 MB.
"""

from edge_agent.later import later

for name in ("ipaddress", "stringprep", "tokenize"):
    later(name)
