"""F3 and F8: a post's whole way into the timelines, against the push alone and the write alone."""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from bench.peers.bare_driver import Bare, forget_events, ready_photos
from bench.peers.wrk import Request, load, write_requests
from bench.rows.row import Check, Measured, Row, Sides, Sizes
from bench.rows.writes import (
    API_WORKERS,
    CAPTION,
    IN_FLIGHT,
    WARM_CONNECTIONS,
    WARM_SECONDS,
    WARM_WRITES,
)
from bench.stage import fill
from bench.stage.proof import existing, wrong_lists
from bench.stage.stage import WORKERS, Ours, Stage, stage_of
from bench.stage.town import Name
from graph.events import Event
from graph.ids import new_id
from workers import outbox

WITHOUT_LISTS = 50
"""Every so many-th follower has no list: none may be made for them."""

MOST_TURNS = 1_000
DRAIN_SECONDS = 120.0
LOOK_SECONDS = 0.05
MOST_POSTS = 600
"""F8: posts a second for which a turn is prepared."""

LARGE: Name = "everybody"


def publish(stage: Stage, bare: Bare, author: int) -> Event:
    """A post of an author's, committed with its event; nobody has been told of it."""
    author_id = stage.town.user_id(author)
    [photo_id] = ready_photos(bare, [author_id])
    post_id = new_id()
    created = stage.graph.posts.create(
        post_id=post_id,
        author_id=author_id,
        photo_ids=[photo_id],
        caption=CAPTION,
        location=None,
        key=secrets.token_hex(12),
        fingerprint=secrets.token_hex(32),
    )
    stage.note(author, [post_id])
    return created.event


def fan_out(stage: Stage, event: Event) -> float:
    """Seconds of the whole job, or of all the jobs that it takes."""
    began = time.perf_counter()
    epoch = event.epoch
    for _ in range(MOST_TURNS):
        outcome = outbox.run(stage.graph, stage.storage, event.id, epoch)
        if outcome == "done":
            return time.perf_counter() - began
        standing = stage.graph.events.by_id(event.id)
        if outcome != "continued" or standing is None:
            raise RuntimeError(f"the fan-out ended as {outcome}")
        epoch = standing.event.epoch
    raise RuntimeError(f"the fan-out did not end in {MOST_TURNS} turns")


def push_alone(stage: Stage, user_ids: Sequence[int], post_id: int) -> float:
    """Seconds of the store's push to all of these users."""
    began = time.perf_counter()
    at = 0
    while at < len(user_ids):
        at += stage.storage.timelines.push(user_ids[at:], post_id, read_at=time.monotonic())
    return time.perf_counter() - began


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeJob:
    """One author's fan-outs: claim, followers, pushes, advance and finish."""

    stage: Stage
    bare: Bare
    author: int
    followers: Sequence[int]
    without: Sequence[int]
    """Those of them who have no list."""

    @property
    def user_ids(self) -> list[int]:
        """Who is pushed to."""
        return [self.stage.town.user_id(index) for index in (self.author, *self.followers)]

    def ours(self) -> Measured:
        """Followers a second of the whole."""
        event = publish(self.stage, self.bare, self.author)
        redis, count = self.stage.cache_seconds(), len(self.followers) + 1
        seconds = fan_out(self.stage, event)
        each = 1e6 * (self.stage.cache_seconds() - redis) / count
        return Measured(value=count / seconds, cpu_us={"redis": each})

    def against(self) -> Measured:
        """Followers a second of the pushes alone."""
        event, user_ids = publish(self.stage, self.bare, self.author), self.user_ids
        if not self.stage.graph.events.claim(event.id, event.epoch):
            raise RuntimeError("the event was taken")
        seconds = push_alone(self.stage, user_ids, event.subject_id)
        self.stage.graph.events.finish(event.id, event.epoch + 1)
        return Measured(value=len(user_ids) / seconds)

    def check(self, listed: int) -> Check:
        """Of so many lists as there were."""
        author_id = self.stage.town.user_id(self.author)
        wrong = wrong_lists(self.stage, self.followers)
        made = existing(self.stage, self.without)
        left = self.bare.ask(EVENTS_OF, author_id=author_id)[0]["count"]
        return Check(
            what="lists that hold every post once, none made, no event left",
            count=listed,
            passed=not wrong and not made and not left,
        )


def whole_job(name: Name) -> Callable[[Sizes], AbstractContextManager[Sides]]:
    """F3 with the author of that audience."""

    @contextmanager
    def ready(sizes: Sizes) -> Iterator[Sides]:
        stage = stage_of(sizes)
        stage.stop_ours()  # a sweeper's worker would take the events
        author = stage.town.author(name)
        followers = stage.town.followers(author)
        without = followers[::WITHOUT_LISTS]
        stage.storage.timelines.drop(*(stage.town.user_id(index) for index in without))
        listed = len(existing(stage, followers))
        with Bare(stage) as bare:
            job = WholeJob(
                stage=stage, bare=bare, author=author, followers=followers, without=without
            )
            yield Sides(
                ours=job.ours,
                against=job.against,
                check=lambda: job.check(listed),
                sizes={"users": stage.town.users, "followers": len(followers)},
            )
            forget_events(stage, bare, [stage.town.user_id(author)])
        refill(stage, without, sizes)

    return ready


def refill(stage: Stage, indices: Sequence[int], sizes: Sizes) -> None:
    """Lists anew, with what has been published since."""
    cap = stage.storage.timelines.cap
    with stage.storage.cache.wire() as wire:
        for index in indices:
            wire.ask(fill.list_commands(stage.town.user_id(index), stage.feed(index), cap))
    sizes.say(f"{len(indices):,} lists are whole again")


EVENTS_OF = "MATCH (event:Event) WHERE event.author_id = $author_id RETURN count(event) AS count"
POSTS_SINCE = """
MATCH (post:Post) WHERE post.author_id = $author_id AND post.id > $since
RETURN collect(post.id) AS ids
"""
EVENTS = "MATCH (event:Event) RETURN count(event) AS count"


class Deliveries:
    """Small authors, whose posts are published over HTTP and fanned out by our own workers."""

    def __init__(self, stage: Stage, bare: Bare) -> None:
        self.stage = stage
        self._bare = bare
        self.authors = list(stage.town.small_authors)
        self.followers = [one for author in self.authors for one in stage.town.followers(author)]
        self.oldest: list[float] = []

    def warmed(self, ours: Ours) -> None:
        """A few posts, so that processes just started have their connections and plans."""
        self._published(ours, WARM_SECONDS, count=WARM_WRITES, connections=WARM_CONNECTIONS)

    def published(self, ours: Ours, seconds: float) -> tuple[int, float]:
        """How many posts were answered, and a second how many, with no worker or with all."""
        count = int(MOST_POSTS * max(1.0, seconds))
        return self._published(ours, seconds, count=count, connections=IN_FLIGHT)

    def _published(
        self, ours: Ours, seconds: float, *, count: int, connections: int
    ) -> tuple[int, float]:
        authors = [self.authors[number % len(self.authors)] for number in range(count)]
        photos = ready_photos(self._bare, [self.stage.town.user_id(one) for one in authors])
        requests = [
            Request(
                method="POST",
                path="/v1/me/feed",
                token=token,
                key=secrets.token_hex(12),
                body=f'{{"photo_ids":["{photo_id}"],"caption":"{CAPTION}"}}',
            )
            for token, photo_id in zip(self.stage.tokens(authors), photos, strict=True)
        ]
        file = write_requests(self.stage.stack.folder / "posts.tsv", requests)
        found = load(
            ours.url, file, seconds=seconds, connections=connections, once=True, core=None
        ).clean()
        return found.requests, found.rate

    def drained(self) -> None:
        """Returns when no event is left. Raises RuntimeError."""
        until = time.monotonic() + DRAIN_SECONDS
        self.oldest.append(self.stage.graph.events.oldest_due_seconds())
        while self._bare.ask(EVENTS)[0]["count"]:
            if time.monotonic() > until:
                raise RuntimeError(f"events are left after {DRAIN_SECONDS} s")
            time.sleep(LOOK_SECONDS)

    def note(self, since: int) -> int:
        """Tells the stage of the posts made since; how many."""
        made = 0
        for author in self.authors:
            known = set(self.stage.published.get(author, []))
            author_id = self.stage.town.user_id(author)
            [row] = self._bare.ask(POSTS_SINCE, author_id=author_id, since=since)
            new = [post_id for post_id in row["ids"] if post_id not in known]
            self.stage.note(author, new)
            made += len(new)
        return made


@contextmanager
def _delivered(sizes: Sizes) -> Iterator[Sides]:
    stage = stage_of(sizes)
    with Bare(stage) as bare:
        ours = stage.ours("api", *WORKERS, api_workers=API_WORKERS)
        posts = Deliveries(stage, bare)
        since = new_id()
        posts.warmed(ours)
        posts.drained()
        made = [posts.note(since)]

        def delivered() -> Measured:
            began = time.perf_counter()
            posts.published(ours, sizes.seconds)
            posts.drained()
            seconds = time.perf_counter() - began
            made.append(posts.note(since))
            return Measured(value=made[-1] / seconds)

        def against() -> Measured:
            pids = [pid for name in ("fanout", "sweeper") for pid in ours.pids(name)]
            with _stopped(pids):
                _, rate = posts.published(ours, sizes.seconds)
            posts.drained()
            made.append(posts.note(since))
            return Measured(value=rate)

        yield Sides(
            ours=delivered,
            against=against,
            check=lambda: Check(
                what="posts in every follower's list once, no event left",
                count=sum(made),
                passed=sum(made) > 0 and not wrong_lists(stage, posts.followers),
            ),
            context=lambda: {"oldest event, s": max(posts.oldest, default=0.0)},
            sizes={"users": stage.town.users, "followers a post": 150},
        )


@contextmanager
def _stopped(pids: Sequence[int]) -> Iterator[None]:
    """These processes stand still meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _job_row(suffix: str, name: Name, target: float) -> Row:
    return Row(
        id=f"F3@{suffix}",
        title=f"the whole fan-out to {suffix} followers : the store's push alone",
        unit="followers/s",
        target=target,
        better="higher",
        ready=whole_job(name),
    )


ROWS = (
    _job_row("25k", "25k", 0.75),
    _job_row("100k", "100k", 0.85),
    Row(
        id="F8",
        title="posts published and delivered to 150 followers : published alone",
        unit="posts/s",
        target=0.5,
        better="higher",
        ready=_delivered,
        needs=("wrk",),
    ),
)
LARGEST = _job_row("1M", LARGE, 0.85)
"""Only where the town has a million."""
