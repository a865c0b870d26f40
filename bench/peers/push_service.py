"""A push service as a process: it answers 201 to every POST, and keeps what it got for a proof.

`GET /messages` returns what came since the last such request, one JSON array a message: path,
headers, body in hex. The port is printed at the start.
"""

import asyncio
import json
from typing import cast

import uvloop

HEAD_END = b"\r\n\r\n"
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
BACKLOG = 1_024


class Service(asyncio.Protocol):
    """One connection; `messages` is shared by all."""

    def __init__(self, messages: list[tuple[bytes, bytes]]) -> None:
        self._messages = messages
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._data += data
        while True:
            head, found, rest = self._data.partition(HEAD_END)
            length = _length_of(head)
            if not found or len(rest) < length:
                return
            self._data = rest[length:]
            if head.startswith(b"GET"):
                self._transport.write(self._report())
            else:
                self._messages.append((head, rest[:length]))
                self._transport.write(CREATED)

    def _report(self) -> bytes:
        lines = [
            json.dumps([head.split(b" ")[1].decode(), head.decode().lower(), body.hex()])
            for head, body in self._messages
        ]
        self._messages.clear()
        text = "\n".join(lines).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text


def _length_of(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def serve() -> None:
    """Serve until the process is stopped."""
    messages: list[tuple[bytes, bytes]] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Service(messages), "127.0.0.1", 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
