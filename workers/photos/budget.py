"""The decoding seconds of a user in an hour: nobody takes the photo workers from the others."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from storage import Storage
from storage.limits import Policy
from workers.errors import PutOffError

SECONDS_AN_HOUR = 900
"""A quarter of a core: some 3,000 photos of a phone, or 350 of 40 megapixels."""

_POLICY = Policy(name="decoding", quota=SECONDS_AN_HOUR * 1000, window_seconds=3_600)
"""In milliseconds."""


def check(storage: Storage, owner_id: int) -> None:
    """Return if the owner has seconds left. Raises PutOffError, with the time until the next."""
    use = storage.limits.add(_POLICY, owner_id, 0)
    if not use.allowed:
        raise PutOffError(use.reset_seconds)


@contextmanager
def count(storage: Storage, owner_id: int) -> Iterator[None]:
    """Count the time of the block, also if it fails."""
    began = time.monotonic()
    try:
        yield
    finally:
        milliseconds = int((time.monotonic() - began) * 1000)
        storage.limits.add(_POLICY, owner_id, milliseconds)
