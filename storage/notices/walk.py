"""The newest entry and the newest notification of many users of a partition, in one round trip."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage.errors import StorageRefusedError
from storage.redis.partitions import key_of
from storage.redis.protocol import pack
from storage.redis.server import Server
from storage.timeline_layout import timeline_key

_NO_TOUCH, _TOUCH = pack(b"CLIENT", b"NO-TOUCH", b"ON"), pack(b"CLIENT", b"NO-TOUCH", b"OFF")


@dataclass(frozen=True, slots=True)
class WalkCommands:
    """The commands about some users, packed once and sent again and again."""

    users: int
    buffer: bytes
    """For each user LINDEX of the timeline's tail; then one MGET of the newest notifications."""

    @classmethod
    def of(cls, user_ids: Sequence[int]) -> "WalkCommands":
        """The commands about users of one partition, at least one."""
        tails = [pack(b"LINDEX", timeline_key(user_id), -1) for user_id in user_ids]
        numbers = pack(b"MGET", *[key_of(b"nt", user_id) for user_id in user_ids])
        return cls(len(user_ids), b"".join([*tails, numbers]))


class SubscriberWalk:
    """Reads what has come for users. Every method raises StorageUnavailableError."""

    def __init__(self, cache: Server) -> None:
        self._cache = cache
        self._has_no_touch: bool | None = None

    def read(self, commands: WalkCommands) -> tuple[list[Any], list[Any]]:
        """For each user the newest entry or None, and the newest notification's id or None.

        The lists do not count as used by this, where the server can tell the difference: else a
        list that nobody reads would never be evicted.
        """
        if self._has_no_touch is None:
            self._has_no_touch = self._ask_for_no_touch()
        if not self._has_no_touch:
            replies = self._cache.pool.execute(commands.buffer, commands.users + 1)
            return replies[:-1], replies[-1]
        replies = self._cache.pool.execute(_NO_TOUCH + commands.buffer + _TOUCH, commands.users + 3)
        return replies[1:-2], replies[-2]

    def _ask_for_no_touch(self) -> bool:
        try:
            self._cache.execute([_NO_TOUCH, _TOUCH])
        except StorageRefusedError:
            return False
        return True
