"""Probes of stores: calls that can hang, so each runs at most once at a time."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any


class Probes:
    """Runs probes in parallel, each in a thread: a probe that hangs blocks no other."""

    def __init__(self, probes: Mapping[str, Callable[[], Any]], *, threads_name: str) -> None:
        self._probes = probes
        self._executor = ThreadPoolExecutor(len(probes), thread_name_prefix=threads_name)
        self._running: dict[str, Future[Any]] = {}
        self._lock = Lock()

    def futures(self) -> dict[str, "Future[Any]"]:
        """Start each probe that is not running; every probe's future by name.

        Concurrent callers share the future of a probe that is still running.
        """
        with self._lock:
            for name, probe in self._probes.items():
                if name not in self._running or self._running[name].done():
                    self._running[name] = self._executor.submit(probe)
            return dict(self._running)
