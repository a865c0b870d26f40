"""What the graph refuses, or cannot do now."""


class GraphError(Exception):
    """Any refusal of the graph."""


class GraphUnavailableError(GraphError):
    """The graph cannot be reached or went away: a write may have happened, or not."""


class GraphTimeoutError(GraphUnavailableError):
    """A statement took longer than it may, and the graph ended it: nothing was written.

    `for_lock` if it was waiting for another statement's lock when it was ended.
    """

    def __init__(self, message: str, *, for_lock: bool) -> None:
        super().__init__(message)
        self.for_lock = for_lock


class ConstraintViolatedError(GraphError):
    """A uniqueness constraint refused a write: `of` is the label or relationship type."""

    def __init__(self, of: str) -> None:
        super().__init__(of)
        self.of = of


class IdTakenError(GraphUnavailableError):
    """A new id has been drawn by another process in the same millisecond: draw again.

    It counts as the graph being unavailable, so that who does not draw again answers "try later",
    and the next try has a new id.
    """

    def __init__(self, taken_id: int) -> None:
        super().__init__(taken_id)
        self.taken_id = taken_id


class NotFoundError(GraphError):
    """There is none, or it is hidden from this viewer: the two are not told apart."""


class UsernameTakenError(GraphError):
    """Somebody has this name, or one that reads alike."""

    def __init__(self, username: str) -> None:
        super().__init__(username)
        self.username = username


class KeyTakenError(GraphError):
    """The user has sent this idempotency key before, with this fingerprint and this result."""

    def __init__(self, *, fingerprint: str, result_id: int) -> None:
        super().__init__(result_id)
        self.fingerprint = fingerprint
        self.result_id = result_id


class KeyInFlightError(GraphError):
    """Another request with the same key, or the same photos, is still being answered."""


class PhotoPostedError(GraphError):
    """A photo stands in a post already, or stood in one that has been deleted."""

    def __init__(self, photo_id: int) -> None:
        super().__init__(photo_id)
        self.photo_id = photo_id


class PhotosNotPostableError(GraphError):
    """Some of the photos are another's, or in a state from which nothing can be posted.

    `states` has the state of each photo of the author's; one that is missing is absent or
    another's.
    """

    def __init__(self, states: dict[int, str]) -> None:
        super().__init__(states)
        self.states = states


class ClockOffError(GraphError):
    """This host's clock and the graph's differ too much to publish."""

    def __init__(self, offset_seconds: float) -> None:
        super().__init__(offset_seconds)
        self.offset_seconds = offset_seconds
