"""Neo4j killed, paused, or with a full disk (cases 32 and 36).

Cached feeds are served and marked; writes are 503 at once.
"""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.support.eventually import B_SECONDS, eventually
from tests.support.people import Person
from tests.system.outages.stage import (
    OutageStage,
    Responses,
    publishing,
    reading,
    with_retries,
)

SILENCE_SECONDS = 8.0
"""How long a silent graph may hold a thread: 6 s (docs/waits.md), and a margin for a machine of two
cores. Without the keep-alives of the graph it would be 13 s."""

AT_ONCE_SECONDS = 1.0
READ_SECONDS = 3.0
OBSERVED_SECONDS = 4.0
"""How long the writers are observed after every process has noticed the outage."""

RECOVERY_SECONDS = 240.0
"""Neo4j restarts in 10 s. On a busy machine it is slow for a minute after that."""

LEFT_BYTES = 4_000
"""Free space for one more post, or a part of it."""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def author(stage: OutageStage) -> Person:
    author = stage.sign_up("author")
    for _ in range(3):
        with_retries(lambda: stage.town.post(author.id))
    return author


def all_marked(responses: Responses, mark: str) -> bool:
    """Whether the last twenty responses have this mark. They come from both API processes."""
    return len(responses.marks) > 20 and set(responses.marks[-20:]) == {mark}


def assert_each_key_has_one_whole_post(
    stage: OutageStage, author: Person, posts: dict[str, set[int]]
) -> None:
    """Asserts that each key has one post, with its author, its photo and its key."""
    rows = with_retries(
        lambda: stage.town.query(
            "MATCH (post:Post) WHERE post.author_id = $author AND post.caption IN $keys "
            "OPTIONAL MATCH (key:IdempotencyKey) "
            "WHERE key.user_id = $author AND key.result_id = post.id "
            "RETURN post.id AS id, post.caption AS caption, key.key AS key, "
            "COUNT { (post)<-[:POSTED]-() } AS authors, COUNT { (post)-[:SHOWS]->() } AS photos",
            author=author.id,
            keys=list(posts),
        )
    )
    assert {(row["caption"], row["id"]) for row in rows} == {
        (key, post_id) for key, ids in posts.items() for post_id in ids
    }
    assert len(rows) == len(posts)
    assert all(row["key"] == row["caption"] for row in rows)
    assert {(row["authors"], row["photos"]) for row in rows} == {(1, 1)}


def assert_all_is_delivered(stage: OutageStage, author: Person, reader: Person) -> None:
    """Asserts that both feeds are right, before and after the workers have done their work."""
    expected = with_retries(lambda: stage.town.expected_feed(reader.id))
    eventually(lambda: reader.feed() == expected, seconds=RECOVERY_SECONDS)
    eventually(lambda: stage.town.events_of(author.id) == [], seconds=B_SECONDS)
    assert reader.feed() == expected
    assert author.feed() == expected


# Case 32
def test_a_killed_graph_costs_writers_a_retry_and_readers_of_cached_feeds_nothing(
    stage: OutageStage, author: Person
) -> None:
    reader = stage.reader_of(author)
    expected, api_pid = reader.feed(), stage.pid("api")
    posts: dict[str, set[int]] = {}
    photo_ids = stage.photos(author, 1)
    with reading(reader, expected) as reads, publishing(author, photo_ids, posts) as writes:
        stage.kill("neo4j")
        # From the moment of the retry that succeeds, reads may show the new post.
        eventually(lambda: 503 in writes.statuses)
        # A busy machine may read fewer than twenty pages before the graph is back.
        eventually(lambda: all_marked(reads, "graph") or posts)
        eventually(lambda: posts, seconds=RECOVERY_SECONDS)
    assert "graph" in reads.marks
    assert set(reads.statuses) == {200}
    assert max(reads.seconds) < READ_SECONDS
    assert not [wrong for wrong in reads.wrong if str(next(iter(*posts.values()))) not in wrong]
    assert writes.wrong == []
    refused = [
        seconds
        for seconds, status in zip(writes.seconds, writes.statuses, strict=True)
        if status == 503
    ]
    # The last requests may reach a graph that has only just been started.
    assert sorted(refused)[len(refused) * 9 // 10] < AT_ONCE_SECONDS
    assert_each_key_has_one_whole_post(stage, author, posts)
    assert_all_is_delivered(stage, author, reader)
    assert reader.get("/v1/me/feed").headers.get("Photofeed-Degraded") is None
    assert stage.pid("api") == api_pid
    assert "Traceback" not in stage.log("api")


# Case 32
def test_a_paused_graph_delays_writers_for_seconds_and_readers_hardly(
    stage: OutageStage, author: Person
) -> None:
    reader = stage.reader_of(author)
    expected, api_pid = reader.feed(), stage.pid("api")
    posts: dict[str, set[int]] = {}
    photo_ids = stage.photos(author, 6)
    with (
        reading(reader, expected) as reads,
        stage.paused("neo4j"),
        publishing(author, photo_ids[:3], posts) as one,
        publishing(author, photo_ids[3:], posts) as other,
    ):
        # Both writers may reach the same process first; the other one notices later.
        eventually(lambda: all_marked(reads, "graph"), seconds=2 * SILENCE_SECONDS)
        noticed_at = time.monotonic()
        before = len(one.seconds), len(other.seconds)
        eventually(lambda: time.monotonic() - noticed_at > OBSERVED_SECONDS)
        late = [*one.seconds[before[0] :], *other.seconds[before[1] :]]
        wrong_reads = list(reads.wrong)
        statuses = {*one.statuses, *other.statuses}
    eventually(lambda: author.get("/v1/me").status_code == 200)
    assert (set(reads.statuses), wrong_reads) == ({200}, [])
    assert statuses == {503}
    assert one.wrong == other.wrong == []
    assert max(*one.seconds, *other.seconds) < SILENCE_SECONDS
    assert len(late) > 20
    assert sorted(late)[len(late) // 2] < 0.1, "most are refused at once"
    assert sorted(reads.seconds)[len(reads.seconds) // 2] < 0.1
    post = author.publish(stage.photos(author, 1)[0])
    assert post in author.feed()
    assert_all_is_delivered(stage, author, reader)
    assert stage.pid("api") == api_pid
    assert "Traceback" not in stage.log("api")


@contextmanager
def full_disk(stage: OutageStage) -> Iterator[None]:
    """Limits the size of files: the transaction log of the graph can grow by LEFT_BYTES only."""
    logs = stage.folder.glob("neo4j/data/transactions/neo4j/neostore.transaction.db.*")
    size = max(log.stat().st_size for log in logs) + LEFT_BYTES
    server = psutil.Process(stage.pid("neo4j"))
    pids = [server.pid, *(child.pid for child in server.children(recursive=True))]
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, hard_limit) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard_limit))
    try:
        yield
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


# Case 36
def test_a_full_disk_refuses_writes_serves_cached_feeds_and_leaves_no_partial_post(
    stage: OutageStage,
) -> None:
    author = stage.sign_up("author")
    with_retries(lambda: stage.town.post(author.id))
    reader = stage.reader_of(author)
    photo_ids = stage.photos(author, 30)
    posts: dict[str, set[int]] = {}
    with publishing(author, photo_ids, posts) as writes:
        with full_disk(stage):
            eventually(lambda: writes.statuses[-5:] == [503] * 5)
            with reading(reader, []) as reads:
                eventually(lambda: len(reads.statuses) > 20)
            assert set(reads.statuses) == {200}
        stage.kill("neo4j")  # after a failed append it answers nothing until its restart
        eventually(lambda: len(posts) == len(photo_ids), seconds=RECOVERY_SECONDS)
    assert writes.wrong == []
    assert_each_key_has_one_whole_post(stage, author, posts)
    assert_all_is_delivered(stage, author, reader)
