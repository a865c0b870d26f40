"""Quotas of reads, counted in the process and settled with the cache once a second.

A count in the cache for each page would cost more than the page. Processes learn of each other's
reads when they settle. So all of them together let through at most the quota and what arrives
between two settlements. Writes are counted exactly, by admissions.py, under the same keys.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

from storage.limits import SETTLE, LimitUse, Policy, limit_key

SETTLE_SECONDS = 1.0
"""Between two settlements."""
USERS_PER_BUFFER = 32
"""Users that are settled by one buffer: half a millisecond of the loop, which reads pages between
two buffers."""

LOOKS_PER_BEGIN = 2
"""Ended windows that are looked at for each one that begins: more are forgotten than begin."""
LOOKS_PER_SETTLEMENT = 256
"""Likewise for each settlement, which also an idle process does: 0.1 ms of the loop."""


class _Count:
    """The reads of one user in the current window."""

    __slots__ = ("ends_at", "pending", "settled")

    def __init__(self, ends_at: float) -> None:
        self.settled = 0
        """Uses by all processes, at the last settlement."""
        self.pending = 0
        """Uses in this process since then."""
        self.ends_at = ends_at


class ReadQuotas:
    """Counts the reads of users under one policy. For one thread; does no input or output."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._counts: dict[int, _Count] = {}
        self._begun: deque[tuple[float, int, _Count]] = deque()
        """Each count with the time at which it is looked at: when its window should have ended."""
        self._active: dict[int, None] = {}
        """Users with reads since they were last packed."""

    def take(self, user_id: int, now: float) -> LimitUse:
        """Count one read. `now` in seconds of any steady clock."""
        count = self._counts.get(user_id)
        if count is None or count.ends_at <= now:
            count = self._begin(user_id, now)
        count.pending += 1
        self._active[user_id] = None
        used = count.settled + count.pending
        quota = self.policy.quota
        return LimitUse(
            allowed=used <= quota,
            remaining=quota - used if used < quota else 0,
            reset_seconds=ceil(count.ends_at - now),
        )

    def settlements(self, now: float) -> Iterator[tuple[Sequence[int], list[bytes]]]:
        """Buffers of packed commands for the users with reads since the last call, with their ids.

        Each user's pending reads count as settled from now on, whether the buffer arrives or not:
        sent twice they would count twice. A caller that stops early settles the others next time.
        No step looks at all users, as that would hold the loop for milliseconds.
        """
        self._forget_ended(now, LOOKS_PER_SETTLEMENT)
        users = list(self._active)
        for start in range(0, len(users), USERS_PER_BUFFER):
            part = [u for u in users[start : start + USERS_PER_BUFFER] if self._is_open(u, now)]
            if part:
                yield part, [self._pack(user_id) for user_id in part]

    def apply(self, user_ids: Sequence[int], replies: Sequence[Any], now: float) -> None:
        """Take over the totals of all processes from the replies to a settlement."""
        for user_id, (used, left_ms) in zip(user_ids, replies, strict=True):
            count = self._counts.get(user_id)
            if count is not None:
                count.settled = used
                count.ends_at = now + left_ms / 1000

    def _begin(self, user_id: int, now: float) -> _Count:
        self._forget_ended(now, LOOKS_PER_BEGIN)
        count = self._counts[user_id] = _Count(now + self.policy.window_seconds)
        self._begun.append((count.ends_at, user_id, count))
        return count

    def _is_open(self, user_id: int, now: float) -> bool:
        """Whether the user's window goes on. The last reads of another must not count any more."""
        count = self._counts.get(user_id)
        if count is not None and count.ends_at > now:
            return True
        del self._active[user_id]
        return False

    def _pack(self, user_id: int) -> bytes:
        del self._active[user_id]
        count = self._counts[user_id]
        pending, count.pending = count.pending, 0
        count.settled += pending
        key = limit_key(self.policy, user_id).encode()
        return SETTLE.pack_call([key], [self.policy.window_seconds, pending])

    def _forget_ended(self, now: float, looks: int) -> None:
        """Forget windows that have ended, in the order of their begin; looks at so many at most."""
        for _ in range(looks):
            if not self._begun or self._begun[0][0] > now:
                return
            _, user_id, count = self._begun.popleft()
            if self._counts.get(user_id) is not count:
                continue
            if count.ends_at > now:  # the cache's window ends later
                self._begun.append((count.ends_at, user_id, count))
            else:
                del self._counts[user_id]
