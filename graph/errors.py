"""The errors of the graph's repositories."""


class GraphError(Exception):
    """Base class; raised itself for a statement that is wrong."""


class GraphUnavailableError(GraphError):
    """The graph did not answer: a write may have been committed or not."""


class GraphTimeoutError(GraphUnavailableError):
    """The server ended a statement at its time limit: nothing was written.

    `for_lock` is True if the statement was waiting for a lock.
    """

    def __init__(self, message: str, *, for_lock: bool) -> None:
        super().__init__(message)
        self.for_lock = for_lock


class ConstraintViolatedError(GraphError):
    """A uniqueness constraint refused a write; `entity` is its label or relationship type."""

    def __init__(self, entity: str) -> None:
        super().__init__(entity)
        self.entity = entity


class IdTakenError(GraphUnavailableError):
    """Another process has used this new id: repeat the write with another id.

    Two processes generate the same id only within one millisecond. The error is a
    GraphUnavailableError, so a caller that does not repeat the write answers "try again later".
    """

    def __init__(self, taken_id: int) -> None:
        super().__init__(taken_id)
        self.taken_id = taken_id


class NotFoundError(GraphError):
    """The object does not exist, or the viewer may not see it; callers cannot tell them apart."""


class UsernameTakenError(GraphError):
    """Another user has this name, or one that is equal after folding."""

    def __init__(self, username: str) -> None:
        super().__init__(username)
        self.username = username


class ExportInProgressError(GraphError):
    """The user has an export that is not finished."""

    def __init__(self, export_id: int) -> None:
        super().__init__(f"The export {export_id} is not finished.")
        self.export_id = export_id


class ExportLimitReachedError(GraphError):
    """The user has asked for as many exports as are allowed in a day."""

    def __init__(self, *, retry_after: int) -> None:
        super().__init__("You have asked for as many exports as are allowed in a day.")
        self.retry_after = retry_after
        """Seconds until the oldest of them no longer counts."""


class FollowLimitReachedError(GraphError):
    """A user follows as many users as are allowed."""

    def __init__(self, most: int) -> None:
        super().__init__(f"Nobody follows more than {most:,} users. Unfollow one first.")
        self.most = most


class QuietHoursIncompleteError(GraphError):
    """A user without quiet hours has sent some of their fields and not all."""


class KeyTakenError(GraphError):
    """The user has sent this idempotency key before, with this fingerprint and this result."""

    def __init__(self, *, fingerprint: str, result_id: int) -> None:
        super().__init__(result_id)
        self.fingerprint = fingerprint
        self.result_id = result_id


class KeyInFlightError(GraphError):
    """Another request with the same key, or the same photos, is still running."""


class PhotoPostedError(GraphError):
    """A post, or a deleted post, already shows this photo."""

    def __init__(self, photo_id: int) -> None:
        super().__init__(photo_id)
        self.photo_id = photo_id


class PhotosNotPostableError(GraphError):
    """Some of the photos are not ready or not the author's.

    `states` has the state of each photo that the author owns, by id.
    """

    def __init__(self, states: dict[int, str]) -> None:
        super().__init__(states)
        self.states = states


class ClockOffError(GraphError):
    """This host's clock and the graph's differ too much to publish."""

    def __init__(self, offset_seconds: float) -> None:
        super().__init__(offset_seconds)
        self.offset_seconds = offset_seconds


class PushSubscriptionTakenError(GraphError):
    """The endpoint is stored for another user, with other keys."""
