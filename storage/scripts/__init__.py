"""The Lua scripts, one a file beside this one, each with a header that says what it is given."""

from pathlib import Path


def source(name: str) -> str:
    """The text of a script."""
    return (Path(__file__).parent / f"{name}.lua").read_text(encoding="utf-8")
