"""How often something may be done: a count a window, shared by all processes through the cache."""

import hashlib
from dataclasses import dataclass

from storage.fail_open import fail_open
from storage.redis.scripts import Script
from storage.redis.server import Server

TAKE = Script("take")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """At most `quota` uses in `window_seconds`, counted from the first one."""

    name: str
    quota: int
    window_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Whether a use is allowed, how many are left, and when the window ends."""

    allowed: bool
    remaining: int
    reset_seconds: int


def _allowed(_limits: "Limits", policy: Policy, _subject: str) -> Taken:
    return Taken(allowed=True, remaining=policy.quota, reset_seconds=policy.window_seconds)


class Limits:
    """Counts uses. A cache that is away limits nobody: it would lock everyone out."""

    def __init__(self, cache: Server) -> None:
        self._cache = cache

    @fail_open("limit", _allowed)
    def take(self, policy: Policy, subject: str) -> Taken:
        """One more use of `policy` by `subject`: an account, an address, whatever names it."""
        key = limit_key(policy, subject).encode()
        [(used, left_ms)] = self._cache.ask([TAKE.call([key], [policy.window_seconds])], TAKE)
        return taken_of(policy, used, left_ms)


def taken_of(policy: Policy, used: int, left_ms: int) -> Taken:
    """What a script that counts says of a use."""
    return Taken(
        allowed=used <= policy.quota,
        remaining=max(policy.quota - used, 0),
        reset_seconds=-(-left_ms // 1000),
    )


def limit_key(policy: Policy, subject: str) -> str:
    """Of fixed width, and without names or addresses in it."""
    digest = hashlib.blake2b(subject.encode(), digest_size=16).hexdigest()
    return f"rl:{policy.name}:{digest}"
