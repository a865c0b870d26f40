"""Errors of the services. The class name gives the code: PhotosNotReadyError `photos-not-ready`."""

from collections.abc import Sequence


class ServiceError(Exception):
    """A valid request that a service refuses."""


class NotSignedInError(ServiceError):
    """The token is missing, wrong, expired or revoked. The response does not show which."""


class LiveTicketRefusedError(ServiceError):
    """The ticket is unknown, used up or too old, or its session has ended."""


class TooManyStreamsError(ServiceError):
    """The user has as many live streams at this process as one user can have."""


class LiveNeedsAsgiError(ServiceError):
    """This server has no event loop, and so no live streams."""


class WrongCredentialsError(ServiceError):
    """The username is unknown or the password wrong. The response does not show which."""

    def __init__(self, user_id: int | None = None) -> None:
        super().__init__()
        self.user_id = user_id
        """The user with this name, if there is one: for the log alone."""


class AccountSuspendedError(ServiceError):
    """The password is right, but operators have suspended the account."""

    def __init__(self, user_id: int) -> None:
        super().__init__()
        self.user_id = user_id
        """For the log alone."""


class WrongPasswordError(ServiceError):
    """The current password that a signed-in user sent is wrong."""


class WeakPasswordError(ServiceError):
    """A new password is easily guessed. The text says what to do."""


class WrongOwnPasswordError(WrongPasswordError):
    """The password with which a signed-in user confirms a request is wrong."""


class TooBusyError(ServiceError):
    """Too many passwords are being hashed in this process."""


class CannotFollowYourselfError(ServiceError):
    """Follower and followee are the same user."""


class CannotBlockYourselfError(ServiceError):
    """Blocker and blocked user are the same user."""


class CannotReportYourselfError(ServiceError):
    """Reporter and reported user are the same, or the post is the reporter's own."""


class PhotoTooLargeError(ServiceError):
    """The declared size is above the limit."""


class UnsupportedPhotoTypeError(ServiceError):
    """The declared media type is not accepted."""


class NothingUploadedError(ServiceError):
    """The upload of the photo was reported complete, but S3 has no such object."""


class CompletionsInProgressError(ServiceError):
    """Other completions of the user's photos wait for S3."""


class PhotosNotReadyError(ServiceError):
    """Photos of a post are waiting for their upload or being processed."""

    def __init__(self, photo_ids: Sequence[int]) -> None:
        super().__init__(f"Not ready yet: {_join(photo_ids)}.")
        self.photo_ids = tuple(photo_ids)


class PhotoFailedError(ServiceError):
    """Photos of a post were refused or never uploaded: they will not become ready."""

    def __init__(self, photo_ids: Sequence[int]) -> None:
        super().__init__(f"These will never be ready: {_join(photo_ids)}.")
        self.photo_ids = tuple(photo_ids)


class PhotoAlreadyPostedError(ServiceError):
    """A photo of the post is in another post."""


class UploadLimitReachedError(ServiceError):
    """The user has created as many photos, or bytes of photos, as are allowed in a day."""

    def __init__(self, *, retry_after: int) -> None:
        super().__init__("You have uploaded as much as is allowed in a day.")
        self.retry_after = retry_after
        """Seconds until the day of the limit is over."""


class PushNotConfiguredError(ServiceError):
    """This server has no key for Web Push."""


class PushServiceNotAllowedError(ServiceError):
    """The endpoint of a push subscription is not one of a known push service."""


class IdempotencyKeyMissingError(ServiceError):
    """The request has no valid Idempotency-Key."""


class IdempotencyKeyReusedError(ServiceError):
    """The key was sent with another body within the last 24 hours."""


class IdempotencyKeyInFlightError(ServiceError):
    """Another request with this key is in progress."""


class PostDeletedError(ServiceError):
    """The post of this key, or the post with the photo of this key, is deleted."""


def _join(photo_ids: Sequence[int]) -> str:
    return ", ".join(str(photo_id) for photo_id in photo_ids)
