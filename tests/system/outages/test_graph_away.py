"""Case 32. Neo4j killed, or stopped: cached feeds go on and say so, writes are 503 at once."""

import time

import pytest

from tests.support.eventually import eventually
from tests.system.journeys.people import Person
from tests.system.outages.stage import Answers, OutageStage, patiently, posts, reads

SILENCE_FOUND_SECONDS = 8.0
"""How long a thread may be held by a graph that falls silent: six seconds (docs/waits.md), and some
for a machine of two cores. Without the graph's signs of life it would be thirteen."""

AT_ONCE_SECONDS = 1.0
READ_SECONDS = 3.0
KNOWN_SECONDS = 4.0
"""For how long writers are watched once each process knows that the graph is away."""

BACK_SECONDS = 240.0
"""Neo4j starts again in ten seconds, and is slow at first: on a busy machine, for a minute."""

pytestmark = [pytest.mark.alone, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def author(stage: OutageStage) -> Person:
    author = stage.person("author")
    for _ in range(3):
        patiently(lambda: stage.town.post(author.id))
    return author


def on_every_process(answers: Answers, mark: str) -> bool:
    """The last twenty answers, which come from both processes, are marked alike."""
    return len(answers.marks) > 20 and set(answers.marks[-20:]) == {mark}


def nothing_half_written(stage: OutageStage, author: Person, made: dict[str, set[int]]) -> None:
    """Every key made one post, whole: with its author, its photo, its key."""
    rows = patiently(
        lambda: stage.town.query(
            "MATCH (post:Post) WHERE post.author_id = $author AND post.caption IN $keys "
            "OPTIONAL MATCH (key:IdempotencyKey) "
            "WHERE key.user_id = $author AND key.result_id = post.id "
            "RETURN post.id AS id, post.caption AS caption, key.key AS key, "
            "COUNT { (post)<-[:POSTED]-() } AS authors, COUNT { (post)-[:SHOWS]->() } AS photos",
            author=author.id,
            keys=list(made),
        )
    )
    assert {(row["caption"], row["id"]) for row in rows} == {
        (key, post_id) for key, ids in made.items() for post_id in ids
    }
    assert len(rows) == len(made)
    assert all(row["key"] == row["caption"] for row in rows)
    assert {(row["authors"], row["photos"]) for row in rows} == {(1, 1)}


def delivered(stage: OutageStage, author: Person, reader: Person) -> None:
    """Once the workers have caught up the feed is what it should be, in the cache too."""
    truth = patiently(lambda: stage.town.expected_feed(reader.id))
    eventually(lambda: reader.feed_ids() == truth, seconds=BACK_SECONDS)
    eventually(lambda: stage.town.events_of(author.id) == [], seconds=90)
    assert reader.feed_ids() == truth
    assert author.feed_ids() == truth


def test_a_killed_graph_costs_writers_a_retry_and_readers_of_cached_feeds_nothing(
    stage: OutageStage, author: Person
) -> None:
    reader = stage.follower_with_a_timeline(author)
    expected, before = reader.feed_ids(), stage.pid("api")
    made: dict[str, set[int]] = {}
    with reads(reader, expected) as read, posts(author, stage.photos(author, 1), made) as wrote:
        stage.kill_graph()
        # From here the reads may show the new post; until then nothing but the old ones.
        eventually(lambda: 503 in wrote.statuses, seconds=10)
        eventually(lambda: on_every_process(read, "graph") or made, seconds=20)
        marked = not made
        eventually(lambda: made, seconds=BACK_SECONDS)
    assert marked
    assert set(read.statuses) == {200}
    assert max(read.seconds) < READ_SECONDS
    assert not [wrong for wrong in read.wrong if str(next(iter(*made.values()))) not in wrong]
    assert wrote.wrong == []
    refused = [s for s, status in zip(wrote.seconds, wrote.statuses, strict=True) if status == 503]
    # All but the last ones, which meet a graph that has only just been started.
    assert sorted(refused)[len(refused) * 9 // 10] < AT_ONCE_SECONDS
    nothing_half_written(stage, author, made)
    delivered(stage, author, reader)
    assert reader.call("GET", "/v1/me/feed").headers.get("Photofeed-Degraded") is None
    assert stage.pid("api") == before
    assert "Traceback" not in stage.log("api")


def test_a_stopped_graph_holds_writers_for_seconds_and_readers_hardly_and_all_goes_on_after_it(
    stage: OutageStage, author: Person
) -> None:
    reader = stage.follower_with_a_timeline(author)
    expected, before = reader.feed_ids(), stage.pid("api")
    made: dict[str, set[int]] = {}
    two = [stage.photos(author, 3) for _ in range(2)]
    with (
        reads(reader, expected) as read,
        stage.graph_stopped(),
        posts(author, two[0], made) as one,
        posts(author, two[1], made) as other,
    ):
        # Both writers may meet the same process first: the other learns of it from their next.
        eventually(lambda: on_every_process(read, "graph"), seconds=2 * SILENCE_FOUND_SECONDS)
        known = time.monotonic()
        found = len(one.seconds), len(other.seconds)
        eventually(lambda: time.monotonic() - known > KNOWN_SECONDS, seconds=20)
        late = [*one.seconds[found[0] :], *other.seconds[found[1] :]]
        wrong_until_now = list(read.wrong)
        statuses = {*one.statuses, *other.statuses}
    eventually(lambda: author.call("GET", "/v1/me").ok, seconds=20)
    assert (set(read.statuses), wrong_until_now) == ({200}, [])
    assert statuses == {503}
    assert one.wrong == other.wrong == []
    assert max(*one.seconds, *other.seconds) < SILENCE_FOUND_SECONDS
    assert len(late) > 20
    assert sorted(late)[len(late) // 2] < 0.1  # most are refused at once
    assert sorted(read.seconds)[len(read.seconds) // 2] < 0.1
    again = author.post(stage.photos(author, 1)[0])
    assert again in author.feed_ids()
    delivered(stage, author, reader)
    assert stage.pid("api") == before
    assert "Traceback" not in stage.log("api")
