"""One HTTP request, and what is known of it afterwards: nothing is sent twice behind its back."""

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from drill.history import Phase

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 8.0
"""A process that stands still costs a client so much; then it asks another one."""

NOT_SENT = "not-sent"
"""The connection was refused: the request surely did nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status 0: none came, and `error` says why."""

    status: int
    error: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    retry_after: bool = False
    degraded: str = ""
    replayed: bool = False

    @property
    def phase(self) -> Phase:
        """What this says of a write: done, surely not done, or nobody knows."""
        if 200 <= self.status < 300:
            return "ok"
        if self.error == NOT_SENT or 400 <= self.status < 500:
            return "fail"
        return "info"

    @property
    def code(self) -> str:
        """The problem's code, if it is one."""
        return str(self.body.get("code", ""))

    @property
    def facts(self) -> dict[str, Any]:
        """What the history keeps of any answer."""
        facts: dict[str, Any] = {"status": self.status}
        if self.error:
            facts["error"] = self.error
        if self.code:
            facts["code"] = self.code
        if self.status == 503:
            facts["retry_after"] = self.retry_after
        if self.degraded:
            facts["degraded"] = self.degraded
        return facts


class Door:
    """One API process, by one connection at a time that is opened anew after every mishap."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._open: http.client.HTTPConnection | None = None

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """What came of the request; raises nothing."""
        sent = {"Accept": "application/json", **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        try:
            connection = self._connected()
        except OSError as error:
            return Answer(status=0, error=NOT_SENT, body={"why": type(error).__name__})
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            text = response.read()
            parsed = json.loads(text) if text else {}
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            return Answer(status=0, error=type(error).__name__)
        if response.will_close:
            self.close()
        return Answer(
            status=response.status,
            body=parsed,
            retry_after=response.getheader("Retry-After") is not None,
            degraded=response.getheader("Photofeed-Degraded") or "",
            replayed=response.getheader("Idempotency-Replayed") == "true",
        )

    def close(self) -> None:
        if self._open:
            self._open.close()
            self._open = None

    def _connected(self) -> http.client.HTTPConnection:
        if self._open is None:
            made = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
            made.connect()
            made.sock.settimeout(ANSWER_SECONDS)
            self._open = made
        return self._open
