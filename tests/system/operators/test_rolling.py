"""A rolling restart while people post and read, and two versions side by side. Case 6."""

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus

import pytest
import redis
import requests
from rq import Queue
from rq.serializers import JSONSerializer

from graph import Graph
from graph.events import Event
from stack.commands import rolling_restart
from storage.queues import JOB_FUNCTION
from tests.support.eventually import eventually
from tests.support.running import Running
from tests.support.town import Town
from tests.system.journeys.people import Person

WRITERS = 3
SERVER_ERRORS = range(500, 600)
PAUSE_SECONDS = 0.1


class Load:
    """People who post and read without a pause, each request on a connection of its own.

    A connection that is closed before its answer is tried again, with the same key, as a client
    of HTTP does; it is counted.
    """

    def __init__(self, running: Running, town: Town) -> None:
        self._url = running.url
        self._town = town
        self._stop = threading.Event()
        self.people = [Person(running.url, f"writer{number}") for number in range(WRITERS)]
        for person in self.people[1:]:
            person.follow(self.people[0])
            person.feed_ids()
        self.posted: list[int] = []
        """What the first of them, whom all follow, has posted."""
        self.answers: Counter[int] = Counter()
        self.cut = 0

    def run(self, work: Callable[[], None]) -> None:
        """Does the work while everybody goes on."""
        with ThreadPoolExecutor(2 * WRITERS) as threads:
            going = [threads.submit(self._post, person) for person in self.people]
            going += [threads.submit(self._read, person) for person in self.people]
            try:
                work()
            finally:
                self._stop.set()
            for one in going:
                one.result(timeout=60)

    def _post(self, person: Person) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            body = {"photo_ids": [str(self._town.photo(person.id))]}
            key = {"Idempotency-Key": secrets.token_hex(8)}
            answer = self._ask(person, "POST", "/v1/me/feed", json=body, headers=key)
            if person is self.people[0] and answer.status_code == HTTPStatus.CREATED:
                self.posted.append(int(answer.json()["id"]))

    def _read(self, person: Person) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            self._ask(person, "GET", "/v1/me/feed")

    def _ask(self, person: Person, method: str, path: str, **request: object) -> requests.Response:
        headers = {"Authorization": f"Bearer {person.token}", "Connection": "close"}
        headers |= request.pop("headers", {})  # type: ignore[call-overload]
        last = requests.ConnectionError("never asked")
        for _ in range(5):
            try:
                answer = requests.request(
                    method,
                    self._url + path,
                    headers=headers,
                    timeout=30,
                    **request,  # type: ignore[arg-type]
                )
            except requests.ConnectionError as error:
                self.cut += 1
                last = error
                continue
            self.answers[answer.status_code] += 1
            return answer
        raise last


@pytest.fixture
def town(graph: Graph, running: Running) -> Town:
    assert running
    return Town(graph)


@pytest.fixture
def bell(running: Running) -> Iterator[Queue]:
    """The queue of the timelines' worker, as a newer version would ring it."""
    with redis.Redis.from_url(running.env["QUEUE_REDIS_URL"], protocol=2) as client:
        yield Queue("timelines", connection=client, serializer=JSONSerializer)


def test_everything_is_restarted_under_load_without_a_5xx_and_without_a_lost_job(
    running: Running, town: Town
) -> None:
    load = Load(running, town)
    names = ("photos", "fanout", "fanout-large", "timelines", "removal", "sweeper")
    before = {name: running.pid(name) for name in names}
    servers = {name: running.pid(name) for name in ("api", "admin")}
    said: list[str] = []
    load.run(lambda: rolling_restart.restart(running._stack.settings, running.env, said.append))
    print(f"{said}; {dict(load.answers)}; {load.cut} cut; {len(load.posted)} posts for all")
    assert not [status for status in load.answers if status in SERVER_ERRORS]
    assert load.answers[HTTPStatus.CREATED] > WRITERS
    assert load.cut <= load.answers.total() / 50
    assert all(running.pid(name) != before[name] for name in names)
    assert {name: running.pid(name) for name in servers} == servers
    assert not any("times within" in line for line in running.said)
    for person in load.people:
        eventually(partial(everything_is_there, person, load.posted), seconds=60)
    eventually(lambda: not town.events_of(*[person.id for person in load.people]), seconds=60)


def everything_is_there(person: Person, posted: list[int]) -> bool:
    """Whether the whole of a feed has each of these once."""
    ids = [int(post["id"]) for page in person.walk(100) for post in page["posts"]]
    return set(posted) <= set(ids) and len(ids) == len(set(ids))


def test_an_event_of_a_newer_version_is_left_to_it_and_never_quarantined(
    running: Running, town: Town, bell: Queue, graph: Graph
) -> None:
    event = town.event("of-the-next-version", 1, 2, attempts=7)
    for _ in range(4):
        town.end_lease(event.id)
        epoch = by_now(town, event.id).epoch
        bell.enqueue(JOB_FUNCTION, event.id, epoch)
        eventually(partial(has_gone_on, town, event.id, epoch))
    standing = graph.events.by_id(event.id)
    assert standing
    assert standing.state != "quarantined"
    assert standing.event.attempts == 7
    said = [line for line in running.log("timelines").splitlines() if "of-the-next-version" in line]
    assert len([line for line in said if "kind unknown" in line]) == 1
    assert "Traceback" not in "".join(said)
    town.query("MATCH (event:Event {id: $id}) DELETE event", id=event.id)


def by_now(town: Town, event_id: int) -> Event:
    found = town.find_event(event_id)
    assert found
    return found


def has_gone_on(town: Town, event_id: int, epoch: int) -> bool:
    """Whether the event has been claimed since, and given back: its attempts as before."""
    found = by_now(town, event_id)
    return found.epoch > epoch and found.attempts == 7


def test_a_job_and_an_event_with_more_in_them_are_done_all_the_same(
    town: Town, bell: Queue
) -> None:
    viewer, author = town.users(2)
    event = town.event("followed", viewer, author)
    town.query("MATCH (event:Event {id: $id}) SET event.newer = 'x', event.trace = [1]", id=event.id)
    bell.enqueue(JOB_FUNCTION, event.id, event.epoch, "more", newer=True)
    eventually(lambda: town.find_event(event.id) is None)


def test_an_event_of_before_is_rung_by_the_sweeper_of_now(town: Town) -> None:
    viewer, author = town.users(2)
    event = town.event("followed", viewer, author)
    eventually(lambda: town.find_event(event.id) is None, seconds=40)
