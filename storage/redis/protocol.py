"""Packed buffers: several commands encoded and sent together, their replies read together."""

from collections.abc import Sequence
from typing import Any

import redis
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.connection import Connection


def pack(*parts: bytes | int) -> bytes:
    """One command in the encoding of the Redis protocol."""
    return b"*%d\r\n" % len(parts) + pack_parts(*parts)


def pack_parts(*parts: bytes | int) -> bytes:
    """Encoded parts of a command, without the count of parts that begins a command."""
    texts = [b"%d" % part if isinstance(part, int) else part for part in parts]
    return b"".join(b"$%d\r\n%b\r\n" % (len(t), t) for t in texts)


class PipelinedConnection:
    """A connection of one caller: buffers may be sent before earlier replies are read."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.unread = 0

    def send(self, buffer: bytes, commands: int) -> None:
        """Send a buffer of so many commands, and add their replies to `unread`."""
        self.unread += commands
        self._connection.send_packed_command([buffer], check_health=False)  # type: ignore[no-untyped-call]

    def read(self, count: int) -> list[Any]:
        """The next replies, in the order of the commands; an error reply is an exception in them.

        They are read from the hiredis reader inside redis-py's parser. The parser itself costs
        three times as much per reply, so it is called only if the reader needs more bytes.
        Connection.read_response() costs even more, and raises in the middle of a batch.
        """
        parser: Any = self._connection._get_parser()  # noqa: SLF001  (see above)
        read_buffered, read_socket = parser._reader.gets, parser.read_response  # noqa: SLF001
        replies = [
            reply if (reply := read_buffered()) is not NOT_ENOUGH_DATA else read_socket()
            for _ in range(count)
        ]
        self.unread -= count
        return replies

    def execute(self, commands: Sequence[bytes]) -> list[Any]:
        """The replies to packed commands, sent together; raises the first error among them."""
        self.send(b"".join(commands), len(commands))
        return raise_first_error(self.read(len(commands)))


def raise_first_error(replies: list[Any]) -> list[Any]:
    """The replies if none is an error. Raises the first error among them."""
    if any(issubclass(kind, redis.RedisError) for kind in set(map(type, replies))):
        raise next(reply for reply in replies if isinstance(reply, redis.RedisError))
    return replies
