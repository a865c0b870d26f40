"""A turn: the time in which a job makes one part, and the lease that it holds meanwhile."""

import time
from collections.abc import Callable
from typing import IO

from graph import Graph
from graph.events import Event
from storage.errors import StorageUnavailableError
from workers.leases import Lease

FILL_SECONDS = 20.0
"""Time after which a part gets no further page or photo. Where S3 is slow, parts are small."""
END_SECONDS = 45.0
"""Time after which nothing is read or stored any more: RQ ends a job after 60 s, which would count
as an attempt."""


class Turn:
    """The time and the lease of one part."""

    def __init__(self, graph: Graph, event: Event) -> None:
        began = time.monotonic()
        self._lease = Lease(graph, event)
        self._fill_until = began + FILL_SECONDS
        self._end = began + END_SECONDS

    @property
    def is_over(self) -> bool:
        """Whether the part is to be stored as it is."""
        return time.monotonic() > self._fill_until

    def go_on(self) -> None:
        """Return if there is time for some more bytes, the lease renewed if it is old.

        Raises StorageUnavailableError, FencedError.
        """
        if time.monotonic() > self._end:
            raise StorageUnavailableError("s3", "too slow for a part of an export")
        self._lease.renew_if_old()


class Watched:
    """A file that is being sent: each block needs the turn's leave. `error`: why that ended it.

    S3's client turns every exception of a file into one of its own.
    """

    def __init__(self, file: IO[bytes], go_on: Callable[[], None]) -> None:
        self.error: Exception | None = None
        self._file = file
        self._go_on = go_on

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises what `go_on` raises."""
        try:
            self._go_on()
        except Exception as error:
            self.error = error
            raise
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move; returns the position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The position."""
        return self._file.tell()
