"""Passwords and keys of the local stack: drawn at the first start, stored in `secrets.env`."""

import base64
import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stack.roles import S3_SECRETS, STORE_ROLES, variable_of

NAMES = (
    "NEO4J_PASSWORD",
    "QUEUE_PASSWORD",
    "CACHE_PASSWORD",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "CURSOR_SECRET",
    "TOKEN_KEYS",
    "ADMIN_PASSWORD",
    "VAPID_PRIVATE_KEY",
    *(
        variable_of(role, name)
        for role in STORE_ROLES
        for name in ("QUEUE_PASSWORD", "CACHE_PASSWORD", *S3_SECRETS)
    ),
)
"""Those of the stores have all rights there; those of a role (`API_QUEUE_PASSWORD`) have its."""

OLD_TOKENS_UNTIL = "OLD_TOKENS_UNTIL"
"""No secret: until when tokens without a MAC are accepted. A stack that issued none has none."""

SECRET_BYTES = 18
"""144 bits. As base64url without padding they fit URLs, shells and configuration files."""


P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The number of points of the curve P-256: a private key is a number from 1 to one less."""


def load(path: Path, *, session_days: int = 30) -> dict[str, str]:
    """The secrets by name. Those that `path` lacks are drawn and written to it.

    A stack of a version without TOKEN_KEYS has sessions whose tokens have no MAC: they are accepted
    for the life of a session from now on.
    """
    stored = _read(path)
    missing = {name: _draw(name) for name in NAMES if name not in stored}
    if stored and "TOKEN_KEYS" in missing:
        until = datetime.now(UTC) + timedelta(days=session_days)
        missing[OLD_TOKENS_UNTIL] = until.isoformat(timespec="seconds")
    if missing:
        write_private(path, "".join(f"{k}={v}\n" for k, v in (stored | missing).items()))
    path.chmod(0o600)
    return stored | missing


def write_private(path: Path, text: str) -> None:
    """Replace the file atomically. It has mode 600 before its first byte is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def _draw(name: str) -> str:
    """A secret that begins with a letter: a leading `-` would be an option in a command line."""
    if name == "VAPID_PRIVATE_KEY":
        return _draw_p256_key()
    return "p" + secrets.token_urlsafe(SECRET_BYTES)


def _draw_p256_key() -> str:
    """A private key of P-256: its 32 bytes as base64url without padding."""
    number = secrets.randbelow(P256_ORDER - 1) + 1
    return base64.urlsafe_b64encode(number.to_bytes(32)).rstrip(b"=").decode()


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = (line.partition("=") for line in path.read_text().splitlines())
    return {name: value for name, _, value in lines if name and value}
