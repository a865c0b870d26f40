"""F3: the whole fan-out of a post, against the store's push alone."""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.peers.bare_driver import BareDriver, create_photos, delete_events
from bench.rows.row import Check, OpenSides, Row, Sides
from bench.rows.writes import CAPTION
from bench.stage.measurement import Measurement
from bench.stage.proof import count_wrong_lists, users_with_lists
from bench.stage.run_context import RunContext
from bench.stage.stage import Stage, stage_of
from bench.stage.town import Name
from graph.events import Event
from graph.ids import new_id
from workers import outbox

WITHOUT_LISTS = 50
"""Every 50th follower has no list, and the fan-out must create none."""

MAX_JOBS = 1_000
"""Limit of the jobs of one fan-out."""

EVENTS_OF_AUTHOR = """
MATCH (event:Event) WHERE event.author_id = $author_id RETURN count(event) AS count
"""


def publish(stage: Stage, driver: BareDriver, author: int) -> Event:
    """Commit a post of an author with its event, without a wake; returns the event."""
    author_id = stage.town.user_id(author)
    [photo_id] = create_photos(driver, [author_id])
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
    stage.note_posts(author, [post_id])
    return created.event


def fan_out(stage: Stage, event: Event) -> float:
    """Seconds of the whole fan-out, over all jobs that it takes."""
    began = time.perf_counter()
    for _ in range(MAX_JOBS):
        outcomes = outbox.drain(stage.graph, stage.storage, event.queue, event.shard)
        outcome = outcomes.get(event.id)
        if outcome == "done":
            return time.perf_counter() - began
        if outcome != "continued":
            raise RuntimeError(f"the fan-out ended as {outcome}")
    raise RuntimeError(f"the fan-out did not end in {MAX_JOBS} jobs")


def publish_and_push(
    stage: Stage, driver: BareDriver, author: int, user_ids: Sequence[int]
) -> float:
    """Publish a post and push it to these users; returns seconds of the store's push alone."""
    event = publish(stage, driver, author)
    claims = stage.graph.events.claim(event.queue, event.shard, limit=1)
    if [claimed.id for claimed in claims.events] != [event.id]:
        raise RuntimeError("another worker has claimed the event")
    began = time.perf_counter()
    start = 0
    while start < len(user_ids):
        start += stage.storage.timelines.push(
            user_ids[start:], event.subject_id, read_at=time.monotonic()
        )
    seconds = time.perf_counter() - began
    stage.graph.events.finish(claims.events)
    return seconds


def count_events(stage: Stage, driver: BareDriver, author: int) -> int:
    """The number of events of an author: work not done yet."""
    [row] = driver.run(EVENTS_OF_AUTHOR, author_id=stage.town.user_id(author))
    return int(row["count"])


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOuts:
    """Fan-outs of one author: claim, followers, pushes, advance and finish."""

    stage: Stage
    driver: BareDriver
    author: int
    followers: Sequence[int]
    without_lists: Sequence[int]
    """The followers without a list."""

    def ours(self) -> Measurement:
        """Followers a second of the whole fan-out."""
        event = publish(self.stage, self.driver, self.author)
        redis_before, count = self.stage.cache_seconds(), len(self.followers) + 1
        seconds = fan_out(self.stage, event)
        redis_us = 1e6 * (self.stage.cache_seconds() - redis_before) / count
        return Measurement(value=count / seconds, cpu_us={"redis": redis_us})

    def against(self) -> Measurement:
        """Followers a second of the push alone."""
        user_ids = [self.stage.town.user_id(index) for index in (self.author, *self.followers)]
        seconds = publish_and_push(self.stage, self.driver, self.author, user_ids)
        return Measurement(value=len(user_ids) / seconds)

    def check(self, lists: int) -> Check:
        """Over the lists; `lists` is their number before the first fan-out."""
        wrong = count_wrong_lists(self.stage, self.followers)
        created = users_with_lists(self.stage, self.without_lists)
        events = count_events(self.stage, self.driver, self.author)
        return Check(
            what="lists that hold every post once, none made, no event left",
            count=lists,
            passed=not wrong and not created and not events,
        )


def fan_out_row(name: Name) -> OpenSides:
    """F3 with the author of that audience."""

    @contextmanager
    def open_sides(run: RunContext) -> Iterator[Sides]:
        stage = stage_of(run)
        stage.stop_processes()  # or a worker would claim the events
        author = stage.town.author(name)
        followers = stage.town.followers(author)
        without_lists = followers[::WITHOUT_LISTS]
        stage.storage.timelines.drop(*(stage.town.user_id(index) for index in without_lists))
        lists = len(users_with_lists(stage, followers))
        with BareDriver(stage) as driver:
            fan_outs = FanOuts(
                stage=stage,
                driver=driver,
                author=author,
                followers=followers,
                without_lists=without_lists,
            )
            yield Sides(
                ours=fan_outs.ours,
                against=fan_outs.against,
                check=lambda: fan_outs.check(lists),
                sizes={"users": stage.town.users, "followers": len(followers)},
            )
            delete_events(stage, driver, [stage.town.user_id(author)])
        stage.write_lists(without_lists, stage.storage.timelines.cap)
        run.report(f"{len(without_lists):,} lists are whole again")

    return open_sides


def _row(suffix: str, name: Name, target: float) -> Row:
    return Row(
        id=f"F3@{suffix}",
        title=f"the whole fan-out to {suffix} followers : the store's push alone",
        unit="followers/s",
        target=target,
        better="higher",
        open=fan_out_row(name),
    )


ROWS = (_row("25k", "25k", 0.75), _row("100k", "100k", 0.85))
LARGEST = _row("1M", "everybody", 0.85)
"""Only for a town of a million users."""
