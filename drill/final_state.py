"""Records the final state for the check: every feed, every timeline in Redis, and every log."""

import re
import time
from collections.abc import Iterable
from http import HTTPStatus

from drill.history import History
from drill.load.connection import ApiConnection
from drill.load.reader import LARGEST_LIMIT, Reader
from drill.load.shared_state import DrillUser, SharedState
from drill.settling import SESSION
from drill.stage.stage import DrillStage
from storage.timeline_layout import timeline_key

FOLLOWING_SECONDS = 60.0
FOLLOWING_RETRY_SECONDS = 0.5
BUILD_SECONDS = 10.0
"""How long timelines may take to be built after a read has requested them."""
WALK_LIMITS = (37, LARGEST_LIMIT)
"""The page size of each of the two walks."""
AUTH_TOKEN = re.compile(r"pf_[A-Za-z0-9_-]{40,}")
TRACEBACK = re.compile(re.escape("Traceback (most recent call last)"))
CHARACTERS_BEFORE, CHARACTERS_AFTER = 400, 1_500
"""How much of the log is recorded around the start of a traceback."""
MAX_TRACEBACKS = 5
SHOWN_CHARACTERS = 8
"""How much of a leaked secret is recorded."""


def record_feeds(stage: DrillStage, state: SharedState, *, cap: int, slack: int) -> None:
    """Record the followees, two walks at each API process, and the timeline of every user.

    The first walk reads each timeline as it is; timelines that are missing are built after it.
    """
    connections = [ApiConnection(url) for url in state.api_urls]
    for user in state.users:
        _record_followees(state.history, connections[0], user)
    reader = Reader(state.history, connections, state.rng("ending"), state.stop)
    _walk_all(reader, state.users, connections, number=1)
    _await_timelines(stage, state.users)
    _walk_all(reader, state.users, connections, number=2)
    for user in state.users:
        _record_timeline(stage, state.history, user.id, longest=cap + slack)
    for connection in connections:
        connection.close()


def record_logs(stage: DrillStage, history: History, secrets: Iterable[str]) -> None:
    """Record lines that no log may have: tracebacks, auth tokens, secrets."""
    secrets = {secret for secret in secrets if secret}
    for process, text in stage.logs().items():
        number = history.invoke(SESSION, "log", process=process)
        tracebacks = [
            text[max(0, match.start() - CHARACTERS_BEFORE) : match.start() + CHARACTERS_AFTER]
            for match in TRACEBACK.finditer(text)
        ]
        leaked = [secret for secret in secrets if secret in text] + AUTH_TOKEN.findall(text)
        history.end(
            number,
            "ok",
            traceback=tracebacks[:MAX_TRACEBACKS],
            secret=[secret[:SHOWN_CHARACTERS] for secret in leaked],
            count=len(tracebacks),
        )


def _record_followees(history: History, connection: ApiConnection, user: DrillUser) -> None:
    """Record the user's followees; tries again for FOLLOWING_SECONDS."""
    end = time.monotonic() + FOLLOWING_SECONDS
    while True:
        number = history.invoke(SESSION, "following", viewer=user.id)
        path = f"/v1/me/following?limit={LARGEST_LIMIT}"
        response = connection.request("GET", path, token=user.watching_token)
        ok = response.status == HTTPStatus.OK
        ids = [int(followee["id"]) for followee in response.body.get("users", [])]
        history.end(number, "ok" if ok else "fail", **response.facts, ids=ids)
        if ok or time.monotonic() > end:
            return
        time.sleep(FOLLOWING_RETRY_SECONDS)


def _walk_all(
    reader: Reader,
    users: Iterable[DrillUser],
    connections: Iterable[ApiConnection],
    *,
    number: int,
) -> None:
    """Walk every feed at every API process; `number` is that of the walk, from 1."""
    for user in users:
        for connection in connections:
            reader.walk(
                user.id,
                user.watching_token,
                SESSION,
                limit=WALK_LIMITS[number - 1],
                connection=connection,
                final=number,
            )


def _await_timelines(stage: DrillStage, users: Iterable[DrillUser]) -> None:
    """Wait for the builds that the first walk requested. Without them walk 2 reads the graph."""
    end = time.monotonic() + BUILD_SECONDS
    for user in users:
        while not stage.storage.timelines.entries(user.id) and time.monotonic() < end:
            time.sleep(0.05)


def _record_timeline(stage: DrillStage, history: History, viewer: int, *, longest: int) -> None:
    number = history.invoke(SESSION, "list", viewer=viewer)
    entries = stage.storage.timelines.entries(viewer)
    ttl = stage.storage.cache.client.ttl(timeline_key(viewer))
    history.end(number, "ok", entries=entries, ttl=ttl, longest=longest)
