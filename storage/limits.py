"""Rate limits: uses counted per window, shared by all processes through the cache."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from storage.fail_open import fail_open, return_none
from storage.redis.partitions import TAGS, key_of, partition_of
from storage.redis.protocol import pack
from storage.redis.scripts import Script
from storage.redis.server import Server

TAKE, SETTLE, UNLEASE = Script("take"), Script("settle"), Script("unlease")
CHARGE, REFUND = Script("charge"), Script("refund")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """At most `quota` uses in `window_seconds`. A window begins with its first use."""

    name: str
    quota: int
    window_seconds: int


class Lease(NamedTuple):
    """What one holder a subject may do at a time, in all processes. It ends after `seconds`."""

    name: str
    seconds: int


class LimitUse(NamedTuple):
    """One counted use: whether it is allowed, uses left, and time to the window's end."""

    allowed: bool
    remaining: int
    reset_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """An amount that is to be counted under a policy."""

    policy: Policy
    amount: int


def _unlimited(
    _limits: "Limits", policy: Policy, _subject: int | str, _amount: int = 1
) -> LimitUse:
    return LimitUse(allowed=True, remaining=policy.quota, reset_seconds=policy.window_seconds)


def _unguarded(_limits: "Limits", _lease: Lease, _subject: int) -> str | None:
    """A token of no lease."""
    return ""


def _uncharged(_limits: "Limits", charges: Sequence[Charge], _subject: int) -> list[LimitUse]:
    return [_unlimited(_limits, charge.policy, _subject) for charge in charges]


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

    @fail_open("limit", _unguarded)
    def take_lease(self, lease: Lease, subject: int) -> str | None:
        """The token of the lease; None while another holder has it."""
        token = secrets.token_urlsafe(12)
        key = lease_key(lease, subject)
        command = pack(b"SET", key, token.encode(), b"NX", b"EX", lease.seconds)
        [taken] = self._cache.execute([command])
        return token if taken else None

    @fail_open("limit", return_none)
    def end_lease(self, lease: Lease, subject: int, token: str) -> None:
        """End the lease, unless it has expired and another holder has it."""
        self._cache.execute(
            [UNLEASE.pack_call([lease_key(lease, subject)], [token.encode()])], UNLEASE
        )

    @fail_open("limit", _uncharged)
    def charge(self, charges: Sequence[Charge], subject: int) -> list[LimitUse]:
        """Count amounts by a user under several policies: all of them, or none.

        None is counted unless every one of the returned uses is allowed.
        """
        call = pack_charge(_keys_of(charges, subject), charges)
        [counts] = self._cache.execute([call], CHARGE)
        return parse_charge(charges, counts)

    @fail_open("limit", return_none)
    def refund(self, charges: Sequence[Charge], subject: int) -> None:
        """Take back what `charge` has counted, as what it was for was not done."""
        self._cache.execute([pack_refund(_keys_of(charges, subject), charges)], REFUND)


def pack_charge(keys: Sequence[bytes], charges: Sequence[Charge]) -> bytes:
    """The packed call of CHARGE for these keys, which are in one slot."""
    arguments = [
        number
        for charge in charges
        for number in (charge.policy.window_seconds, charge.policy.quota, charge.amount)
    ]
    return CHARGE.pack_call(keys, arguments)


def parse_charge(charges: Sequence[Charge], counts: Sequence[int]) -> list[LimitUse]:
    """The uses in a reply of CHARGE."""
    pairs = zip(counts[::2], counts[1::2], strict=True)
    return [
        limit_use(charge.policy, used, left_ms)
        for charge, (used, left_ms) in zip(charges, pairs, strict=True)
    ]


def pack_refund(keys: Sequence[bytes], charges: Sequence[Charge]) -> bytes:
    """The packed call of REFUND for these keys, which are in one slot."""
    return REFUND.pack_call(keys, [charge.amount for charge in charges])


def _keys_of(charges: Sequence[Charge], subject: int) -> list[bytes]:
    return [limit_key(charge.policy, subject).encode() for charge in charges]


def lease_key(lease: Lease, subject: int) -> bytes:
    """The key of a subject's lease, in the partition of a user."""
    return key_of(f"le:{lease.name}".encode(), subject)


def limit_use(policy: Policy, used: int, left_ms: int) -> LimitUse:
    """The use that a script has counted: the `used`th, with `left_ms` left of its window."""
    return LimitUse(
        allowed=used <= policy.quota,
        remaining=max(policy.quota - used, 0),
        reset_seconds=-(-left_ms // 1000),
    )


def limit_key(policy: Policy, subject: int | str) -> str:
    """The key of a subject's count: without names or addresses, in the partition of a user."""
    tag = f"{{{TAGS[partition_of(subject)]}}}" if isinstance(subject, int) else ""
    return f"rl:{policy.name}:{tag}{digest_of(subject)}"


def digest_of(subject: int | str) -> str:
    """What stands for a subject in keys: nobody reads a name or an address from it."""
    return hashlib.blake2b(str(subject).encode(), digest_size=16).hexdigest()
