"""A client of a live stream, like a page that stays open: it comes back whenever a stream ends.

The history records a stream as `stream` and each of its events as `event`.
"""

import http.client
import json
import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from drill.history import Phase
from drill.load.connection import CONNECT_SECONDS, NOT_SENT
from drill.load.shared_state import DrillUser, SharedState

SILENCE_SECONDS = 20.0
"""A stream that says nothing for so long is dead: a comment comes every 15 s."""
OPENING = "opening"
"""Recorded as the name of the first id of a stream, which is no event."""
PAUSE_SECONDS = (0.3, 1.5)
"""The shortest and the longest pause before the next stream."""


class StreamClient(threading.Thread):
    """Reads one stream after the other until `stop`."""

    def __init__(self, state: SharedState, user: DrillUser, *, lasting: bool) -> None:
        """`lasting`: with the session that is never signed out, else with that of the client."""
        super().__init__(name=f"stream-{user.name}", daemon=True)
        self._state = state
        self._user = user
        self._lasting = lasting
        self._rng = state.rng(self.name)
        self._stopping = threading.Event()
        self._socket: socket.socket | None = None
        self._last_id = ""

    def run(self) -> None:
        """Come back after each end, to a process that is drawn."""
        while not self._stopping.is_set():
            self._read_stream()
            self._stopping.wait(self._rng.uniform(*PAUSE_SECONDS))

    def stop(self) -> None:
        """End the stream."""
        self._stopping.set()
        if self._socket:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _read_stream(self) -> None:
        with self._state.lock:
            user = self._user
            session, token = (
                (user.watching_session, user.watching_token)
                if self._lasting
                else (user.session, user.token)
            )
        number = self._state.history.invoke(
            session,
            "stream",
            viewer=user.id,
            token=session,
            last_id=self._last_id,
        )
        phase, facts = self._attempt(number, session, token)
        self._state.history.end(number, phase, **facts)

    def _attempt(self, number: int, session: str, token: str) -> tuple[Phase, dict[str, Any]]:
        url = urlsplit(self._rng.choice(self._state.api_urls))
        connection = http.client.HTTPConnection(
            url.hostname or "", url.port, timeout=CONNECT_SECONDS
        )
        headers = {"Authorization": f"Bearer {token}"}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        try:
            connection.connect()
        except OSError:
            return "fail", {"status": 0, "error": NOT_SENT}
        self._socket = connection.sock
        self._socket.settimeout(SILENCE_SECONDS)
        try:
            connection.request("GET", "/v1/live", headers=headers)
            response = connection.getresponse()
            if response.status != HTTPStatus.OK:
                return "fail", _refusal_facts(response)
            return "ok", {"status": 200, "why": self._read_events(response, number, session)}
        except (OSError, http.client.HTTPException, ValueError) as error:
            return "info", {"status": 0, "error": type(error).__name__}
        finally:
            self._socket = None
            connection.close()

    def _read_events(self, response: http.client.HTTPResponse, number: int, session: str) -> str:
        """Record events until the stream ends; returns how it ended."""
        fields: dict[str, str] = {}
        name = ""
        try:
            while line := response.readline():
                text = line.decode().rstrip("\n")
                if text:
                    key, _, value = text.partition(": ")
                    fields[key] = value
                    continue
                name = fields.get("event", name)
                self._dispatch(fields, number, session)
                fields = {}
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        return name or "ended"

    def _dispatch(self, fields: dict[str, str], number: int, session: str) -> None:
        """Record an event, or the opening of a stream, which has an id alone."""
        if "id" not in fields:
            return
        self._last_id = fields["id"]
        history = self._state.history
        event = history.invoke(
            session,
            "event",
            viewer=self._user.id,
            stream=number,
            name=fields.get("event", OPENING),
            last_id=self._last_id,
            data=json.loads(fields.get("data", "{}")),
        )
        history.end(event, "ok")


def _refusal_facts(response: http.client.HTTPResponse) -> dict[str, Any]:
    problem = json.loads(response.read() or b"{}")
    return {
        "status": response.status,
        "code": problem.get("code", ""),
        "retry_after": response.getheader("Retry-After") is not None,
    }
