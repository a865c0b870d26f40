"""`python -m stack run`: a command with the environment of the running stack."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from stack import env_file
from stack.errors import StackError
from stack.settings import StackSettings


def run(settings: StackSettings, command: Sequence[str]) -> None:
    """Replace this process by the command. `python` and `flask` are those of .venv.

    Raises StackError if the stack does not run or the command does not exist.
    """
    if not command:
        raise StackError("Name the command to run.")
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    env = os.environ | env_file.read_ready(settings.folder) | {"PATH": path}
    os.environ["PATH"] = path  # execvpe looks for the command here, not in `env`
    try:
        os.execvpe(command[0], list(command), env)  # noqa: S606 - no shell
    except FileNotFoundError as error:
        raise StackError(f"There is no command {command[0]}.") from error
