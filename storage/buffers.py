"""Packed buffers: many commands as ready bytes in one send, their replies read in one go."""

from collections.abc import Sequence
from typing import Any

import redis
from redis.connection import Connection


def pack(*parts: bytes | int) -> bytes:
    """One command as Redis's protocol writes it."""
    texts = [b"%d" % part if isinstance(part, int) else part for part in parts]
    return b"*%d\r\n" % len(texts) + b"".join(b"$%d\r\n%b\r\n" % (len(t), t) for t in texts)


class Wire:
    """A connection that one caller holds; buffers are sent ahead, replies read in their order."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.unread = 0

    def send(self, buffer: bytes, commands: int) -> None:
        """Sends a buffer of so many commands. Their replies are owed from now on."""
        self.unread += commands
        self._connection.send_packed_command([buffer], check_health=False)  # type: ignore[no-untyped-call]

    def read(self, count: int) -> list[Any]:
        """The next replies, in the order of the commands; an error reply stands as an exception.

        They come from redis-py's parser over hiredis: its Connection.read_response() does the same
        for five times the price, and raises in mid-batch.
        """
        read_response = self._connection._get_parser().read_response  # noqa: SLF001  (see above)
        replies = [read_response() for _ in range(count)]
        self.unread -= count
        return replies

    def ask(self, commands: Sequence[bytes]) -> list[Any]:
        """The replies to packed commands, sent together; raises the first error among them."""
        self.send(b"".join(commands), len(commands))
        return checked(self.read(len(commands)))


def checked(replies: list[Any]) -> list[Any]:
    """The replies, all read, unless one is an error: that is raised."""
    for reply in replies:
        if isinstance(reply, redis.RedisError):
            raise reply
    return replies
