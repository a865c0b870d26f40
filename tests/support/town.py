"""Creates users, follows, posts and events for tests directly in the graph, and lets time pass.

Each test creates its own users and checks nothing of other users.
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from neo4j import Transaction

from graph import Graph
from graph.event_kinds import KINDS
from graph.events import Event
from graph.ids import new_id
from graph.photos import Photo
from graph.queries import Query
from graph.users import User

EVENT = (
    "event {.id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id}"
)
"""An event as a row has it."""


@dataclass(frozen=True, slots=True)
class Town:
    """Builders for what a test needs around the fact under test."""

    graph: Graph
    user_ids: list[int] = field(default_factory=list)
    """The users that this town has created."""

    def query(self, text: str, **parameters: Any) -> list[dict[str, Any]]:
        """Run a test's own statement; its rows."""
        return self.graph.connection.write(statement(text), **parameters)

    def user(self, name: str = "Somebody") -> int:
        return self.create_user(name).id

    def create_user(self, name: str = "Somebody", *, username: str = "") -> User:
        user = self.graph.users.create(
            user_id=new_id(),
            username=username or f"u{secrets.token_hex(8)}",
            name=name,
            password_hash="x",
        )
        self.user_ids.append(user.id)
        return user

    def users(self, count: int) -> list[int]:
        """Create many users in one statement; their ids ascend."""
        user_ids = [new_id() for _ in range(count)]
        self.query(
            "UNWIND $ids AS id CREATE (:User {id: id, username: 'u' + id, username_ci: 'u' + id,"
            " name: 'Somebody', state: 'active', password_hash: 'x', created_at: timestamp(),"
            " read_position: 0, notification_position: 0})",
            ids=user_ids,
        )
        self.user_ids.extend(user_ids)
        return user_ids

    def forget_events(self) -> None:
        """Delete the events of this town's users, so that no later sweeper works on them."""
        self.query("MATCH (e:Event) WHERE e.author_id IN $ids DETACH DELETE e", ids=self.user_ids)

    def put_off_all(self) -> None:
        """Make all events, of other tests too, due in an hour: no worker claims them now."""
        self.query(
            "MATCH (e:Event) WHERE e.due_at < timestamp() + 3600000"
            " SET e.due_at = timestamp() + 3600000"
        )

    def old_sessions(self, user_id: int, count: int) -> list[int]:
        """Create sessions as older versions allowed: any number; ids and times ascend.

        They are newer than those of before the call, and older than those of after it.
        """
        span_ms = min(count, 1_000)
        time.sleep(span_ms / 1_000)
        session_ids = [new_id() for _ in range(count)]
        for start in range(0, count, 10_000):
            self.query(
                "UNWIND range(0, size($ids) - 1) AS at CREATE (:Session {id: $ids[at],"
                " user_id: $user, secret_sha256: $sha,"
                " created_at: $until - $span + ($start + at) * $span / $count,"
                " expires_at: timestamp() + 86400000})",
                ids=session_ids[start : start + 10_000],
                until=time.time_ns() // 1_000_000,
                span=span_ms,
                start=start,
                count=count,
                user=user_id,
                sha="5e" * 32,
            )
        return session_ids

    def follow(self, follower_id: int, followee_id: int) -> Event | None:
        """Create a follow and its event; no job has been enqueued for it."""
        return self.graph.follows.create(follower_id=follower_id, followee_id=followee_id).event

    def unfollow(self, follower_id: int, followee_id: int) -> Event | None:
        ended = self.graph.follows.delete(follower_id=follower_id, followee_id=followee_id)
        return ended.event if ended else None

    def block(self, blocker_id: int, blocked_id: int) -> Event | None:
        return self.graph.blocks.create(blocker_id=blocker_id, blocked_id=blocked_id).event

    def add_followees(self, follower_id: int, *followee_ids: int) -> None:
        """Create old follows: they have no event, and no timeline is dropped."""
        self.query(
            "MATCH (a:User {id: $a}) UNWIND $bs AS id MATCH (b:User {id: id})"
            " CREATE (a)-[:FOLLOWS {follower_id: $a, followee_id: id, created_at: 0}]->(b)",
            a=follower_id,
            bs=list(followee_ids),
        )

    def add_followers(self, followee_id: int, follower_ids: Sequence[int]) -> None:
        """Create old follows of one user by many others."""
        self.query(
            "MATCH (b:User {id: $b}) UNWIND $as AS id MATCH (a:User {id: id})"
            " CREATE (a)-[:FOLLOWS {follower_id: id, followee_id: $b, created_at: 0}]->(b)",
            b=followee_id,
            **{"as": list(follower_ids)},
        )

    def followed_at(self, at_ms: int, followee_id: int, *follower_ids: int) -> list[int]:
        """Create follows of an earlier time with their notifications, but without events.

        Returns the ids of the notifications. They ascend and are of the hour that begins then.
        """
        first_ms = at_ms + secrets.randbelow(3_000_000)  # no other test has these ids
        notification_ids = [new_id(first_ms + n) for n in range(len(follower_ids))]
        self.query(
            "MATCH (b:User {id: $b}) UNWIND $pairs AS pair MATCH (a:User {id: pair[0]})"
            " CREATE (a)-[:FOLLOWS {follower_id: a.id, followee_id: $b, created_at: $at}]->(b)"
            " CREATE (:Notification {id: pair[1], user_id: $b, kind: 'followed', actor_id: a.id,"
            " subject_id: $b, day: $at / 86400000, created_at: $at})",
            b=followee_id,
            pairs=[list(pair) for pair in zip(follower_ids, notification_ids, strict=True)],
            at=at_ms,
        )
        return notification_ids

    def notifications_of(self, user_id: int) -> list[dict[str, Any]]:
        """The properties of all of the user's notifications, by id."""
        rows = self.query(
            "MATCH (n:Notification) WHERE n.user_id = $id RETURN n {.*} AS n ORDER BY n.id",
            id=user_id,
        )
        return [row["n"] for row in rows]

    def waiting_photo(self, owner_id: int, **changes: Any) -> Photo:
        """Create a photo that waits for its upload."""
        fields: dict[str, Any] = {
            "photo_id": new_id(),
            "path": secrets.token_urlsafe(16),
            "content_type": "image/jpeg",
            "size_bytes": 1000,
            "checksum_sha256": None,
            "alt_text": None,
            "expires_at": datetime.now(UTC) + timedelta(hours=1),
            "key": None,
            "fingerprint": None,
        }
        return self.graph.photos.create(owner_id=owner_id, **fields | changes)

    def photo(self, owner_id: int) -> int:
        """Create a photo in the state `ready`."""
        return self.photos(owner_id, 1)[0]

    def photos(self, owner_id: int, count: int) -> list[int]:
        """Create photos in the state `ready` in one statement. There is no object in S3."""
        photo_ids = [new_id() for _ in range(count)]
        self.query(
            "UNWIND $ids AS id CREATE (:Photo {id: id, owner_id: $owner, path: 'test-' + id,"
            " state: 'ready', content_type: 'image/jpeg', size_bytes: 1, width: 64, height: 64,"
            " blurhash: 'x', alt_text: null, expires_at: timestamp(),"
            " unposted_until: timestamp() + 86400000})",
            ids=photo_ids,
            owner=owner_id,
        )
        return photo_ids

    def end_photo_times(self, *photo_ids: int) -> None:
        """Let the times of these photos be over, those of their objects too, if they have any."""
        self.query(
            "MATCH (photo:Photo) WHERE photo.id IN $ids SET photo.unposted_until = CASE"
            " WHEN photo.unposted_until IS NOT NULL THEN timestamp() - 1 END, photo.objects_until ="
            " CASE WHEN photo.objects_until IS NOT NULL THEN timestamp() - 1 END",
            ids=list(photo_ids),
        )

    def photo_times(self, photo_id: int) -> dict[str, float] | None:
        """The hours from now until the photo's times, those that it has; None if it is deleted."""
        rows = self.query(
            "MATCH (photo:Photo {id: $id}) RETURN photo {.unposted_until, .objects_until} AS times,"
            " timestamp() AS now",
            id=photo_id,
        )
        return (
            {
                name: round((time - row["now"]) / 3_600_000, 1)
                for row in rows
                for name, time in row["times"].items()
                if time is not None
            }
            if rows
            else None
        )

    def post(self, author_id: int, **changes: Any) -> tuple[int, Event]:
        """Create a post and its event, for which no job has been enqueued."""
        event = self.create_post(author_id, **changes)
        return event.subject_id, event

    def create_post(self, author_id: int, **changes: Any) -> Event:
        """Create a post, by default of a new photo; its event."""
        fields: dict[str, Any] = {
            "post_id": new_id(),
            "caption": "",
            "location": None,
            "key": secrets.token_hex(8),
            "fingerprint": "",
        } | changes
        if "photo_ids" not in fields:
            fields["photo_ids"] = [self.photo(author_id)]
        return self.graph.posts.create(author_id=author_id, **fields).event

    def old_posts(self, author_id: int, post_ids: Sequence[int]) -> list[int]:
        """Create posts with these ids, of any age: each has a photo and no event."""
        photos = self.photos(author_id, len(post_ids))
        self.query(
            "MATCH (author:User {id: $author}) UNWIND $pairs AS pair"
            " MATCH (photo:Photo {id: pair[1]})"
            " CREATE (author)-[:POSTED]->(post:Post {id: pair[0], author_id: $author, caption: '',"
            " created_at: timestamp()})"
            " CREATE (post)-[:SHOWS {position: 0, photo_id: pair[1]}]->(photo)",
            author=author_id,
            pairs=[list(pair) for pair in zip(post_ids, photos, strict=True)],
        )
        return list(post_ids)

    def set_ready(self, photo_id: int, *, width: int = 640, height: int = 480) -> None:
        """Make a photo ready, as if a worker had processed it."""
        self.query(
            "MATCH (photo:Photo {id: $id}) SET photo.state = 'ready', photo.width = $width,"
            " photo.height = $height, photo.blurhash = 'LEHV6nWB2yk8',"
            " photo.unposted_until = timestamp() + 86400000",
            id=photo_id,
            width=width,
            height=height,
        )

    def event(
        self, kind: str, subject_id: int, author_id: int, *, attempts: int = 0, queue: str = ""
    ) -> Event:
        """Create an event that is due now, by default in the queue of its kind."""
        [row] = self.query(
            "CREATE (event:Event {id: $id, kind: $kind, queue: $queue, shard: $id % 16,"
            " subject_id: $subject, author_id: $author, cursor: $cursor, epoch: 0,"
            " attempts: $attempts, tried: $attempts > 0, due_at: timestamp(),"
            f" owed_at: timestamp()}}) RETURN {EVENT} AS event",
            id=new_id(),
            kind=kind,
            queue=queue or (KINDS[kind].queue if kind in KINDS else "fanout"),
            subject=subject_id,
            author=author_id,
            cursor=-2 if kind.startswith("post-published") else 0,
            attempts=attempts,
        )
        return Event(**row["event"])

    def events_of(self, *user_ids: int) -> list[Event]:
        """The events whose subject or author is one of these users, due or not."""
        rows = self.query(
            "MATCH (event:Event) WHERE event.subject_id IN $ids OR event.author_id IN $ids"
            f" RETURN {EVENT} AS event ORDER BY event.id",
            ids=list(user_ids),
        )
        return [Event(**row["event"]) for row in rows]

    def find_event(self, event_id: int) -> Event | None:
        rows = self.query(
            f"MATCH (event:Event {{id: $id}}) RETURN {EVENT} AS event",
            id=event_id,
        )
        return Event(**rows[0]["event"]) if rows else None

    def uncommitted_key(self, user_id: int, key: str) -> AbstractContextManager[Transaction]:
        """The transaction of another request that has created the idempotency key."""
        return self._uncommitted(
            "CREATE (:IdempotencyKey {user_id: $id, key: $key, fingerprint: 'f', result_id: 7,"
            " expires_at: timestamp() + 60000})",
            id=user_id,
            key=key,
        )

    def locked_photo(self, photo_id: int) -> AbstractContextManager[Transaction]:
        """The transaction of another request that has locked the photo."""
        return self._locked("Photo", photo_id)

    def locked(self, user_id: int) -> AbstractContextManager[Transaction]:
        """The transaction of another request that has locked the user."""
        return self._locked("User", user_id)

    def locked_post(self, post_id: int) -> AbstractContextManager[Transaction]:
        """The transaction of another request that has locked the post."""
        return self._locked("Post", post_id)

    def locked_session(self, session_id: int) -> AbstractContextManager[Transaction]:
        """The transaction of another request that has locked the session."""
        return self._locked("Session", session_id)

    def uncommitted_close(self, subject_id: int) -> AbstractContextManager[Transaction]:
        """The transaction of an operator that has closed the reports of a post or user."""
        return self._uncommitted(
            "MATCH (one:ReportedSubject {subject_id: $id}) SET one.locked = true REMOVE one.locked"
            " WITH one MATCH (report:Report {subject_id: $id})"
            " SET report.state = 'closed', report.closed_at = timestamp() DELETE one",
            id=subject_id,
        )

    def _locked(self, label: str, node_id: int) -> AbstractContextManager[Transaction]:
        return self._uncommitted(
            f"MATCH (one:{label} {{id: $id}}) SET one.locked = true REMOVE one.locked", id=node_id
        )

    @contextmanager
    def _uncommitted(self, text: str, **parameters: Any) -> Iterator[Transaction]:
        """A transaction that has run the statement, and is not committed."""
        connection = self.graph.connection
        with connection._driver.session(database=connection._database) as session:
            other = session.begin_transaction()
            other.run(text, parameters).consume()
            yield other

    def blocked_by_locks(self) -> int:
        """How many transactions wait for a lock."""
        return len(self.query("SHOW TRANSACTIONS YIELD status WHERE status STARTS WITH 'Blocked'"))

    def end_lease(self, event_id: int) -> None:
        """Make the event due now, as if its lease or delay had expired."""
        self.query(
            "MATCH (event:Event {id: $id}) SET event.due_at = timestamp()",
            id=event_id,
        )

    def end_hold(self, *user_ids: int) -> None:
        """Make these users' leavings a minute older, and their events due."""
        self.query(
            "MATCH (event:Event) WHERE event.kind IN ['left', 'blocked']"
            " AND (event.subject_id IN $ids OR event.author_id IN $ids)"
            " SET event.due_at = timestamp()",
            ids=list(user_ids),
        )
        self.query(
            "MATCH (user:User)-[leaving:LEFT]-() WHERE user.id IN $ids"
            " SET leaving.created_at = leaving.created_at - 60000",
            ids=list(user_ids),
        )

    def expected_feed(self, viewer_id: int) -> list[int]:
        """The ids of the viewer's feed as docs/promises.md defines it, newest first."""
        rows = self.query(
            "MATCH (viewer:User {id: $id}) OPTIONAL MATCH (viewer)-[:FOLLOWS]->(followee)"
            " WITH viewer, [f IN collect(followee) WHERE"
            " NOT (viewer)-[:BLOCKS]-(f)] + viewer AS authors"
            " UNWIND authors AS author MATCH (author)-[:POSTED]->(post)"
            " RETURN DISTINCT post.id AS id ORDER BY id DESC",
            id=viewer_id,
        )
        return [row["id"] for row in rows]


def statement(text: str) -> Query:
    """A query without a file."""
    return Query(
        name="test",
        summary="",
        text=text,
        parameters={},
        returns=(),
        index=(),
        sorts="",
        expands="",
    )
