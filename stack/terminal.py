"""Lines for the user at the terminal."""

from collections.abc import Callable
from contextlib import suppress

Report = Callable[[str], None]
"""Prints one line for the user. Must be thread-safe."""


def report(text: str) -> None:
    """Print a line. Does nothing if the terminal is closed."""
    with suppress(OSError):
        print(f"{text}\n", end="", flush=True)  # one write, as several threads report
