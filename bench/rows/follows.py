"""W3: follows over HTTP, 32 in flight, against the same statement through the bare driver."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

from bench.peers.bare_driver import RunStatement, statement
from bench.peers.wrk import Request
from bench.rows.row import Check, Row, Sides
from bench.rows.writes import API_WORKERS, IN_FLIGHT, Writes, open_writes, writes_a_turn
from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext
from graph.ids import CLOCK_TOLERANCE_MS, EPOCH_MS, RANDOM_BITS, ms_of, new_id
from graph.settings import FOLLOW_LIMIT

EVENTS = "MATCH (event:Event) WHERE event.subject_id IN $ids RETURN count(event) AS count"
FOLLOWS = """
MATCH (follower:User)-[follows:FOLLOWS]->()
WHERE follower.id IN $ids
RETURN count(follows) AS count
"""
DELETE_FOLLOWS = """
MATCH (follower:User)-[follows:FOLLOWS]->()
WHERE follower.id IN $ids AND follows.created_at > $since
DELETE follows
"""


@dataclass(slots=True, kw_only=True)
class NewFollows:
    """Generates follows that do not exist yet, each once."""

    writes: Writes
    generator: random.Random
    used: set[tuple[int, int]] = field(default_factory=set)

    def next(self, count: int) -> list[tuple[int, int]]:
        """Pairs of follower's and followee's id: followers in turn, followees at random."""
        town = self.writes.stage.town
        pairs = []
        for follower_id in self.writes.next_users(count):
            followees = set(town.followees(town.index_of(follower_id)))
            while True:
                followee = self.generator.choice(town.readers)
                pair = (follower_id, town.user_id(followee))
                if followee not in followees and pair not in self.used:
                    break
            self.used.add(pair)
            pairs.append(pair)
        return pairs


def _follow(follower_id: int, followee_id: int, run_statement: RunStatement) -> None:
    rows = run_statement(
        statement("follows/create"),
        follower_id=follower_id,
        followee_id=followee_id,
        event_id=new_id(),
        request_id=None,
        notification_id=new_id(),
        epoch_ms=EPOCH_MS,
        ids_of_ms=1 << RANDOM_BITS,
        most=FOLLOW_LIMIT,
    )
    if not rows:
        raise RuntimeError("no follow was created")


@contextmanager
def _follows_over_http(run: RunContext) -> Iterator[Sides]:
    with ExitStack() as closing:
        writes = closing.enter_context(open_writes(run))
        town = writes.stage.town
        processes = writes.stage.processes("api", api_workers=API_WORKERS)
        follows = NewFollows(writes=writes, generator=random.Random(run.seed))
        follows_before = sum(len(town.followees(index)) for index in town.quiet)
        count = min(writes_a_turn(run), len(writes.user_ids) * len(town.readers) // 40)

        def ours() -> Measurement:
            pairs = follows.next(count)
            tokens = writes.tokens([follower_id for follower_id, _ in pairs])
            requests = [
                Request(method="PUT", path=f"/v1/me/following/{followee_id}", token=token)
                for (_, followee_id), token in zip(pairs, tokens, strict=True)
            ]
            return writes.send(processes, requests, run.seconds)

        def against() -> Measurement:
            tasks = [partial(_follow, *pair) for pair in follows.next(count)]
            rate, done = writes.driver.measure(run.seconds, IN_FLIGHT, tasks)
            writes.driver_writes += done
            return Measurement(value=rate)

        def check() -> Check:
            ids = writes.user_ids
            created = writes.driver.run(FOLLOWS, ids=ids)[0]["count"] - follows_before
            events = writes.driver.run(EVENTS, ids=ids)[0]["count"]
            return Check(
                what="follows, each with one event",
                count=created,
                passed=created == events and writes.matches(created),
            )

        closing.callback(_delete_follows, writes)
        yield Sides(
            ours=ours,
            against=against,
            check=check,
            context=lambda: {"503": writes.overloaded},
            sizes={"users": town.users, "in flight": IN_FLIGHT},
        )


def _delete_follows(writes: Writes) -> None:
    """Delete the follows that the town does not have."""
    since = ms_of(writes.since) - CLOCK_TOLERANCE_MS
    writes.driver.run(DELETE_FOLLOWS, ids=writes.user_ids, since=since)


ROWS = (
    Row(
        id="W3",
        title="PUT /v1/me/following, 32 in flight : the bare statement, as many threads",
        unit="follows/s",
        target=0.75,
        better="higher",
        open=_follows_over_http,
        needs=("wrk",),
    ),
)
