"""An output of logs that fails when a test says so, as on a full disk."""

import re
from typing import Any

import structlog

FULL = OSError("no space left on device")


class Output:
    """A stdout that counts writes, and fails as long as it is told to."""

    def __init__(self) -> None:
        self.writes: list[str] = []
        self.failure: Exception | None = None
        self.failed = 0
        self.on_write: Any = lambda: None

    def write(self, text: str) -> int:
        if self.failure:
            self.failed += 1
            raise self.failure
        self.on_write()
        self.writes.append(text)
        return len(text)

    def logger(self) -> Any:
        """A logger whose lines are written here."""
        return structlog.wrap_logger(structlog.WriteLogger(self))  # type: ignore[arg-type]

    def flush(self) -> None:
        return

    @property
    def request_ids(self) -> list[str]:
        """The requests that have a line, in order."""
        return re.findall(r'"request_id": "([^"]+)"', "".join(self.writes))
