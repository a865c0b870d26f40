"""The bench's folder, under `.local`."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.settings import ROOT

FOLDER = ROOT / ".local" / "bench"


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A new folder in the bench's; removed afterwards."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=prefix, dir=FOLDER, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)
