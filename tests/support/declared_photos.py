"""Photos that a client declares before it uploads them."""

from typing import Any

from tests.support.people import Person
from tests.support.transports import ApiResponse

BYTES = b"\xff\xd8\xff\xe0 the beginning of a photograph"


def create(person: Person, key: str = "", **body: Any) -> ApiResponse:
    """The answer to a declaration of BYTES, changed by `body`."""
    declaration = {"content_type": "image/jpeg", "size_bytes": len(BYTES), **body}
    headers = {"Idempotency-Key": key} if key else {}
    return person.post("/v1/me/photos", json=declaration, headers=headers)
