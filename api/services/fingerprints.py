"""What an idempotency key is bound to: the use it was for and the body it came with."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def of(use: str, body: Mapping[str, Any]) -> str:
    """The SHA-256 of the read body, in hex: spacing and order of fields make no difference."""
    text = json.dumps([use, body], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
