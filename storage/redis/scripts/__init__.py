"""The Lua scripts, a file each. The header of a file defines keys, arguments and replies."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from storage.redis.protocol import pack


def source(name: str) -> str:
    """The text of a script."""
    return (Path(__file__).parent / f"{name}.lua").read_text(encoding="utf-8")


class Script:
    """A script that packed buffers call by its digest."""

    def __init__(self, name: str) -> None:
        self._text = source(name).encode()
        self.digest = hashlib.sha1(self._text, usedforsecurity=False).hexdigest().encode()

    def pack_call(self, keys: Sequence[bytes], arguments: Sequence[bytes | int]) -> bytes:
        """The packed command that calls the script. Server.execute() loads a missing script."""
        return pack(b"EVALSHA", self.digest, len(keys), *keys, *arguments)

    def pack_load(self) -> bytes:
        """The packed command that loads the script; the server has it until it restarts."""
        return pack(b"SCRIPT", b"LOAD", self._text)
