"""A WSGI application whose requests last as long as a test wants."""

import threading
from collections.abc import Callable, Iterable
from typing import Any


class SlowApp:
    """An application that answers after `released` is set, and counts who is in it."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.working = 0
        self.most_working = 0
        self._lock = threading.Lock()

    def __call__(
        self, _environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        with self._lock:
            self.working += 1
            self.most_working = max(self.most_working, self.working)
        self.released.wait(30)
        with self._lock:
            self.working -= 1
        start_response("200 OK", [])
        return [b"done"]
