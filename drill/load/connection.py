"""HTTP requests to one API process, without hidden retries: each request is sent at most once."""

import http.client
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from drill.history import Phase
from drill.http_status import is_client_error, is_success

CONNECT_SECONDS = 2.0
RESPONSE_SECONDS = 8.0
"""How long a client waits for a frozen process before it tries another one."""

NOT_SENT = "not-sent"
"""The error of a request whose connection was refused: it certainly had no effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response of the API. With status 0 none came, and `error` has the reason."""

    status: int
    error: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    retry_after: bool = False
    degraded: str = ""
    replayed: bool = False

    @property
    def phase(self) -> Phase:
        """The end of a write with this response: took effect, had no effect, or unknown."""
        if is_success(self.status):
            return "ok"
        if self.error == NOT_SENT or is_client_error(self.status):
            return "fail"
        return "info"

    @property
    def code(self) -> str:
        """The code of the problem document, or ""."""
        return str(self.body.get("code", ""))

    @property
    def facts(self) -> dict[str, Any]:
        """What the history records of every response."""
        facts: dict[str, Any] = {"status": self.status}
        if self.error:
            facts["error"] = self.error
        if self.code:
            facts["code"] = self.code
        if self.status == HTTPStatus.SERVICE_UNAVAILABLE:
            facts["retry_after"] = self.retry_after
        if self.degraded:
            facts["degraded"] = self.degraded
        return facts


class ApiConnection:
    """A keep-alive connection to one API process, opened again after an error. One thread."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._open: http.client.HTTPConnection | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        """Send a request; returns its response. Network errors become a Response too."""
        all_headers = {"Accept": "application/json", **(headers or {})}
        if token:
            all_headers["Authorization"] = f"Bearer {token}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            all_headers["Content-Type"] = "application/json"
        try:
            connection = self._connect()
        except OSError as error:
            return Response(status=0, error=NOT_SENT, body={"why": type(error).__name__})
        try:
            connection.request(method, path, data, all_headers)
            return self._read(connection.getresponse())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            return Response(status=0, error=type(error).__name__)

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._open:
            self._open.close()
            self._open = None

    def _read(self, response: http.client.HTTPResponse) -> Response:
        text = response.read()
        body = json.loads(text) if text else {}
        if response.will_close:
            self.close()
        return Response(
            status=response.status,
            body=body,
            retry_after=response.getheader("Retry-After") is not None,
            degraded=response.getheader("Photofeed-Degraded") or "",
            replayed=response.getheader("Idempotency-Replayed") == "true",
        )

    def _connect(self) -> http.client.HTTPConnection:
        if self._open is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
            connection.connect()
            connection.sock.settimeout(RESPONSE_SECONDS)
            self._open = connection
        return self._open
