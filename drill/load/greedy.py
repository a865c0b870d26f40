"""Greedy accounts: users who ask for more than their share, beside those of the drill.

What they do is not in the history, and nobody of the drill depends on it. `ACTS` has an act a case
of docs/promises.md; a further act is a class there. They need the quotas of production
(`LIMITS_SCALE=1`), or nothing bounds them.
"""

import random
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from drill.history import History
from drill.load.connection import ApiConnection, Response
from drill.load.errors import NotAcknowledgedError
from drill.load.population import create_user, until_acknowledged
from drill.load.shared_state import DrillUser, SharedState
from graph import Graph
from graph.ids import RANDOM_BITS, new_id
from graph.queries import Query
from storage import Storage

FOLLOWEES, POSTS = 3_000, 10
"""Of the user who reads below the timeline; each of these has as many posts."""
THREADS = 4
"""Of each act."""
PAUSE_SECONDS = 0.1
"""Between two requests of a thread. The clients of the drill share its process and its machine."""
POST_SECONDS = 0.2
"""From one post to the next, over all of these authors in turn."""
BATCH = 200
FIRST_PAGE = "/v1/me/feed?limit=100"
"""More posts than a timeline of the drill has."""

CREATE_AUTHORS = Query(
    name="drill/create_authors",
    summary="creates users with posts without photos, and one user's follows of them.",
    text=(
        "MATCH (reader:User) WHERE reader.id = $reader_id UNWIND $authors AS one"
        " CREATE (author:User {id: one.id, username: 'greedy' + one.id,"
        " username_ci: 'greedy' + one.id, name: 'Somebody', state: 'active', password_hash: '-',"
        " created_at: timestamp(), read_position: 0, notification_position: 0})"
        " CREATE (reader)-[:FOLLOWS {follower_id: $reader_id, followee_id: one.id,"
        " created_at: 0}]->(author)"
        " FOREACH (post_id IN one.post_ids | CREATE (author)-[:POSTED]->(:Post {id: post_id,"
        " author_id: one.id, caption: '', created_at: timestamp()}))"
    ),
    parameters={"reader_id": "integer", "authors": "list of maps"},
    returns=(),
    index=(),
    sorts="",
    expands="",
)


class Act(ABC):
    """What one greedy account does, again and again, in a few threads."""

    name: str

    @abstractmethod
    def prepare(self, lane: "GreedyLane") -> None:
        """Create the account and what it needs."""

    @abstractmethod
    def once(self, connection: ApiConnection, number: int) -> Response:
        """One request; `number` counts those of a thread."""


class ReadBelowTimeline(Act):
    """Reads a page below the timeline of somebody who follows thousands (case 46)."""

    name = "46 pages below the timeline"

    def prepare(self, lane: "GreedyLane") -> None:
        """Create the reader, the followees and their posts, and find the page's cursor."""
        self._reader = lane.create_user("greedy")
        lane.create_followees(self._reader)
        connection = ApiConnection(lane.state.api_urls[0])

        def read() -> Response:
            response = connection.request("GET", FIRST_PAGE, token=self._reader.token)
            if response.phase != "ok":
                raise NotAcknowledgedError(response)
            return response

        self._cursor = until_acknowledged(read).body["next"]
        connection.close()

    def once(self, connection: ApiConnection, number: int) -> Response:
        """A page that the timeline cannot have: it begins below its cap."""
        del number
        path = f"/v1/me/feed?limit=20&cursor={self._cursor}"
        return connection.request("GET", path, token=self._reader.token)


class EndFollow(Act):
    """Removes one follower, and blocks and unblocks them, again and again (case 53)."""

    name = "53 ends a follow again and again"

    def prepare(self, lane: "GreedyLane") -> None:
        """Create the followee and the follower."""
        self._followee = lane.create_user("followee")
        self.follower = lane.create_user("follower")
        connection = ApiConnection(lane.state.api_urls[0])
        path = f"/v1/me/following/{self._followee.id}"

        def follow() -> None:
            response = connection.request("PUT", path, token=self.follower.token)
            if response.phase != "ok":
                raise NotAcknowledgedError(response)

        until_acknowledged(follow)
        connection.close()

    def read_as_follower(self, url: str) -> None:
        """Read the follower's feed."""
        connection = ApiConnection(url)
        connection.request("GET", "/v1/me/feed", token=self.follower.token)
        connection.close()

    def once(self, connection: ApiConnection, number: int) -> Response:
        """In turns: remove the follower, block them, unblock them, and the follower reads."""
        block = f"/v1/me/blocks/{self.follower.id}"
        method, path = (
            ("DELETE", f"/v1/me/followers/{self.follower.id}"),
            ("PUT", block),
            ("DELETE", block),
            ("GET", "/v1/me/feed"),
        )[number % 4]
        who = self.follower if method == "GET" else self._followee
        return connection.request(method, path, token=who.token)


ACTS: Sequence[type[Act]] = (ReadBelowTimeline, EndFollow)


class GreedyLane:
    """The greedy accounts of a drill. They act between `begin` and `pause`, until `close`."""

    def __init__(self, state: SharedState, graph: Graph) -> None:
        self.state = state
        self.answers: Counter[str] = Counter()
        """Requests by act and status."""
        self.acts = [act() for act in ACTS]
        self._graph = graph
        self._active, self._closed = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def prepare(self) -> None:
        """Create the accounts. To be called before any fault."""
        for act in self.acts:
            act.prepare(self)
            self._threads += [
                threading.Thread(target=self._run, args=(act, number), daemon=True)
                for number in range(THREADS)
            ]
        for thread in self._threads:
            thread.start()

    def begin(self) -> None:
        """Let the accounts act."""
        self._active.set()

    def pause(self) -> None:
        """Let no further request begin."""
        self._active.clear()

    def close(self) -> None:
        """End the threads."""
        self._closed.set()
        self._active.set()
        for thread in self._threads:
            thread.join(30)

    def has_lost_timeline(self, storage: Storage) -> bool:
        """Whether the one whose follow was ended again and again has no timeline."""
        followers = [act.follower.id for act in self.acts if isinstance(act, EndFollow)]
        return not all(storage.timelines.entries(follower) for follower in followers)

    def read_as_follower(self) -> None:
        """Read that user's feed, which schedules the rebuild of a missing timeline."""
        for act in self.acts:
            if isinstance(act, EndFollow):
                act.read_as_follower(self.state.api_urls[0])

    def create_user(self, label: str) -> DrillUser:
        """A user of the lane, whom no client of the drill acts as."""
        connection = ApiConnection(self.state.api_urls[0])
        user = create_user(connection, label, self.state.seed)
        connection.close()
        return user

    def create_followees(self, reader: DrillUser) -> None:
        """Create FOLLOWEES users with POSTS posts each, whom the reader follows."""
        newest = new_id()
        for first in range(0, FOLLOWEES, BATCH):
            authors = [_author(newest, number) for number in range(first, first + BATCH)]
            self._graph.connection.write(CREATE_AUTHORS, reader_id=reader.id, authors=authors)

    def _run(self, act: Act, thread: int) -> None:
        """Act while the lane is active."""
        connection = ApiConnection(self.state.api_urls[thread % len(self.state.api_urls)])
        number = thread
        rng = random.Random(thread)
        while self._active.wait() and not self._closed.is_set():
            response = act.once(connection, number)
            with self._lock:
                self.answers[f"{act.name}: {_status(response)}"] += 1
            number += 1
            self._closed.wait(PAUSE_SECONDS * (0.5 + rng.random()))
        connection.close()


def _author(newest: int, number: int) -> dict[str, Any]:
    """An author with posts below the newest id, all ids of their own."""
    step = round(POST_SECONDS * 1000) << RANDOM_BITS
    ages = [number + round_ * FOLLOWEES for round_ in range(POSTS)]
    return {"id": new_id(), "post_ids": [newest - age * step for age in ages]}


def record_answers(history: History, lane: GreedyLane) -> None:
    """Record what the accounts were answered, for the report."""
    number = history.invoke("greedy", "greedy", answers=dict(lane.answers))
    history.end(number, "ok")


def _status(response: Response) -> str:
    return HTTPStatus(response.status).phrase if response.status else response.error
