"""What storage raises; redis's and botocore's own exceptions stop where they occur."""


class StorageError(Exception):
    """Anything that storage raises."""


class StorageUnavailableError(StorageError):
    """A store did not answer in time, refused, or is being left alone for a moment.

    What was asked may have happened or not. `part` is "cache", "queue" or "s3"; `answered` is how
    many of a push's users were answered before it broke off, a prefix of those given.
    """

    def __init__(self, part: str, reason: str = "", *, answered: int = 0) -> None:
        super().__init__(f"{part} is unavailable" + (f": {reason}" if reason else ""))
        self.part = part
        self.answered = answered


class StorageRefusedError(StorageUnavailableError):
    """A store is there and will not do what was asked: the same again is refused again.

    To a reader and to the API it is as good as away; a worker counts it as an attempt.
    """
