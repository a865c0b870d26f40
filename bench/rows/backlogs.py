"""F9: a backlog of small events, drained by shard, against one RQ job an event."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rq import Queue
from rq.serializers import JSONSerializer

from bench.peers.bare_driver import BareDriver
from bench.peers.job_per_event import JOB, QUEUE
from bench.rows.row import Check, Row, Sides
from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext
from bench.stage.stage import Stage, stage_of
from graph.event_kinds import TIMELINES
from graph.events import SHARDS
from graph.ids import new_id
from stack.settings import ROOT

EVENTS, QUICK_EVENTS = 20_000, 320
PEERS_SHARE = 8
"""The peer gets one event of so many, as it takes so much longer."""
BATCH = 5_000
DRAIN_SECONDS = 300.0
"""Time limit of a side of a round."""
POLL_SECONDS = 0.01

CREATE_EVENTS = """
UNWIND range(0, $count - 1) AS number
WITH $first + number AS id, $users[number % size($users)] AS user
CREATE (:Event {
  id: id, kind: 'followed', queue: 'timelines', shard: id % $shards, subject_id: user,
  author_id: user, cursor: 0, epoch: 0, attempts: 0, tried: false, due_at: timestamp(),
  owed_at: timestamp()
})
"""
COUNT = "MATCH (event:Event) RETURN count(event) AS count"


class Backlogs:
    """Events of follows, whose work is a few commands of Redis and one query."""

    def __init__(self, stage: Stage, driver: BareDriver, count: int) -> None:
        self._stage = stage
        self._driver = driver
        self._count = count
        self._worker = stage.processes(TIMELINES)
        self._users = [stage.town.user_id(index) for index in range(100)]
        self.drained = 0

    def ours(self) -> Measurement:
        """Events a second of one worker."""
        pids = self._worker.pids(TIMELINES)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        self._create(self._count)
        for shard in range(SHARDS):
            self._stage.storage.queues.enqueue(TIMELINES, shard)
        began = time.perf_counter()
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        return self._measure(self._count, began)

    def against(self) -> Measurement:
        """Events a second of one RQ worker with a job an event."""
        count = self._count // PEERS_SHARE
        client = self._stage.storage.queue.client
        queue = Queue(QUEUE, connection=client, serializer=JSONSerializer)
        first = self._create(count)
        for event_id in range(first, first + count):
            queue.enqueue(JOB, event_id, 0, result_ttl=0)
        with _peer(self._stage) as peer:
            began = time.perf_counter()
            print(file=peer.stdin, flush=True)
            return self._measure(count, began)

    def check(self) -> Check:
        """All events are done, and none is left."""
        left = self._driver.run(COUNT)[0]["count"]
        return Check(what="events done, none left", count=self.drained, passed=not left)

    def _create(self, count: int) -> int:
        """Create events of adjacent ids; returns the first."""
        first = new_id()
        for start in range(0, count, BATCH):
            self._driver.run(
                CREATE_EVENTS,
                first=first + start,
                count=min(BATCH, count - start),
                users=self._users,
                shards=SHARDS,
            )
        return first

    def _measure(self, count: int, began: float) -> Measurement:
        while self._driver.run(COUNT)[0]["count"]:
            if time.perf_counter() - began > DRAIN_SECONDS:
                raise RuntimeError(f"events are left after {DRAIN_SECONDS} s")
            time.sleep(POLL_SECONDS)
        self.drained += count
        return Measurement(value=count / (time.perf_counter() - began))


@contextmanager
def _peer(stage: Stage) -> Iterator["subprocess.Popen[str]"]:
    """The peer's process, which is ready and waits for a line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.peers.job_per_event"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, **stage.env},
        text=True,
    )
    try:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise RuntimeError("the peer has not started")
        yield process
    finally:
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=10)
        process.kill()


@contextmanager
def _backlogs(run: RunContext) -> Iterator[Sides]:
    stage = stage_of(run)
    count = QUICK_EVENTS if run.quick else EVENTS
    with BareDriver(stage) as driver:
        backlogs = Backlogs(stage, driver, count)
        yield Sides(
            ours=backlogs.ours,
            against=backlogs.against,
            check=backlogs.check,
            sizes={"events": count, "shards": SHARDS},
        )


ROWS = (
    Row(
        id="F9",
        title="a backlog of small events drained : one RQ job an event",
        unit="events/s",
        target=8.0,
        better="higher",
        open=_backlogs,
    ),
)
