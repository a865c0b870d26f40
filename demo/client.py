"""The public API as one person uses it, and nothing but it."""

import time
from collections.abc import Mapping
from typing import Any

import requests

TIMEOUT_SECONDS = (3.05, 30)
PATIENCE_SECONDS = 120
"""How long one call is tried again while the server asks for patience."""
MOST_PAUSE_SECONDS = 30
BUSY = frozenset({429, 503})


class ApiError(Exception):
    """The API refused something the demo needs; the message says what and why."""

    def __init__(self, call: str, status: int, code: str, detail: str) -> None:
        super().__init__(f"{call} answered {status} {code}: {detail}")
        self.status = status
        self.code = code


class ApiDownError(Exception):
    """Nothing answers at the base URL."""


class Client:
    """One person's calls over one connection; waits when told to (Retry-After)."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = requests.Session()
        self._http.trust_env = False  # a machine's proxy has no business with loopback
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
        """The answer's JSON, {} without one.

        Tries again on 429 and 503, and on the problem codes in `retry_codes`, after the time that
        Retry-After says. Raises ApiError for any other refusal, ApiDownError when nothing answers.
        """
        bearer = {"Authorization": f"Bearer {self.auth_token}"} if self.auth_token else {}
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self._send(method, path, json=body, headers={**bearer, **(headers or {})})
            if answer.ok:
                return dict(answer.json()) if answer.content else {}
            error = problem(f"{method} {path}", answer)
            again = error.status in BUSY or error.code in retry_codes
            if not again or time.monotonic() > until:
                raise error
            time.sleep(pause(answer))

    def upload(self, upload: Mapping[str, Any], picture: bytes) -> None:
        """Send the picture where the API said, with the headers it said."""
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


def problem(call: str, answer: requests.Response) -> ApiError:
    """The refusal as an error with the problem's code and words."""
    try:
        body = answer.json()
    except requests.JSONDecodeError:
        body = {}
    detail = body.get("detail") or body.get("title") or answer.text[:200]
    if body.get("errors"):
        detail = f"{detail} {body['errors']}"
    return ApiError(call, answer.status_code, body.get("code", ""), detail)


def pause(answer: requests.Response) -> float:
    """Seconds to wait before the next try."""
    try:
        return min(max(float(answer.headers.get("Retry-After", 1)), 0.2), MOST_PAUSE_SECONDS)
    except ValueError:
        return 1.0
