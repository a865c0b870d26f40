"""Records the product's own count of feed pages by source while the clients run.

No response says where its page came from. The count of all processes does, of ended ones too.
"""

import threading

from drill.counters import read_pages_by_source
from drill.history import History

SAMPLE_SECONDS = 2.0
SESSION = "pages"


class PageCounter(threading.Thread):
    """Records a `sources` operation every SAMPLE_SECONDS until the drill stops."""

    def __init__(self, history: History, folder: str, stop: threading.Event) -> None:
        super().__init__(name="page-counter", daemon=True)
        self._history = history
        self._folder = folder
        self._stop_event = stop

    def run(self) -> None:
        """Sample until the drill stops."""
        while not self._stop_event.wait(SAMPLE_SECONDS):
            self.sample()

    def sample(self) -> None:
        """Record the pages by source since the start of the stage."""
        number = self._history.invoke(SESSION, "sources")
        self._history.end(number, "ok", pages=read_pages_by_source(self._folder))
