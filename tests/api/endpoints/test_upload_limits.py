"""How many photos, and bytes of them, a user may create in a day."""

import secrets
from collections.abc import Callable
from dataclasses import replace

import pytest

from api.app import create_app
from feed.background import BackgroundRebuilder
from graph import Graph
from storage import Storage
from tests.api.conftest import SETTINGS
from tests.support.concurrency import errors, run_together
from tests.support.declared_photos import create
from tests.support.people import Builders, Person, assert_problem
from tests.support.transports import ApiResponse

Limited = Callable[..., Person]
"""A new user of an app with these settings of daily uploads."""


@pytest.fixture
def limited(
    graph: Graph, storage: Storage, rebuilder: BackgroundRebuilder, builders: Builders
) -> Limited:
    def limited(*, photos: int = 1000, size: int = 10**9) -> Person:
        settings = replace(
            SETTINGS, limits_scale=1, upload_photos_a_day=photos, upload_bytes_a_day=size
        )
        app = create_app(settings, graph, storage, rebuilder)
        return builders.new_user().on(app)

    return limited


def assert_limit_reached(response: ApiResponse) -> None:
    assert_problem(response, 429, "upload-limit-reached")
    assert 86_000 < int(response.headers["Retry-After"]) <= 86_400


# Security 16
def test_photos_beyond_those_of_a_day_are_429(limited: Limited) -> None:
    person = limited(photos=2)
    assert [create(person).status_code for _ in range(2)] == [201, 201]
    assert_limit_reached(create(person))


# Security 16
def test_bytes_beyond_those_of_a_day_are_429_and_a_smaller_photo_passes(limited: Limited) -> None:
    person = limited(size=1000)
    assert create(person, size_bytes=700).status_code == 201
    assert_limit_reached(create(person, size_bytes=301))
    assert create(person, size_bytes=300).status_code == 201
    assert_limit_reached(create(person, size_bytes=1))


def test_a_repeated_key_costs_nothing_and_passes_when_the_day_is_used_up(limited: Limited) -> None:
    person, key = limited(photos=2), secrets.token_hex(8)
    assert [create(person, key).status_code for _ in range(4)] == [201, 200, 200, 200]
    assert_problem(create(person, key, size_bytes=99), 422, "idempotency-key-reused")
    assert create(person).status_code == 201
    assert create(person, key).status_code == 200
    assert_problem(create(person, key, size_bytes=99), 422, "idempotency-key-reused")
    assert_limit_reached(create(person, secrets.token_hex(8)))


def test_a_refused_declaration_costs_nothing(limited: Limited) -> None:
    person = limited(photos=1, size=99)
    assert_problem(create(person, content_type="text/html"), 415, "unsupported-photo-type")
    assert_problem(create(person, size_bytes=15_000_001), 413, "photo-too-large")
    assert_limit_reached(create(person, size_bytes=100))
    assert create(person, size_bytes=99).status_code == 201


def test_of_many_requests_at_once_as_many_pass_as_the_day_allows(limited: Limited) -> None:
    person = limited(photos=5)
    outcomes = run_together(*[lambda: create(person.on_new_connection())] * 8)
    assert not errors(outcomes)
    statuses = [one.status_code for one in outcomes if not isinstance(one, Exception)]
    assert sorted(statuses) == [201] * 5 + [429] * 3
