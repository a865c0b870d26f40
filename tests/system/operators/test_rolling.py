"""A rolling restart under load, and two versions side by side (case 6)."""

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
from stack.parts.photofeed import WORKERS
from storage.bell_jobs import JOB_FUNCTION
from tests.support.eventually import eventually
from tests.support.people import Person, post_ids
from tests.support.supervised_stack import SupervisedStack
from tests.support.town import Town

WRITERS = 3
SERVER_ERRORS = range(500, 600)
PAUSE_SECONDS = 0.1
ATTEMPTS = 7
"""Of the events below: one more attempt without progress would quarantine them."""


class Load:
    """Users who publish and read during the restart, each request on a new connection.

    A request whose connection is closed before its response is repeated with the same key, as a
    client of HTTP does; such connections are counted.
    """

    def __init__(self, services: SupervisedStack, town: Town) -> None:
        self._url = services.url
        self._town = town
        self._stop = threading.Event()
        self.people = [services.sign_up(f"writer{number}") for number in range(WRITERS)]
        self._author, *followers = self.people
        for follower in followers:
            follower.follow(self._author)
            follower.feed()
        self.posts: list[int] = []
        """The posts of the first writer, whom the others follow."""
        self.statuses: Counter[int] = Counter()
        self.closed_connections = 0

    def run(self, work: Callable[[], None]) -> None:
        """Does the work under load."""
        with ThreadPoolExecutor(2 * WRITERS) as threads:
            clients = [
                threads.submit(client, person)
                for client in (self._publish, self._read)
                for person in self.people
            ]
            try:
                work()
            finally:
                self._stop.set()
            for client in clients:
                client.result(timeout=60)

    def _publish(self, person: Person) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            draft = {"photo_ids": [str(self._town.photo(person.id))]}
            key = {"Idempotency-Key": secrets.token_hex(8)}
            response = self._send(person, "POST", "/v1/me/feed", json=draft, headers=key)
            if person is self._author and response.status_code == HTTPStatus.CREATED:
                self.posts.append(int(response.json()["id"]))

    def _read(self, person: Person) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            self._send(person, "GET", "/v1/me/feed")

    def _send(self, person: Person, method: str, path: str, **request: object) -> requests.Response:
        headers = {"Authorization": f"Bearer {person.token}", "Connection": "close"}
        headers |= request.pop("headers", {})  # type: ignore[call-overload]
        last_error = requests.ConnectionError("not sent yet")
        for _ in range(5):
            try:
                response = requests.request(
                    method,
                    self._url + path,
                    headers=headers,
                    timeout=30,
                    **request,  # type: ignore[arg-type]
                )
            except requests.ConnectionError as error:
                self.closed_connections += 1
                last_error = error
                continue
            self.statuses[response.status_code] += 1
            return response
        raise last_error


@pytest.fixture
def town(graph: Graph, services: SupervisedStack) -> Town:
    """Its events are the work of the running processes."""
    assert services
    return Town(graph)


@pytest.fixture
def timelines_queue(services: SupervisedStack) -> Iterator[Queue]:
    """The queue of the timelines' worker, for jobs of a newer version."""
    with redis.Redis.from_url(services.env["QUEUE_REDIS_URL"], protocol=2) as client:
        yield Queue("timelines", connection=client, serializer=JSONSerializer)


# Case 6
def test_a_rolling_restart_under_load_gives_no_5xx_and_loses_no_job(
    services: SupervisedStack, town: Town
) -> None:
    load = Load(services, town)
    workers = {name: services.pid(name) for name in WORKERS}
    servers = {name: services.pid(name) for name in ("api", "admin")}
    reports: list[str] = []
    load.run(lambda: rolling_restart.restart(services.settings, services.env, reports.append))
    print(f"{reports}; {dict(load.statuses)}; {load.closed_connections} closed connections")
    assert not [status for status in load.statuses if status in SERVER_ERRORS]
    assert load.statuses[HTTPStatus.CREATED] > WRITERS
    assert load.closed_connections <= load.statuses.total() / 50
    assert all(services.pid(name) != pid for name, pid in workers.items())
    assert {name: services.pid(name) for name in servers} == servers
    assert not any("times within" in line for line in services.reports)
    for person in load.people:
        eventually(partial(feed_has_each_once, person, load.posts))
    eventually(lambda: not town.events_of(*[person.id for person in load.people]))


def feed_has_each_once(person: Person, posts: list[int]) -> bool:
    ids = [post_id for page in person.feed_pages(limit=100) for post_id in post_ids(page)]
    return set(posts) <= set(ids) and len(ids) == len(set(ids))


# Case 6
def test_an_event_of_a_newer_version_is_released_and_never_quarantined(
    services: SupervisedStack, town: Town, timelines_queue: Queue, graph: Graph
) -> None:
    event = town.event("of-the-next-version", 1, 2, queue="timelines", attempts=ATTEMPTS)
    for _ in range(4):
        town.end_lease(event.id)
        epoch = current_state(town, event.id).epoch
        timelines_queue.enqueue(JOB_FUNCTION, "timelines", event.shard)
        eventually(partial(was_released, town, event.id, epoch))
    latest = graph.events.by_id(event.id)
    assert latest
    assert latest.state != "quarantined"
    assert latest.event.attempts == ATTEMPTS
    log = services.log("timelines").splitlines()
    lines = [line for line in log if "of-the-next-version" in line]
    assert len([line for line in lines if "kind unknown" in line]) == 1
    assert "Traceback" not in "".join(lines)
    town.query("MATCH (event:Event {id: $id}) DELETE event", id=event.id)


def current_state(town: Town, event_id: int) -> Event:
    event = town.find_event(event_id)
    assert event
    return event


def was_released(town: Town, event_id: int, epoch: int) -> bool:
    """Whether a worker has claimed the event since and has released it without an attempt."""
    event = current_state(town, event_id)
    return event.epoch > epoch and event.attempts == ATTEMPTS


# Case 6
def test_a_job_and_an_event_with_unknown_fields_are_done(
    town: Town, timelines_queue: Queue
) -> None:
    viewer, author = town.users(2)
    event = town.event("followed", viewer, author)
    town.query(
        "MATCH (event:Event {id: $id}) SET event.newer = 'x', event.trace = [1]", id=event.id
    )
    timelines_queue.enqueue(JOB_FUNCTION, event.queue, event.shard, "more", newer=True)
    eventually(lambda: town.find_event(event.id) is None)


# Case 6
def test_an_event_of_an_older_version_is_done(town: Town) -> None:
    viewer, author = town.users(2)
    event = town.event("followed", viewer, author)
    town.query(
        "MATCH (event:Event {id: $id}) SET event.rung_at = 0"
        " REMOVE event.queue, event.tried, event.owed_at",
        id=event.id,
    )
    eventually(lambda: town.find_event(event.id) is None)


# Case 6
def test_a_job_of_an_older_version_drains_the_shard_of_its_event(
    town: Town, timelines_queue: Queue
) -> None:
    viewer, author = town.users(2)
    event = town.event("followed", viewer, author)
    timelines_queue.enqueue("workers.jobs.work", event.id, event.epoch)
    eventually(lambda: town.find_event(event.id) is None)
