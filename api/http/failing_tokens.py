"""Tokens that fail, counted by the client's network: beyond a quota they are 429 and cost little.

A valid token is never refused for its network. One of an older version cannot be told from a
forged one without a store, so it waits too while its network fails.
"""

import time

from bounds.failures import Failures
from bounds.networks import network_of
from observing.metrics import TOKENS_OLD, TOKENS_REFUSED
from storage.limits import LimitUse, Policy


class FailingTokens:
    """The failures of one process. For any thread, the loop's too: it does no input or output."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._failures = Failures(policy.quota, policy.window_seconds)

    def excess_before_old(self, address: str) -> LimitUse | None:
        """The use that refuses a token without a MAC, before a store is asked; None: ask."""
        TOKENS_OLD.inc()
        wait = self._failures.wait(network_of(address), time.monotonic())
        if wait:
            TOKENS_REFUSED.labels(why="old").inc()
        return _excess(wait)

    def excess_of_forged(self, address: str) -> LimitUse | None:
        """Count a token that no key has signed; the use that refuses it, None: it is 401."""
        TOKENS_REFUSED.labels(why="forged").inc()
        return _excess(self._failures.count(network_of(address), time.monotonic()))

    def excess_without_session(self, address: str) -> LimitUse | None:
        """The same for a token whose session has ended, or is another's."""
        TOKENS_REFUSED.labels(why="session").inc()
        return _excess(self._failures.count(network_of(address), time.monotonic()))


def _excess(wait: int) -> LimitUse | None:
    return LimitUse(allowed=False, remaining=0, reset_seconds=wait) if wait else None
