"""Rate limits: uses counted per window, shared by all processes through the cache."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from storage.fail_open import fail_open
from storage.redis.partitions import TAGS, partition_of
from storage.redis.scripts import Script
from storage.redis.server import Server

TAKE, SETTLE = Script("take"), Script("settle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """At most `quota` uses in `window_seconds`. A window begins with its first use."""

    name: str
    quota: int
    window_seconds: int


class LimitUse(NamedTuple):
    """One counted use: whether it is allowed, uses left, and time to the window's end."""

    allowed: bool
    remaining: int
    reset_seconds: int


def _unlimited(
    _limits: "Limits", policy: Policy, _subject: int | str, _amount: int = 1
) -> LimitUse:
    return LimitUse(allowed=True, remaining=policy.quota, reset_seconds=policy.window_seconds)


class Limits:
    """Counts uses. Without the cache every use is allowed: refusing would lock everyone out."""

    def __init__(self, cache: Server) -> None:
        self._cache = cache

    @fail_open("limit", _unlimited)
    def take(self, policy: Policy, subject: int | str) -> LimitUse:
        """Count one use of `policy` by `subject`: a user's id, or a text such as an address."""
        key = limit_key(policy, subject).encode()
        call = TAKE.pack_call([key], [policy.window_seconds])
        [(used, left_ms)] = self._cache.execute([call], TAKE)
        return limit_use(policy, used, left_ms)

    @fail_open("limit", _unlimited)
    def add(self, policy: Policy, subject: int | str, amount: int) -> LimitUse:
        """Count so many uses of `policy` by `subject`, after they have happened; 0: only look."""
        key = limit_key(policy, subject).encode()
        call = SETTLE.pack_call([key], [policy.window_seconds, amount])
        [(used, left_ms)] = self._cache.execute([call], SETTLE)
        return limit_use(policy, used, left_ms)


def limit_use(policy: Policy, used: int, left_ms: int) -> LimitUse:
    """The use that a script has counted: the `used`th, with `left_ms` left of its window."""
    return LimitUse(
        allowed=used <= policy.quota,
        remaining=max(policy.quota - used, 0),
        reset_seconds=-(-left_ms // 1000),
    )


def limit_key(policy: Policy, subject: int | str) -> str:
    """The key of a subject's count: without names or addresses, in the partition of a user."""
    digest = hashlib.blake2b(str(subject).encode(), digest_size=16).hexdigest()
    tag = f"{{{TAGS[partition_of(subject)]}}}" if isinstance(subject, int) else ""
    return f"rl:{policy.name}:{tag}{digest}"
