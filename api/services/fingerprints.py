"""Fingerprints: an idempotency key is valid for one operation with one body."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def of(operation: str, body: Mapping[str, Any]) -> str:
    """The SHA-256, in hex, of the parsed body: white space and the order of fields do not count."""
    text = json.dumps([operation, body], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
