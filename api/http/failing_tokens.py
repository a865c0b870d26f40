"""Tokens that fail, counted by the client's network: beyond a quota they are 429 and cost little.

A valid token is never refused for its network. One of an older version cannot be told from a
forged one without a store, so it waits too while its network fails.
"""

import time
from collections import Counter, OrderedDict, deque
from contextlib import suppress

from api.services.tokens import Token
from bounds.failures import Failures
from bounds.networks import network_of
from observing.metrics import TOKENS_OLD, TOKENS_REFUSED
from storage.limits import LimitUse, Policy

LOOKED_AT = "looked at"
"""What stands for an old token among the reasons of refusals."""

MOST_UNREPORTED = 100_000
"""Counts that wait for `report`; beyond them the oldest are lost."""

MOST_ENDED = 10_000
"""Tokens of ended sessions that are remembered; beyond them the oldest is forgotten."""


class FailingTokens:
    """The failures of one process. For any thread, the loop's too: it takes no lock.

    Counters are locks, so what is counted waits for `report`, which a thread calls.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._failures = Failures(policy.quota, policy.window_seconds)
        self._ended: OrderedDict[bytes, float] = OrderedDict()
        """Secrets that proved no session, as the stores said, with the time until which that is not
        asked again (monotonic). They are random, so no session gets one again."""
        self._unreported: deque[str] = deque(maxlen=MOST_UNREPORTED)

    def is_doubtful(self, token: Token) -> bool:
        """Whether `excess_before_stores` has to be asked about the token."""
        return token.is_old or token.secret in self._ended

    def excess_before_stores(self, token: Token, address: str) -> LimitUse | None:
        """The use that refuses a doubtful token before a store is asked; None: ask.

        It is one without a MAC, of a network that fails; or one of a session that has ended, of a
        network that went on to send it.
        """
        now = time.monotonic()
        if token.is_old:
            self._unreported.append(LOOKED_AT)
            wait = self._failures.wait(network_of(address), now)
            if wait:
                self._unreported.append("old")
            return _excess(wait)
        if self._ended.get(token.secret, 0.0) <= now:
            self._ended.pop(token.secret, None)
            return None
        return self._count("session", address, now)

    def excess_of_forged(self, address: str) -> LimitUse | None:
        """Count a token that no key has signed; the use that refuses it, None: it is 401."""
        return self._count("forged", address, time.monotonic())

    def excess_without_session(self, token: Token, address: str) -> LimitUse | None:
        """The same for a token whose session has ended, or is another's, as the stores say."""
        now = time.monotonic()
        use = self._count("session", address, now)
        if use and not token.is_old:
            self._ended[token.secret] = now + use.reset_seconds
            if len(self._ended) > MOST_ENDED:
                self._ended.popitem(last=False)
        return use

    def report(self) -> None:
        """Move what was counted to the metrics. Blocks."""
        counted: Counter[str] = Counter()
        with suppress(IndexError):
            while True:
                counted[self._unreported.popleft()] += 1
        for why, number in counted.items():
            counter = TOKENS_OLD if why == LOOKED_AT else TOKENS_REFUSED.labels(why=why)
            counter.inc(number)

    def _count(self, why: str, address: str, now: float) -> LimitUse | None:
        self._unreported.append(why)
        return _excess(self._failures.count(network_of(address), now))


def _excess(wait: int) -> LimitUse | None:
    return LimitUse(allowed=False, remaining=0, reset_seconds=wait) if wait else None
