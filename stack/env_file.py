"""`run/stack.env`: the variables of the whole stack, for operators' commands.

One NAME=value a line. The file exists while everything answers. Only its owner can read it.
"""

from collections.abc import Mapping
from pathlib import Path

from stack.errors import StackError
from stack.secrets import write_private


def path_in(folder: Path) -> Path:
    """The file of the stack in `folder`."""
    return folder / "run" / "stack.env"


def write(folder: Path, env: Mapping[str, str]) -> None:
    """Write the variables: from now on the stack counts as ready."""
    lines = [f"{name}={value}\n" for name, value in env.items()]
    write_private(path_in(folder), "".join(lines))


def remove(folder: Path) -> None:
    """Remove the file, if it exists."""
    path_in(folder).unlink(missing_ok=True)


def read(folder: Path) -> dict[str, str] | None:
    """The variables; None while the stack is not ready."""
    try:
        lines = path_in(folder).read_text().splitlines()
    except FileNotFoundError:
        return None
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def read_ready(folder: Path) -> dict[str, str]:
    """The variables. Raises StackError while the stack is not ready."""
    env = read(folder)
    if env is None:
        raise StackError("The stack does not run: start it with `make up`.")
    return env
