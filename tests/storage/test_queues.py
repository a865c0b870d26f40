import json
import time
import zlib
from dataclasses import dataclass

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from observing.metrics import FAIL_OPEN_TOTAL
from storage import StorageUnavailableError, queues
from storage.queues import QUEUE_OF_KIND, Queues
from storage.redis.server import Server
from tests.storage.private import PrivateServer


@dataclass
class Event:
    id: int = 2**53 - 1
    kind: str = "post-published"
    epoch: int = 3


def bell(server: PrivateServer) -> Queues:
    return Queues(Server("queue", server.url))


def failures() -> float:
    return float(FAIL_OPEN_TOTAL.labels(what="ring")._value.get())


def test_a_ring_is_a_job_of_the_events_id_and_epoch_and_nothing_else(
    private_server: PrivateServer,
) -> None:
    bell(private_server).ring(Event(), request_id="r-1")

    fanout = Queue("fanout", connection=private_server.client, serializer=JSONSerializer)
    [job] = fanout.jobs
    assert job.func_name == "workers.jobs.work"
    assert job.args == [2**53 - 1, 3]
    assert job.meta == {"request_id": "r-1"}
    assert (job.result_ttl, job.failure_ttl, job.timeout) == (0, 3_600, 60)
    stored = zlib.decompress(job.to_dict()["data"])
    assert json.loads(stored) == ["workers.jobs.work", None, [2**53 - 1, 3], {}]  # never pickle


@pytest.mark.parametrize("kind", QUEUE_OF_KIND)
def test_each_kind_rings_its_queue_alone(private_server: PrivateServer, kind: str) -> None:
    rung = bell(private_server)
    rung.ring(Event(kind=kind))

    depths = {name: rung.depth(name) for name in rung.names}
    assert depths == {name: int(name == QUEUE_OF_KIND[kind]) for name in rung.names}


def test_every_queue_has_a_kind() -> None:
    assert set(QUEUE_OF_KIND.values()) == set(queues.NAMES)


def test_a_bell_that_is_away_fails_open_in_little_time_and_is_counted(
    private_server: PrivateServer,
) -> None:
    rung = bell(private_server)
    private_server.stop()
    before, begun = failures(), time.monotonic()
    for _ in range(20):
        rung.ring(Event())

    assert failures() == before + 20
    assert time.monotonic() - begun < 4
    with pytest.raises(StorageUnavailableError) as raised:
        rung.depth("fanout")
    assert raised.value.part == "queue"


def test_a_full_queue_is_not_rung(
    private_server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "QUEUE_LIMIT", 2)
    monkeypatch.setattr(queues, "LENGTH_SECONDS", 0.0)
    rung, before = bell(private_server), failures()
    for _ in range(4):
        rung.ring(Event())
    rung.ring(Event(kind="followed"))

    assert rung.depth("fanout") == 2
    assert rung.depth("timelines") == 1
    assert failures() == before + 2


def test_a_store_without_memory_fails_open(private_server: PrivateServer) -> None:
    private_server.client.config_set("maxmemory", 1)
    before = failures()
    bell(private_server).ring(Event())

    assert failures() == before + 1
