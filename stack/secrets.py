"""The passwords and keys of the local stack: drawn once, kept in a file only its owner can read."""

import os
import secrets
from pathlib import Path

NAMES = (
    "NEO4J_PASSWORD",
    "QUEUE_PASSWORD",
    "CACHE_PASSWORD",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "CURSOR_SECRET",
    "ADMIN_PASSWORD",
)

SECRET_BYTES = 18
"""144 bits; as base64url without padding, so fit for URLs, shells and configuration files."""


def load(path: Path) -> dict[str, str]:
    """The secrets in `path`, drawing those that it does not have yet."""
    known = _read(path)
    missing = {name: _draw() for name in NAMES if name not in known}
    if missing:
        write_private(path, "".join(f"{k}={v}\n" for k, v in (known | missing).items()))
    path.chmod(0o600)
    return known | missing


def write_private(path: Path, text: str) -> None:
    """Replaces `path` at once, mode 600 from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def _draw() -> str:
    """A secret that begins with a letter: a leading `-` reads as an option in a command line."""
    return "p" + secrets.token_urlsafe(SECRET_BYTES)


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = (line.partition("=") for line in path.read_text().splitlines())
    return {name: value for name, _, value in lines if name and value}
