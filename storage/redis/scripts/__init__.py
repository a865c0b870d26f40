"""The Lua scripts, one a file beside this one, each with a header that says what it is given."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from storage.redis.protocol import pack


def source(name: str) -> str:
    """The text of a script."""
    return (Path(__file__).parent / f"{name}.lua").read_text(encoding="utf-8")


class Script:
    """A script to be called in a packed buffer, by its digest."""

    def __init__(self, name: str) -> None:
        self._text = source(name).encode()
        self.digest = hashlib.sha1(self._text, usedforsecurity=False).hexdigest().encode()

    def call(self, keys: Sequence[bytes], arguments: Sequence[bytes | int]) -> bytes:
        """The packed command. See Server.ask() for a server that does not know it."""
        return pack(b"EVALSHA", self.digest, len(keys), *keys, *arguments)

    def load(self) -> bytes:
        """The packed command that makes it known to the server until that restarts."""
        return pack(b"SCRIPT", b"LOAD", self._text)
