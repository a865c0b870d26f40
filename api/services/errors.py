"""What the use cases refuse. A class names its code: PhotosNotReadyError is `photos-not-ready`."""

from collections.abc import Sequence


class ServiceError(Exception):
    """A request that is understood and refused."""


class NotSignedInError(ServiceError):
    """No token, or one that is wrong, expired or revoked: nobody is told which."""


class WrongCredentialsError(ServiceError):
    """No such user, or not their password: nobody is told which."""


class WrongPasswordError(ServiceError):
    """The signed-in user gave another current password than theirs."""


class TooBusyError(ServiceError):
    """So many passwords are being checked that this one would have to wait too long."""


class CannotFollowYourselfError(ServiceError):
    """Follower and followee are one."""


class CannotBlockYourselfError(ServiceError):
    """Blocker and blocked are one."""


class PhotoTooLargeError(ServiceError):
    """The declared size is beyond what is taken."""


class UnsupportedPhotoTypeError(ServiceError):
    """The declared type is none that is taken."""


class NothingUploadedError(ServiceError):
    """The photo's upload is said to be complete, but storage has nothing of it."""


class PhotosNotReadyError(ServiceError):
    """Photos of a post are still waiting or being processed."""

    def __init__(self, photo_ids: Sequence[int]) -> None:
        super().__init__(f"Not ready yet: {_listed(photo_ids)}.")
        self.photo_ids = tuple(photo_ids)


class PhotoFailedError(ServiceError):
    """Photos of a post were refused or never uploaded: they will not become ready."""

    def __init__(self, photo_ids: Sequence[int]) -> None:
        super().__init__(f"These will never be ready: {_listed(photo_ids)}.")
        self.photo_ids = tuple(photo_ids)


class PhotoAlreadyPostedError(ServiceError):
    """A photo stands in one post at most."""


class IdempotencyKeyMissingError(ServiceError):
    """The request needs an Idempotency-Key."""


class IdempotencyKeyReusedError(ServiceError):
    """The key came with another body within the last 24 hours."""


class IdempotencyKeyInFlightError(ServiceError):
    """Another request with the key is still being answered."""


class PostDeletedError(ServiceError):
    """The key's post, or the post of its photo, existed and has been deleted."""


def _listed(photo_ids: Sequence[int]) -> str:
    return ", ".join(str(photo_id) for photo_id in photo_ids)
