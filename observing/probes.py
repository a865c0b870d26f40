"""Probes of stores: calls that can hang, so each runs at most once at a time."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from time import monotonic
from typing import Any


class Probes:
    """Runs probes in parallel, each in a thread: a probe that hangs blocks no other.

    With `remembered_seconds` a probe begins once in this time, whoever asks and however often.
    """

    def __init__(
        self,
        probes: Mapping[str, Callable[[], Any]],
        *,
        threads_name: str,
        remembered_seconds: float = 0.0,
    ) -> None:
        self._probes = probes
        self._remembered_seconds = remembered_seconds
        self._executor = ThreadPoolExecutor(len(probes), thread_name_prefix=threads_name)
        self._latest: dict[str, Future[Any]] = {}
        self._started_at: dict[str, float] = {}
        self._lock = Lock()

    def futures(self) -> dict[str, "Future[Any]"]:
        """Start each probe that neither runs nor has just run; every probe's future by name.

        Callers share the future of a probe's latest run.
        """
        now = monotonic()
        with self._lock:
            for name, probe in self._probes.items():
                if self._is_due(name, now):
                    self._started_at[name] = now
                    self._latest[name] = self._executor.submit(probe)
            return dict(self._latest)

    def _is_due(self, name: str, now: float) -> bool:
        latest = self._latest.get(name)
        if latest is None:
            return True
        return latest.done() and now - self._started_at[name] >= self._remembered_seconds
