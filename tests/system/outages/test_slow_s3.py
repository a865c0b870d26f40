"""S3 is slow or silent while many clients complete their uploads (case 45)."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self

import pytest
import requests

from api.http.load_shedding import WAIT_SECONDS
from drill.support.proxy import Proxy, proxied
from graph import Graph
from storage.photos import PROBE_SECONDS, QUICK_READ_SECONDS
from tests.support.eventually import eventually
from tests.support.people import Person
from tests.support.supervised_stack import SupervisedStack, external_stores
from tests.support.town import Town

COMPLETIONS_A_SECOND = 50
SECONDS = 7.0
"""Three calls in a row that get no answer, and the time after them."""
LATENCY_SECONDS = 0.85
"""Of a slow S3, each way: a call takes 1.7 s, less than its time-out."""
CALL_SECONDS = 2 * LATENCY_SECONDS
"""For nine refusals in ten, and for a presigned URL. An idle machine needs 5 ms to 0.1 s."""
TIMES = 3
"""How much longer the other routes may take than with a healthy S3."""
REFUSED_SHARE = 0.02
"""Of the other routes' requests: a busy machine may refuse some although S3 is healthy."""
PATHS = ("/v1/me/feed?limit=20", "/v1/me")
PICTURE = b"\xff\xd8 nobody decodes it here"


@pytest.fixture(scope="module")
def to_s3(stack_env: dict[str, str]) -> Iterator[tuple[Proxy, str]]:
    """A proxy before S3, and its URL."""
    proxy, url = proxied(stack_env["S3_ENDPOINT_URL"])
    with proxy:
        yield proxy, url


@pytest.fixture(scope="module")
def services(stack_env: dict[str, str], to_s3: tuple[Proxy, str]) -> Iterator[SupervisedStack]:
    _proxy, url = to_s3
    with SupervisedStack(
        external_stores(stack_env),
        processes=("api",),
        extra_env={"S3_ENDPOINT_URL": url, "LIMITS_SCALE": "1000000"},
    ) as services:
        yield services


REFUSALS = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}
"""All completions are of one user, who has one turn at S3."""


@dataclass
class Completions:
    """Completions of one photo without an upload, begun at a steady rate until the context ends."""

    owner: Person
    photo_id: int
    statuses: Counter[int] = field(default_factory=Counter)
    refused_seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._own = threading.local()
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(4 * COMPLETIONS_A_SECOND)
        self._begins = threading.Thread(target=self._begin, daemon=True)

    def __enter__(self) -> Self:
        self._begins.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._begins.join()
        self._pool.shutdown()

    def _begin(self) -> None:
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            due += 1 / COMPLETIONS_A_SECOND
            self._pool.submit(self._complete)

    def _complete(self) -> None:
        if not hasattr(self._own, "owner"):
            self._own.owner = self.owner.on_new_connection()
        began = time.monotonic()
        response = self._own.owner.post(f"/v1/me/photos/{self.photo_id}/complete")
        seconds = time.monotonic() - began
        self.statuses[response.status_code] += 1
        if response.status_code in REFUSALS:
            self.refused_seconds.append(seconds)
            if "Retry-After" not in response.headers:
                self.wrong.append(response.text)


@dataclass
class Readings:
    """The responses to one client that reads two routes in turns."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=lambda: {path: [] for path in PATHS})

    def p99(self, path: str) -> float:
        ordered = sorted(self.seconds[path])
        return ordered[len(ordered) * 99 // 100]

    @property
    def refused_share(self) -> float:
        return self.statuses[HTTPStatus.SERVICE_UNAVAILABLE] / self.statuses.total()

    @property
    def calm(self) -> bool:
        """Whether the processes and stores have warmed up."""
        return set(self.statuses) == {HTTPStatus.OK} and all(
            self.p99(path) < WAIT_SECONDS for path in PATHS
        )


def read(reader: Person, seconds: float = SECONDS) -> Readings:
    readings, end = Readings(), time.monotonic() + seconds
    reader = reader.on_new_connection()
    while time.monotonic() < end:
        for path in PATHS:
            began = time.monotonic()
            readings.statuses[reader.get(path).status_code] += 1
            readings.seconds[path].append(time.monotonic() - began)
        time.sleep(0.01)  # a client's pace, not a wait for something
    return readings


def create_photo(owner: Person) -> tuple[dict[str, Any], float]:
    """A new photo with its presigned PUT, and the seconds that the request took."""
    owner = owner.on_new_connection()
    body = {"content_type": "image/jpeg", "size_bytes": len(PICTURE)}

    def create() -> tuple[dict[str, Any], float] | None:
        began = time.monotonic()
        response = owner.post("/v1/me/photos", json=body)
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:  # of a busy machine
            return None
        assert response.status_code == HTTPStatus.CREATED, response.text
        return response.json, time.monotonic() - began

    created = eventually(create, seconds=SECONDS)
    assert created
    return created


def upload(photo: dict[str, Any]) -> None:
    put = photo["upload"]
    response = requests.put(put["url"], data=PICTURE, headers=put["headers"], timeout=30)
    assert response.ok, response.text


# Case 45
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", ["slow", "silent"])
def test_a_slow_s3_delays_no_other_route_and_completions_beyond_its_turns_are_refused_at_once(
    services: SupervisedStack,
    to_s3: tuple[Proxy, str],
    graph: Graph,
    capsys: pytest.CaptureFixture[str],
    fault: str,
) -> None:
    town = Town(graph)
    author = town.user()
    town.post(author)
    reader, owner = services.sign_up("reader"), services.sign_up("owner")
    town.add_followees(reader.id, author)
    eventually(reader.feed)
    waiting = town.waiting_photo(owner.id).id
    proxy, _url = to_s3
    with Completions(owner, waiting) as healthy_completions:
        eventually(lambda: read(reader, 1).calm)
        healthy = read(reader)
    if fault == "slow":
        proxy.slow(LATENCY_SECONDS)
    else:
        proxy.swallow()
    with Completions(owner, waiting) as completions:
        disturbed = read(reader)
        photo, creation_seconds = create_photo(owner)
    proxy.resume()
    refused = sorted(completions.refused_seconds)
    with capsys.disabled():
        times = ", ".join(
            f"{path.partition('?')[0]} p99 {1000 * disturbed.p99(path):.0f} ms of "
            f"{1000 * healthy.p99(path):.0f} ms"
            for path in PATHS
        )
        print(
            f"\nS3 {fault}: {times}; completions {dict(completions.statuses)}, with a healthy S3 "
            f"{dict(healthy_completions.statuses)}; refused: median "
            f"{1000 * refused[len(refused) // 2]:.0f} ms, slowest {refused[-1]:.1f} s"
        )
    assert set(disturbed.statuses) <= {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}
    assert disturbed.refused_share <= max(healthy.refused_share, REFUSED_SHARE)
    for path in PATHS:
        assert disturbed.p99(path) < max(TIMES * healthy.p99(path), WAIT_SECONDS), path
    assert set(completions.statuses) <= {HTTPStatus.CONFLICT, *REFUSALS}
    assert not completions.wrong
    assert refused[len(refused) * 9 // 10] < CALL_SECONDS
    assert creation_seconds < CALL_SECONDS, "a presigned URL needs no call to S3"
    if fault == "silent":
        assert "store away, left alone" in services.log("api")
    upload(photo)
    eventually(
        lambda: (
            owner.on_new_connection().post(f"/v1/me/photos/{photo['id']}/complete").status_code
            == HTTPStatus.ACCEPTED
        ),
        seconds=PROBE_SECONDS + QUICK_READ_SECONDS + 5,
    )
    town.forget_events()
