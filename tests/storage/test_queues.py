"""Wake-up jobs: their content, their queue, and a queue that is down or full."""

import json
import time
import zlib
from dataclasses import dataclass

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from graph.event_kinds import QUEUES
from observing.metrics import FAIL_OPEN_TOTAL
from storage import StorageUnavailableError, queues
from storage.queues import Queues
from storage.redis.server import Server
from tests.support.eventually import eventually
from tests.support.private_server import PrivateServer


@dataclass
class Event:
    queue: str = "fanout"
    shard: int = 3


def queues_of(server: PrivateServer) -> Queues:
    return Queues(Server("queue", server.url))


def failures() -> float:
    return float(FAIL_OPEN_TOTAL.labels(what="ring")._value.get())


def test_a_job_has_a_queue_and_a_shard_and_nothing_else(private_server: PrivateServer) -> None:
    queues_of(private_server).wake(Event())

    fanout = Queue("fanout", connection=private_server.client, serializer=JSONSerializer)
    [job] = fanout.jobs
    assert job.func_name == "workers.jobs.drain"
    assert job.args == ["fanout", 3]
    assert job.description == "fanout, shard 3: 1 or more events are due"
    assert (job.result_ttl, job.failure_ttl, job.timeout) == (0, 3_600, 60)
    stored = zlib.decompress(job.to_dict()["data"])
    assert json.loads(stored) == ["workers.jobs.drain", None, ["fanout", 3], {}]  # never pickle


def test_a_shard_has_one_waiting_job_however_often_it_is_rung(
    private_server: PrivateServer,
) -> None:
    private_queues = queues_of(private_server)
    assert private_queues.ring("fanout", 3)
    for _ in range(5):
        assert not private_queues.ring("fanout", 3)
    assert private_queues.ring("fanout", 4)
    assert private_queues.ring("timelines", 3)
    assert private_queues.depth("fanout") == 2
    assert 0 < private_server.client.ttl("bell:fanout:3") <= queues.BELL_SECONDS


def test_a_job_that_has_begun_lets_later_events_ring_again(private_server: PrivateServer) -> None:
    private_queues = queues_of(private_server)
    private_queues.wake(Event())
    private_queues.silence("fanout", 3)
    private_queues.wake(Event())
    assert private_queues.depth("fanout") == 2


# Security 22
@pytest.mark.parametrize("seconds", [None, 1_000_000])
def test_a_bell_that_stands_for_ever_keeps_no_shard_silent(
    private_server: PrivateServer, seconds: int | None
) -> None:
    private_server.client.set("bell:fanout:3", 1, ex=seconds)
    private_queues = queues_of(private_server)
    assert not private_queues.ring_due("fanout", 3, due=1)
    assert 0 < private_server.client.ttl("bell:fanout:3") <= queues.BELL_SECONDS
    private_server.client.expire("bell:fanout:3", 5)
    assert not private_queues.ring_due("fanout", 3, due=1)
    assert private_server.client.ttl("bell:fanout:3") <= 5
    private_server.client.delete("bell:fanout:3")
    assert private_queues.ring_due("fanout", 3, due=1)


def test_a_bell_whose_job_was_lost_can_be_rung_after_a_lease(
    private_server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "BELL_SECONDS", 1)
    private_queues = queues_of(private_server)
    private_queues.wake(Event())
    private_server.client.delete("rq:queue:fanout")
    assert not private_queues.ring("fanout", 3)
    eventually(lambda: private_queues.ring("fanout", 3), seconds=5)


@pytest.mark.parametrize("queue", QUEUES)
def test_an_event_wakes_its_own_queue_alone(private_server: PrivateServer, queue: str) -> None:
    private_queues = queues_of(private_server)
    private_queues.wake(Event(queue=queue))
    private_queues.wake(None)

    assert {name: private_queues.depth(name) for name in QUEUES} == {
        name: int(name == queue) for name in QUEUES
    }


def test_a_queue_that_is_down_fails_open_quickly_and_is_counted(
    private_server: PrivateServer,
) -> None:
    private_queues = queues_of(private_server)
    private_server.pause()
    before, start = failures(), time.monotonic()
    for _ in range(20):
        private_queues.wake(Event())

    assert failures() == before + 20
    assert time.monotonic() - start < 4
    with pytest.raises(StorageUnavailableError) as raised:
        private_queues.depth("fanout")
    assert raised.value.part == "queue"


def test_a_full_queue_takes_no_job(
    private_server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "QUEUE_LIMIT", 2)
    monkeypatch.setattr(queues, "LENGTH_SECONDS", 0.0)
    private_queues, before = queues_of(private_server), failures()
    for shard in range(4):
        private_queues.wake(Event(shard=shard))
    private_queues.wake(Event(queue="timelines"))

    assert private_queues.depth("fanout") == 2
    assert private_queues.depth("timelines") == 1
    assert failures() == before + 2


def test_a_queue_without_memory_fails_open(private_server: PrivateServer) -> None:
    private_server.client.config_set("maxmemory", 1)
    before = failures()
    queues_of(private_server).wake(Event())

    assert failures() == before + 1
