"""Failures of networks, counted in the process: to refuse one costs no store anything."""

import math
from collections import OrderedDict

MOST_NETWORKS = 10_000
"""Networks that are remembered: some megabytes. Beyond them the oldest window is forgotten."""


class Failures:
    """Counts failures by network. A window begins with its first failure.

    For any thread, an event loop's too: it takes no lock, so threads may lose some of what they
    count at the same moment. Each process counts for itself, so all of them together let through as
    many times the quota.
    """

    def __init__(self, quota: int, window_seconds: float) -> None:
        self._quota = quota
        self._window_seconds = window_seconds
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()
        """By network, in the order of their begin: end of the window, failures in it."""

    def count(self, network: str, now: float) -> int:
        """Count a failure; the seconds to wait if there are more than the quota, else 0.

        `now` in seconds of any steady clock.
        """
        ends_at, failures = self._windows.get(network, (0.0, 0))
        if ends_at <= now:
            self._windows.pop(network, None)
            ends_at, failures = now + self._window_seconds, 0
        self._windows[network] = ends_at, failures + 1
        if len(self._windows) > MOST_NETWORKS:
            self._windows.popitem(last=False)
        return self._wait(ends_at, failures + 1, now)

    def wait(self, network: str, now: float) -> int:
        """The seconds to wait if there are already as many failures as the quota, else 0."""
        ends_at, failures = self._windows.get(network, (0.0, 0))
        return self._wait(ends_at, failures + 1, now)

    def _wait(self, ends_at: float, failures: int, now: float) -> int:
        return math.ceil(ends_at - now) if failures > self._quota and ends_at > now else 0
