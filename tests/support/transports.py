"""Two transports for requests to the API: in this process, and HTTP to a running server."""

import os
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, cast

import requests
from flask import Flask
from werkzeug.wrappers import Response

from tests.support.asgi_client import client_of
from tests.support.document import assert_documented

if TYPE_CHECKING:
    from werkzeug.test import Client

THROUGH_ASGI = os.environ.get("PHOTOFEED_TEST_ASGI") == "1"

TIMEOUT_SECONDS = (3.05, 30)
"""For a connection, and for each read of a response."""


PATIENT_SECONDS = 60
"""How long a request is repeated that is 503."""


class ApiResponse(Response):
    """A response whose `json` needs no check for None."""

    json: Any

    @property
    def text(self) -> str:
        """The body as text."""
        return self.get_data(as_text=True)


class Transport(Protocol):
    """Sends requests to one app or server."""

    def send(self, method: str, path: str, **request: Any) -> ApiResponse:
        """The response to a request."""

    def renew(self) -> "Transport":
        """A transport to the same app or server that shares no connection with this one."""


@dataclass(frozen=True, slots=True)
class AppTransport:
    """Flask's test client; with PHOTOFEED_TEST_ASGI=1, the ASGI application around the app."""

    app: Flask

    def send(self, method: str, path: str, **request: Any) -> ApiResponse:
        """The response. Asserts that the API document lists it."""
        client: Client = client_of(self.app) if THROUGH_ASGI else self.app.test_client()
        response = client.open(path, method=method, **request)
        assert_documented(self.app, response)
        return cast("ApiResponse", response)

    def renew(self) -> "AppTransport":
        """The same transport: it has no connection."""
        return self


class HttpTransport:
    """HTTP with a connection that stays open between requests. For one thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def send(self, method: str, path: str, **request: Any) -> ApiResponse:
        """The response. Raises requests.RequestException."""
        response = self._session.request(
            method, self._url + path, timeout=TIMEOUT_SECONDS, **request
        )
        return ApiResponse(response.content, response.status_code, list(response.headers.items()))

    def renew(self) -> "HttpTransport":
        """A transport with a connection of its own."""
        return HttpTransport(self._url)


class PatientTransport(HttpTransport):
    """HTTP that repeats a request while the answer is 503: the machine can be busy."""

    def send(self, method: str, path: str, **request: Any) -> ApiResponse:
        """The response. Raises requests.RequestException."""
        end = time.monotonic() + PATIENT_SECONDS
        while True:
            response = super().send(method, path, **request)
            if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > end:
                return response
            time.sleep(0.5)
