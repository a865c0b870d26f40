"""A client of the public API, for one person."""

import time
from collections.abc import Mapping
from typing import Any

import requests

TIMEOUT_SECONDS = (3.05, 30)
RETRY_SECONDS = 120
"""How long a call is repeated while the answer is 429 or 503."""
MAX_PAUSE_SECONDS = 30
BUSY = frozenset({429, 503})


class ApiError(Exception):
    """The API refused a call. The message has the call, the status and the reason."""

    def __init__(self, call: str, status: int, code: str, detail: str) -> None:
        super().__init__(f"{call} answered {status} {code}: {detail}")
        self.status = status
        self.code = code


class ApiDownError(Exception):
    """There is no answer from the base URL."""


class Client:
    """The calls of one person over one connection. Waits for the time in Retry-After."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy must not get requests to the loopback address
        self.auth_token = ""

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        retry_codes: frozenset[str] = frozenset(),
    ) -> dict[str, Any]:
        """The answer's JSON; {} for an empty body.

        Repeats the call on 429 and 503, and on the problem codes in `retry_codes`, after the time
        in Retry-After. Raises ApiError for any other refusal, ApiDownError if nothing answers.
        """
        bearer = {"Authorization": f"Bearer {self.auth_token}"} if self.auth_token else {}
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            answer = self._send(method, path, json=body, headers={**bearer, **(headers or {})})
            if answer.ok:
                return dict(answer.json()) if answer.content else {}
            error = to_error(f"{method} {path}", answer)
            may_repeat = error.status in BUSY or error.code in retry_codes
            if not may_repeat or time.monotonic() > deadline:
                raise error
            time.sleep(pause_seconds(answer))

    def upload(self, upload: Mapping[str, Any], picture: bytes) -> None:
        """Send the picture to the URL that the API returned, with the returned headers."""
        answer = self._http.request(
            upload["method"],
            upload["url"],
            data=picture,
            headers=dict(upload["headers"]),
            timeout=TIMEOUT_SECONDS,
        )
        if not answer.ok:
            raise ApiError("The upload", answer.status_code, "refused-by-s3", answer.text[:200])

    def _send(self, method: str, path: str, **request: Any) -> requests.Response:
        try:
            return self._http.request(
                method, self._base_url + path, timeout=TIMEOUT_SECONDS, **request
            )
        except requests.ConnectionError as error:
            raise ApiDownError(f"Nothing answers at {self._base_url}.") from error
        except requests.Timeout as error:
            raise ApiDownError(f"{self._base_url} is too busy to answer.") from error


def to_error(call: str, answer: requests.Response) -> ApiError:
    """The refusal as an error with the problem's code and detail."""
    try:
        body = answer.json()
    except requests.JSONDecodeError:
        body = {}
    detail = body.get("detail") or body.get("title") or answer.text[:200]
    if body.get("errors"):
        detail = f"{detail} {body['errors']}"
    return ApiError(call, answer.status_code, body.get("code", ""), detail)


def pause_seconds(answer: requests.Response) -> float:
    """Seconds until the next try, from Retry-After."""
    try:
        return min(max(float(answer.headers.get("Retry-After", 1)), 0.2), MAX_PAUSE_SECONDS)
    except ValueError:
        return 1.0
