"""W1 to W3: writes over HTTP, 32 in flight, against the same statements through the bare driver.

No worker runs meanwhile: what is measured is the answer, and F8 is about what follows it.
"""

import itertools
import random
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.peers.bare_driver import Ask, Bare, forget_events, ready_photos, statement
from bench.peers.wrk import Request, load, write_requests
from bench.rows.row import Check, Measured, Row, Sides, Sizes
from bench.stage.stage import Ours, Stage, cpu_seconds, stage_of
from graph.connection import LARGE_AUDIENCE
from graph.idempotency_keys import KEY_LIFE_MS
from graph.ids import CLOCK_TOLERANCE_MS, ms_of, new_id

IN_FLIGHT = 32
API_WORKERS = 2
"""As many as `make up` starts: the machine is shared with Neo4j on both sides."""

MOST = 1_500
"""Writes a second for which a turn is prepared: more than any is done."""
WARM_CONNECTIONS, WARM_WRITES, WARM_SECONDS = 4, 40, 10.0
"""Before anything is measured: statements are planned at their first use, for a second or two."""
SETTLE_SECONDS = 1.0
"""What was in flight when a turn ended is done by then: a request waits half of that at most."""
CAPTION = "Measured"
BARE_CAPTION = "Bare"

COUNTS = """
MATCH (author:User)-[:POSTED]->(post:Post)
WHERE author.id IN $ids AND post.id > $since AND post.caption = $caption
RETURN count(DISTINCT post) AS posts,
  count(COLLECT { MATCH (post)-[:SHOWS]->(photo) RETURN photo }[0]) AS photos
"""
KEYS = "MATCH (key:IdempotencyKey) WHERE key.user_id IN $ids RETURN count(key) AS count"
EVENTS = "MATCH (event:Event) WHERE event.author_id IN $ids RETURN count(event) AS count"
FOLLOW_EVENTS = "MATCH (event:Event) WHERE event.subject_id IN $ids RETURN count(event) AS count"
FOLLOWS = """
MATCH (follower:User)-[follows:FOLLOWS]->()
WHERE follower.id IN $ids
RETURN count(follows) AS count
"""
CREATE_BARE = """
MATCH (author:User) WHERE author.id = $author_id
CREATE (author)-[:POSTED]->(:Post {
  id: $post_id, author_id: $author_id, caption: $caption, created_at: timestamp()
})
"""
FORGET_POSTS = """
MATCH (post:Post) WHERE post.author_id IN $ids AND post.id > $since DETACH DELETE post
"""


@dataclass(slots=True, kw_only=True)
class Writes:
    """What a row has written, to be counted in the end."""

    stage: Stage
    bare: Bare
    user_ids: list[int]
    since: int
    overloaded: int = 0
    """Answers 503, after which the client waited as it was told."""
    answered: int = 0
    """Of ours: those in flight at the end of a turn may be written too, and not counted."""
    turns: int = 0
    bare_done: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def users(self, count: int) -> list[int]:
        """So many of the users, one after the other."""
        return [self.user_ids[next(self._numbers) % len(self.user_ids)] for _ in range(count)]

    def file(self, requests: list[Request]) -> Path:
        """The requests of a turn."""
        return write_requests(self.stage.stack.folder / "writes.tsv", requests)

    def within(self, written: int) -> bool:
        """Whether so many are all that was answered, and no more than was in flight beside it."""
        known = self.answered + self.bare_done
        return known <= written <= known + self.turns * IN_FLIGHT

    def tokens(self, user_ids: list[int]) -> list[str]:
        """A token of each."""
        return self.stage.tokens([self.stage.town.index_of(user_id) for user_id in user_ids])


@contextmanager
def _writing(sizes: Sizes) -> Iterator[Writes]:
    """Quiet people, whom nobody follows: what they write changes nobody else's feed."""
    stage = stage_of(sizes)
    user_ids = [stage.town.user_id(index) for index in stage.town.quiet]
    with Bare(stage) as bare:
        writes = Writes(stage=stage, bare=bare, user_ids=user_ids, since=new_id())
        try:
            yield writes
        finally:
            bare.ask(FORGET_POSTS, ids=user_ids, since=writes.since)
            bare.ask("MATCH (k:IdempotencyKey) WHERE k.user_id IN $ids DELETE k", ids=user_ids)
            forget_events(stage, bare, user_ids)
            stage.storage.timelines.drop(*user_ids)


def _turn(sizes: Sizes) -> int:
    """How many writes a turn has to be prepared for."""
    return int(MOST * max(1.0, sizes.seconds))


def _over_http(
    writes: Writes,
    ours: Ours,
    requests: list[Request],
    seconds: float,
    connections: int = IN_FLIGHT,
) -> Measured:
    pids = ours.pids("api")
    before = cpu_seconds(pids)
    file = writes.file(requests)
    found = load(
        ours.url, file, seconds=seconds, connections=connections, once=True, core=None
    ).clean()
    time.sleep(SETTLE_SECONDS)
    writes.answered += found.requests
    writes.overloaded += found.overloaded
    writes.turns += 1
    cpu = 1e6 * (cpu_seconds(pids) - before) / found.requests
    return Measured(value=found.rate, cpu_us={"api": cpu})


def post_requests(writes: Writes, count: int) -> list[Request]:
    """So many posts of a photo each, under keys of their own."""
    authors = writes.users(count)
    photos = ready_photos(writes.bare, authors)
    return [
        Request(
            method="POST",
            path="/v1/me/feed",
            token=token,
            key=secrets.token_hex(12),
            body=f'{{"photo_ids":["{photo_id}"],"caption":"{CAPTION}"}}',
        )
        for token, photo_id in zip(writes.tokens(authors), photos, strict=True)
    ]


def _publish(author_id: int, photo_id: int, ask: Ask) -> None:
    post_id = new_id()
    rows = ask(
        statement("posts/create"),
        post_id=post_id,
        author_id=author_id,
        photo_ids=[photo_id],
        caption=CAPTION,
        location_name=None,
        latitude=None,
        longitude=None,
        key=secrets.token_hex(12),
        fingerprint=secrets.token_hex(32),
        key_life_ms=KEY_LIFE_MS,
        event_id=new_id(),
        drawn_at=ms_of(post_id),
        tolerance_ms=CLOCK_TOLERANCE_MS,
        large_audience=LARGE_AUDIENCE,
    )
    if not rows:
        raise RuntimeError("nothing was published")


def _bare_posts(writes: Writes, sizes: Sizes) -> Measured:
    authors = writes.users(_turn(sizes))
    photos = ready_photos(writes.bare, authors)
    tasks = [partial(_publish, a, p) for a, p in zip(authors, photos, strict=True)]
    rate, done = writes.bare.rate(sizes.seconds, IN_FLIGHT, tasks)
    writes.bare_done += done
    return Measured(value=rate)


def _posts_check(writes: Writes) -> Check:
    """As many keys, events and photos as posts, and as many of each as were answered."""
    ids = writes.user_ids
    [counts] = writes.bare.ask(COUNTS, ids=ids, since=writes.since, caption=CAPTION)
    keys = writes.bare.ask(KEYS, ids=ids)[0]["count"]
    events = writes.bare.ask(EVENTS, ids=ids)[0]["count"]
    posts = counts["posts"]
    return Check(
        what="posts, each with one key, one event and its photo",
        count=posts,
        passed=posts == counts["photos"] == keys == events and writes.within(posts),
    )


@contextmanager
def _publishing(sizes: Sizes) -> Iterator[Sides]:
    with _writing(sizes) as writes:
        ours = writes.stage.ours("api", api_workers=API_WORKERS)
        _over_http(writes, ours, post_requests(writes, WARM_WRITES), WARM_SECONDS, WARM_CONNECTIONS)
        yield Sides(
            ours=lambda: _over_http(
                writes, ours, post_requests(writes, _turn(sizes)), sizes.seconds
            ),
            against=lambda: _bare_posts(writes, sizes),
            check=lambda: _posts_check(writes),
            context=lambda: {"503": writes.overloaded},
            sizes={"users": writes.stage.town.users, "in flight": IN_FLIGHT},
        )


@contextmanager
def _bare_transactions(sizes: Sizes) -> Iterator[Sides]:
    """W2: what the key, the photo and the event cost beside the post."""
    with _writing(sizes) as writes:

        def create(author_id: int, ask: Ask) -> None:
            ask(CREATE_BARE, author_id=author_id, post_id=new_id(), caption=BARE_CAPTION)

        def against() -> Measured:
            tasks = [partial(create, author_id) for author_id in writes.users(_turn(sizes))]
            return Measured(value=writes.bare.rate(sizes.seconds, IN_FLIGHT, tasks)[0])

        yield Sides(
            ours=lambda: _bare_posts(writes, sizes),
            against=against,
            check=lambda: _posts_check(writes),
            sizes={"users": writes.stage.town.users, "in flight": IN_FLIGHT},
        )


@dataclass(slots=True, kw_only=True)
class Pairs:
    """Follows that do not stand yet, each given once."""

    writes: Writes
    chance: random.Random
    used: set[tuple[int, int]] = field(default_factory=set)

    def next(self, count: int) -> list[tuple[int, int]]:
        """So many (follower, followee), followers in turn, followees at random."""
        town = self.writes.stage.town
        found = []
        for follower_id in self.writes.users(count):
            known = set(town.followees(town.index_of(follower_id)))
            while True:
                followee = self.chance.choice(town.readers)
                pair = (follower_id, town.user_id(followee))
                if followee not in known and pair not in self.used:
                    break
            self.used.add(pair)
            found.append(pair)
        return found


def _follow(follower_id: int, followee_id: int, ask: Ask) -> None:
    rows = ask(
        statement("follows/create"),
        follower_id=follower_id,
        followee_id=followee_id,
        event_id=new_id(),
    )
    if not rows:
        raise RuntimeError("nobody was followed")


@contextmanager
def _following(sizes: Sizes) -> Iterator[Sides]:
    with ExitStack() as closing:
        writes = closing.enter_context(_writing(sizes))
        town = writes.stage.town
        ours = writes.stage.ours("api", api_workers=API_WORKERS)
        pairs = Pairs(writes=writes, chance=random.Random(sizes.seed))
        before = sum(len(town.followees(index)) for index in town.quiet)
        count = min(_turn(sizes), len(writes.user_ids) * len(town.readers) // 40)

        def over_http() -> Measured:
            asked = pairs.next(count)
            tokens = writes.tokens([follower_id for follower_id, _ in asked])
            requests = [
                Request(method="PUT", path=f"/v1/me/following/{followee_id}", token=token)
                for (_, followee_id), token in zip(asked, tokens, strict=True)
            ]
            return _over_http(writes, ours, requests, sizes.seconds)

        def against() -> Measured:
            tasks = [partial(_follow, *pair) for pair in pairs.next(count)]
            rate, done = writes.bare.rate(sizes.seconds, IN_FLIGHT, tasks)
            writes.bare_done += done
            return Measured(value=rate)

        def check() -> Check:
            ids = writes.user_ids
            follows = writes.bare.ask(FOLLOWS, ids=ids)[0]["count"] - before
            events = writes.bare.ask(FOLLOW_EVENTS, ids=ids)[0]["count"]
            return Check(
                what="follows, each with one event",
                count=follows,
                passed=follows == events and writes.within(follows),
            )

        closing.callback(_unfollow, writes)
        yield Sides(
            ours=over_http,
            against=against,
            check=check,
            context=lambda: {"503": writes.overloaded},
            sizes={"users": town.users, "in flight": IN_FLIGHT},
        )


def _unfollow(writes: Writes) -> None:
    """The town's follows are what they were."""
    writes.bare.ask(
        "MATCH (follower:User)-[follows:FOLLOWS]->() WHERE follower.id IN $ids"
        " AND follows.created_at > $since DELETE follows",
        ids=writes.user_ids,
        since=ms_of(writes.since) - CLOCK_TOLERANCE_MS,
    )


ROWS = (
    Row(
        id="W1",
        title="POST /v1/me/feed, 32 in flight : the bare statement, as many threads",
        unit="posts/s",
        target=0.75,
        better="higher",
        ready=_publishing,
        needs=("wrk",),
    ),
    Row(
        id="W2",
        title="the bare statement of key, post and event : a bare CREATE of a post",
        unit="posts/s",
        target=0.8,
        better="higher",
        ready=_bare_transactions,
    ),
    Row(
        id="W3",
        title="PUT /v1/me/following, 32 in flight : the bare statement, as many threads",
        unit="follows/s",
        target=0.75,
        better="higher",
        ready=_following,
        needs=("wrk",),
    ),
)
