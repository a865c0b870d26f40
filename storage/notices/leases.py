"""Leases of partitions, in `queue`: each partition is walked by one notifier at a time."""

import random
import secrets
from collections.abc import Sequence

from storage.redis.partitions import COUNT
from storage.redis.protocol import pack
from storage.redis.scripts import Script
from storage.redis.server import Server

LEASE_SECONDS = 15
"""How long a partition waits for its next notifier after a kill."""

LEASE, UNLEASE = Script("lease"), Script("unlease")

HOLDERS = b"nl:holders"
"""The notifiers, each with the time at which it was last seen."""


class PartitionLeases:
    """The leases of one holder. Every method raises StorageUnavailableError."""

    def __init__(self, queue: Server) -> None:
        self._queue = queue
        self._token = secrets.token_hex(8).encode()
        self.held: list[int] = []
        """The partitions that are leased to this holder."""

    def renew(self, now_ms: int) -> list[int]:
        """Renew the leases, take free ones up to a fair share, give up those beyond it.

        Returns the partitions that are held now. To be called several times per LEASE_SECONDS.
        `now_ms`: the time by the clock of the server.
        """
        share = self._share(now_ms)
        kept = self._lease(self.held[:share])
        taken = self._lease(self._free()[: share - len(kept)]) if len(kept) < share else []
        self._give_up(self.held[share:])
        self.held = [*kept, *taken]
        return self.held

    def give_up(self) -> None:
        """Give up all leases: another notifier goes on at once."""
        self._give_up(self.held)
        self.held = []
        self._queue.execute([pack(b"ZREM", HOLDERS, self._token)])

    def _share(self, now_ms: int) -> int:
        """The partitions of one holder, rounded up, so that all are held."""
        gone = now_ms - LEASE_SECONDS * 1000
        *_, holders = self._queue.execute(
            [
                pack(b"ZADD", HOLDERS, now_ms, self._token),
                pack(b"ZREMRANGEBYSCORE", HOLDERS, b"-inf", gone),
                pack(b"ZCARD", HOLDERS),
            ]
        )
        return -(-COUNT // max(1, int(holders)))

    def _free(self) -> list[int]:
        """The partitions that nobody holds, in random order."""
        [holders] = self._queue.execute([pack(b"MGET", *map(_key, range(COUNT)))])
        free = [number for number, holder in enumerate(holders) if holder is None]
        random.shuffle(free)
        return free

    def _lease(self, numbers: Sequence[int]) -> list[int]:
        """Those of the partitions that are held now."""
        if not numbers:
            return []
        arguments: list[bytes | int] = [self._token, LEASE_SECONDS * 1000]
        replies = self._queue.execute(
            [LEASE.pack_call([_key(number)], arguments) for number in numbers], LEASE
        )
        return [number for number, held in zip(numbers, replies, strict=True) if held]

    def _give_up(self, numbers: Sequence[int]) -> None:
        if numbers:
            self._queue.execute(
                [UNLEASE.pack_call([_key(number)], [self._token]) for number in numbers], UNLEASE
            )


def _key(number: int) -> bytes:
    return b"nl:%d" % number
