"""Tickets of live streams (`lk:` and the user's id and the ticket's hash): each opens one stream.

The key is in the partition of the ticket's user. The value is the session that the ticket is bound
to. A ticket is redeemed by one command, so two requests with one ticket cannot both succeed.
"""

import hashlib

from storage.redis.partitions import key_of
from storage.redis.protocol import pack
from storage.redis.server import Server

LIFE_SECONDS = 30
"""How long a ticket can be redeemed."""

HASH_BYTES = 16
"""Bytes of the hash in the key. Who can read the keys of the cache learns no ticket."""


def pack_redeem(user_id: int, secret: bytes) -> bytes:
    """The packed command that takes the ticket away. Its reply is for `parse_redeemed`."""
    return pack(b"GETDEL", _key(user_id, secret))


def parse_redeemed(reply: bytes | None) -> int | None:
    """The session in the reply; None if the ticket was redeemed before, expired or never issued."""
    return int(reply) if reply is not None and reply.isdigit() else None


class LiveTickets:
    """Issues tickets. The loop redeems them."""

    def __init__(self, cache: Server) -> None:
        self._cache = cache

    def issue(self, user_id: int, session_id: int, secret: bytes) -> None:
        """Store a ticket with this random secret. Raises StorageUnavailableError."""
        self._cache.execute(
            [pack(b"SET", _key(user_id, secret), session_id, b"EX", LIFE_SECONDS, b"NX")]
        )


def _key(user_id: int, secret: bytes) -> bytes:
    digest = hashlib.sha256(secret).hexdigest()[: 2 * HASH_BYTES]
    return b"%b:%b" % (key_of(b"lk", user_id), digest.encode())
