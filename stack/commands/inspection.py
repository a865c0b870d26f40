"""`make status` and `make logs`."""

import os

from stack import env_file
from stack.commands.tables import show_status
from stack.errors import StackError
from stack.settings import StackSettings
from stack.supervision import records
from stack.terminal import report

LOG_LINES = "20"
"""Lines of each log that are shown before the new ones."""


def status(settings: StackSettings) -> None:
    """Show which processes run. Raises StackError if none does."""
    running = [record for record in records.read_all(settings.folder / "run") if record.alive()]
    if not running:
        raise StackError("Nothing runs. `make up` starts it.")
    show_status(running)
    if not env_file.path_in(settings.folder).exists():
        report("It is not ready yet, or it is being stopped.")


def logs(settings: StackSettings, part: str | None) -> None:
    """Follows the logs of one part, or of all. Replaces this process by `tail`."""
    folder = settings.folder / "logs"
    paths = sorted(folder.glob(f"{part or '*'}.log"))
    if not paths:
        raise StackError(f"There is no log of {part} in {folder}." if part else "No logs yet.")
    os.execvp("tail", ["tail", "-n", LOG_LINES, "-F", *map(str, paths)])  # noqa: S606 - no shell
