"""Limits that hold without the cache: for what must never be free, such as a guess of a password.

While the cache is down each process counts for itself. A use is counted before the work, and
refunded if it was no failure.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from storage.errors import StorageUnavailableError
from storage.limits import (
    CHARGE,
    REFUND,
    Charge,
    LimitUse,
    Policy,
    digest_of,
    limit_use,
    pack_charge,
    pack_refund,
    parse_charge,
)
from storage.redis.partitions import COUNT, TAGS
from storage.redis.server import Server

log = structlog.get_logger()

MOST_LOCAL = 20_000
"""Counts of one process, about 6 MB. The one that was counted longest ago leaves first: to push one
out costs an attacker thousands of guesses, each with the hash of a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What a use counts under: a policy, and whom or what it is counted for."""

    policy: Policy
    subject: str
    amount: int = 1


class Charged(NamedTuple):
    """What was charged to buckets: to all of them if every use is allowed, else to none."""

    uses: list[LimitUse]
    """For each bucket."""
    keys: list[bytes]
    charges: list[Charge]
    is_local: bool
    """Whether this process alone has counted it."""

    @property
    def is_allowed(self) -> bool:
        """Whether the work may be done."""
        return all(use.allowed for use in self.uses)

    def split(self, count: int) -> tuple["Charged", "Charged"]:
        """What was charged to the first `count` buckets, and to the others."""
        first, others = slice(None, count), slice(count, None)
        return self._part(first), self._part(others)

    def _part(self, part: slice) -> "Charged":
        return Charged(self.uses[part], self.keys[part], self.charges[part], self.is_local)


class FirmLimits:
    """Counts uses in the cache, or in this process while the cache is down."""

    def __init__(self, cache: Server) -> None:
        self._cache = cache
        self._local = LocalCounts()
        self._cache_is_down = False

    def charge(self, buckets: Sequence[Bucket], *, slot: str) -> Charged:
        """Charge a use to all buckets, or to none unless all allow it.

        `slot`: what all buckets have in common. Their keys are in one slot of a cluster.
        """
        keys = [bucket_key(bucket, slot).encode() for bucket in buckets]
        charges = [Charge(policy=bucket.policy, amount=bucket.amount) for bucket in buckets]
        try:
            [counts] = self._cache.execute([pack_charge(keys, charges)], CHARGE)
        except StorageUnavailableError as error:
            self._note_outage(error)
            uses = self._local.charge(keys, charges, time.monotonic())
            return Charged(uses, keys, charges, is_local=True)
        self._note_return()
        return Charged(parse_charge(charges, counts), keys, charges, is_local=False)

    def refund(self, charged: Charged) -> None:
        """Take back what was charged, as it was no failure or the work was not done.

        If the cache fails now, it stays charged.
        """
        if charged.is_local:
            self._local.refund(charged.keys, charged.charges)
            return
        try:
            self._cache.execute([pack_refund(charged.keys, charged.charges)], REFUND)
        except StorageUnavailableError as error:
            self._note_outage(error)

    def _note_outage(self, error: StorageUnavailableError) -> None:
        if not self._cache_is_down:
            self._cache_is_down = True
            log.warning("limits counted by this process alone", reason=str(error))

    def _note_return(self) -> None:
        if self._cache_is_down:
            self._cache_is_down = False
            log.info("limits counted in the cache again")


class _Count:
    """The uses of one bucket in its window."""

    __slots__ = ("ends_at", "used")

    def __init__(self, ends_at: float) -> None:
        self.used = 0
        self.ends_at = ends_at


class LocalCounts:
    """MOST_LOCAL counts of one process, for all its threads. `now` in monotonic seconds."""

    def __init__(self) -> None:
        self._counts: OrderedDict[bytes, _Count] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._counts)

    def charge(
        self, keys: Sequence[bytes], charges: Sequence[Charge], now: float
    ) -> list[LimitUse]:
        """Count all of the charges, or none unless all are allowed: as charge.lua."""
        with self._lock:
            counts = [
                self._count_of(key, charge, now) for key, charge in zip(keys, charges, strict=True)
            ]
            uses = [
                limit_use(
                    charge.policy, count.used + charge.amount, round((count.ends_at - now) * 1000)
                )
                for count, charge in zip(counts, charges, strict=True)
            ]
            if all(use.allowed for use in uses):
                self._add(keys, counts, charges)
        return uses

    def refund(self, keys: Sequence[bytes], charges: Sequence[Charge]) -> None:
        """Take the charges back, never more than was counted."""
        with self._lock:
            for key, charge in zip(keys, charges, strict=True):
                if count := self._counts.get(key):
                    count.used = max(0, count.used - charge.amount)

    def _count_of(self, key: bytes, charge: Charge, now: float) -> _Count:
        count = self._counts.get(key)
        if count is None or count.ends_at <= now:
            return _Count(now + charge.policy.window_seconds)
        return count

    def _add(
        self, keys: Sequence[bytes], counts: Sequence[_Count], charges: Sequence[Charge]
    ) -> None:
        for key, count, charge in zip(keys, counts, charges, strict=True):
            count.used += charge.amount
            self._counts[key] = count
            self._counts.move_to_end(key)
        while len(self._counts) > MOST_LOCAL:
            self._counts.popitem(last=False)


def bucket_key(bucket: Bucket, slot: str) -> str:
    """The key of a bucket's count: without names or addresses, in the partition of the slot."""
    tag = TAGS[int(digest_of(slot), 16) % COUNT]
    return f"rl:{bucket.policy.name}:{{{tag}}}{digest_of(bucket.subject)}"
