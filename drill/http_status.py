"""Classes of HTTP status codes. Status 0 means that no response came: it is in no class."""

from http import HTTPStatus


def is_success(status: int) -> bool:
    """Whether the status is a 2xx."""
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def is_client_error(status: int) -> bool:
    """Whether the status is a 4xx: the request had no effect."""
    return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR


def is_server_error(status: int) -> bool:
    """Whether the status is a 5xx."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR
