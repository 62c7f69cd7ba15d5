"""A webhook receiver on loopback that can be told how to behave."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class Receiver:
    """Answers as `ways` says, one after the other, then with 200.

    Ways: "ok", "500", "close" (reads the request and hangs up), "half" (half an answer),
    "hang" (never answers until `let_go` is set).
    """

    def __init__(self, ways: list[str]) -> None:
        self.ways = list(ways)
        self.port = 0
        self.got: list[tuple[str, dict[str, Any]]] = []  #: (webhook-id, body) of all, taken or not
        self.taken: list[str] = []  #: ids answered with 200
        self.arrived = asyncio.Event()
        self.let_go = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(
            line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line
        )
        body = json.loads(await reader.readexactly(int(fields["content-length"])))
        way = self.ways.pop(0) if self.ways else "ok"
        self.got.append((fields.get("webhook-id", ""), body))
        self.arrived.set()
        if way == "hang":
            await self.let_go.wait()
        elif way == "500":
            writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        elif way == "half":
            writer.write(b"HTTP/1")
        elif way == "ok":
            self.taken.append(fields.get("webhook-id", ""))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/alerts"


@asynccontextmanager
async def receiving(*ways: str) -> AsyncIterator[Receiver]:
    receiver = Receiver(list(ways))
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        receiver.let_go.set()
        server.close()
        await server.wait_closed()
