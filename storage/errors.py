"""The exceptions of storage. Those of redis and botocore are translated where they occur."""

from collections.abc import Sequence


class StorageError(Exception):
    """Any error of storage."""


class StorageUnavailableError(StorageError):
    """A store did not answer in time, returned an error, or its circuit is open.

    The call may have taken effect or not. `part` is "cache", "queue", "s3" or, of a worker's own
    disk, "TMPDIR". `answered` is for a push: how many of its users had a reply before the error,
    counted from the first.
    """

    def __init__(self, part: str, reason: str = "", *, answered: int = 0) -> None:
        super().__init__(f"{part} is unavailable" + (f": {reason}" if reason else ""))
        self.part = part
        self.answered = answered


class LayoutInUseError(StorageError):
    """The cache has the keys of another layout, and processes at these addresses use them."""

    def __init__(self, addresses: Sequence[str]) -> None:
        super().__init__(f"in use by {', '.join(addresses)}")
        self.addresses = addresses


class StorageRefusedError(StorageUnavailableError):
    """A store answered with an error that the same call would meet again.

    Readers and the API treat it as an unavailable store; a worker counts it as an attempt.
    """
