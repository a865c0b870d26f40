"""Questions that may hang: each is asked once at a time, whoever waits for its answer."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any


class Probes:
    """Asks side by side, a thread for each question: one that hangs holds up no other."""

    def __init__(self, questions: Mapping[str, Callable[[], Any]], *, threads_name: str) -> None:
        self._questions = questions
        self._threads = ThreadPoolExecutor(len(questions), thread_name_prefix=threads_name)
        self._running: dict[str, Future[Any]] = {}
        self._lock = Lock()

    def answers(self) -> dict[str, "Future[Any]"]:
        """Every answer that is under way; a question that still hangs is not asked again."""
        with self._lock:
            for name, question in self._questions.items():
                if name not in self._running or self._running[name].done():
                    self._running[name] = self._threads.submit(question)
            return dict(self._running)
