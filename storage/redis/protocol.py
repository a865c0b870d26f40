"""Packed buffers: many commands as ready bytes in one send, their replies read in one go."""

from collections.abc import Sequence
from typing import Any

import redis
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.connection import Connection


def pack(*parts: bytes | int) -> bytes:
    """One command as Redis's protocol writes it."""
    return b"*%d\r\n" % len(parts) + pack_parts(*parts)


def pack_parts(*parts: bytes | int) -> bytes:
    """Parts of a command, without the count of all that a command begins with."""
    texts = [b"%d" % part if isinstance(part, int) else part for part in parts]
    return b"".join(b"$%d\r\n%b\r\n" % (len(t), t) for t in texts)


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

        They come from the hiredis reader in redis-py's parser, which itself is asked only when more
        must be read from the socket: it costs three times as much a reply. Its
        Connection.read_response() costs more again, and raises in mid-batch.
        """
        parser: Any = self._connection._get_parser()  # noqa: SLF001  (see above)
        gets, read_on = parser._reader.gets, parser.read_response  # noqa: SLF001
        replies = [
            reply if (reply := gets()) is not NOT_ENOUGH_DATA else read_on() for _ in range(count)
        ]
        self.unread -= count
        return replies

    def ask(self, commands: Sequence[bytes]) -> list[Any]:
        """The replies to packed commands, sent together; raises the first error among them."""
        self.send(b"".join(commands), len(commands))
        return checked(self.read(len(commands)))


def checked(replies: list[Any]) -> list[Any]:
    """The replies, all read, unless one is an error: that is raised."""
    if any(issubclass(kind, redis.RedisError) for kind in set(map(type, replies))):
        raise next(reply for reply in replies if isinstance(reply, redis.RedisError))
    return replies
