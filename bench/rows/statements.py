"""W4: statements that write to the graph for one post, from the photo's request to delivered."""

import io
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from PIL import Image

from api.services import photos, posts
from bench.peers.bare_driver import BareDriver
from bench.rows.row import Check, Row, Sides
from bench.stage.measurement import Measurement
from bench.stage.proof import count_wrong_lists
from bench.stage.run_context import RunContext
from bench.stage.stage import Stage, stage_of
from graph.events import Event
from graph.queries import Query
from storage.limits import Policy
from workers import outbox

PUT_SECONDS = 10
DAILY = (
    Policy(name="bench-photos", quota=10**9, window_seconds=60),
    Policy(name="bench-bytes", quota=10**15, window_seconds=60),
)
"""No limit of a day."""
EVENTS_OF = """
MATCH (event:Event) WHERE event.author_id = $author_id
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event
"""


class _Posts:
    """Posts, each of a new photo, by the API's services and our workers' jobs."""

    def __init__(self, stage: Stage, driver: BareDriver) -> None:
        self._stage = stage
        self._driver = driver
        self._author = stage.town.small_authors[0]
        self._author_id = stage.town.user_id(self._author)
        self.delivered = 0
        self.names = ""
        """The statements of the last post."""

    def ours(self) -> Measurement:
        """Statements that write, of one post."""
        with _counted_writes(self._stage) as names:
            self._publish(self._photo())
            self._drain()
        self.delivered += 1
        self.names = ", ".join(names)
        return Measurement(value=len(names))

    def check(self) -> Check:
        """Every post is in its author's followers' lists, and no event is left."""
        wrong = count_wrong_lists(self._stage, self._stage.town.followers(self._author))
        return Check(
            what="posts in every follower's list once, no event left",
            count=self.delivered,
            passed=not wrong and not self._events(),
        )

    def _photo(self) -> int:
        graph, storage = self._stage.graph, self._stage.storage
        picture = io.BytesIO()
        Image.new("RGB", (64, 64), (200, 80, 40)).save(picture, "JPEG")
        data = picture.getvalue()
        created = photos.create(
            graph,
            storage,
            owner_id=self._author_id,
            content_type="image/jpeg",
            size_bytes=len(data),
            checksum_sha256=None,
            alt_text=None,
            key=secrets.token_hex(8),
            daily=DAILY,
        )
        if created.upload is None:
            raise RuntimeError(f"photo {created.photo.id} has no upload")
        answer = requests.put(
            created.upload.url, data=data, headers=created.upload.headers, timeout=PUT_SECONDS
        )
        answer.raise_for_status()
        photos.complete(
            graph, storage, photos.new_completions(), created.photo.id, owner_id=self._author_id
        )
        self._drain()
        return created.photo.id

    def _publish(self, photo_id: int) -> None:
        draft = posts.Draft(photo_ids=(photo_id,), caption="", location=None)
        published = posts.publish(
            self._stage.graph,
            self._stage.storage,
            draft,
            author_id=self._author_id,
            key=secrets.token_hex(8),
        )
        self._stage.note_posts(self._author, [published.post_id])

    def _drain(self) -> None:
        for event in self._events():
            outbox.drain(self._stage.graph, self._stage.storage, event.queue, event.shard)

    def _events(self) -> list[Event]:
        """The author's events that are not done."""
        rows = self._driver.run(EVENTS_OF, author_id=self._author_id)
        return [Event(**row["event"]) for row in rows]


@contextmanager
def _counted_writes(stage: Stage) -> Iterator[list[str]]:
    """The names of the statements that this process sends as writes in the block."""
    connection, names = stage.graph.connection, list[str]()
    send = connection.write

    def write(query: Query, **parameters: Any) -> list[dict[str, Any]]:
        names.append(query.name)
        return send(query, **parameters)

    vars(connection)["write"] = write
    try:
        yield names
    finally:
        del vars(connection)["write"]


@contextmanager
def _posts(run: RunContext) -> Iterator[Sides]:
    stage = stage_of(run)
    stage.stop_processes()  # or a worker would claim the events
    with BareDriver(stage) as driver:
        ours = _Posts(stage, driver)
        yield Sides(
            ours=ours.ours,
            against=lambda: Measurement(value=1.0),
            check=ours.check,
            context=lambda: {"statements": ours.names},
            sizes={"users": stage.town.users},
        )


ROWS = (
    Row(
        id="W4",
        title="graph writes from a photo's request to the delivered post : one post",
        unit="statements",
        target=7.0,
        better="lower",
        open=_posts,
    ),
)
