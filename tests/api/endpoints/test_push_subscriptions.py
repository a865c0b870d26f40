"""Push subscriptions over HTTP."""

import time
from typing import Any

import pytest
from flask import Flask

from api.app import create_app
from api.settings import ApiSettings
from drill.support.push_service import Browser
from feed.background import BackgroundRebuilder
from graph import Graph
from storage import Storage
from tests.support.people import Builders, Person, assert_problem
from tests.support.tokens import TOKEN_KEY
from tests.support.town import Town
from tests.support.vapid import new_private_key
from web_push.keys import public_key_of
from web_push.settings import WebPushSettings

SUBSCRIPTIONS = "/v1/me/push-subscriptions"
ORIGIN = "http://127.0.0.1:9400"
KEY = new_private_key()


@pytest.fixture(scope="module")
def push_app(graph: Graph, storage: Storage, rebuilder: BackgroundRebuilder) -> Flask:
    """An app with a key for Web Push."""
    settings = ApiSettings(
        cursor_secret="a secret of the tests",
        token_keys=(TOKEN_KEY,),
        limits_scale=10_000,
        web_push=WebPushSettings(private_key=KEY, origins=frozenset({ORIGIN})),
    )
    return create_app(settings, graph, storage, rebuilder)


@pytest.fixture
def person(builders: Builders, push_app: Flask) -> Person:
    return builders.new_user().on(push_app)


def subscribe(person: Person, browser: Browser | None = None, status: int = 201) -> dict[str, Any]:
    response = person.post(SUBSCRIPTIONS, json=(browser or Browser(ORIGIN)).json)
    assert response.status_code == status, response.text
    return dict(response.json)


def listed(person: Person) -> list[dict[str, Any]]:
    return list(person.read(SUBSCRIPTIONS)["push_subscriptions"])


def test_the_key_is_the_public_one(person: Person) -> None:
    assert person.read("/v1/push/key") == {"key": public_key_of(KEY)}


def test_a_subscription_is_created_found_listed_and_ended(person: Person) -> None:
    browser = Browser(ORIGIN)
    created = subscribe(person, browser)
    assert created["origin"] == ORIGIN
    assert created["current"]
    assert subscribe(person, browser, 200) == created
    assert listed(person) == [created]
    for _ in range(2):
        assert person.delete(f"{SUBSCRIPTIONS}/{created['id']}").status_code == 204
    assert listed(person) == []
    assert subscribe(person, browser)["id"] != created["id"]


def test_no_answer_contains_the_endpoint_or_a_key(person: Person) -> None:
    browser = Browser(ORIGIN)
    person.post(SUBSCRIPTIONS, json=browser.json)
    text = person.get(SUBSCRIPTIONS).text + person.post(SUBSCRIPTIONS, json=browser.json).text
    for secret in (browser.endpoint, browser.p256dh, browser.json["keys"]["auth"]):
        assert secret not in text


def test_the_list_says_which_one_is_of_this_session(person: Person) -> None:
    other = person.sign_in()
    mine, others = subscribe(person), subscribe(other)
    assert [(one["id"], one["current"]) for one in listed(person)] == [
        (others["id"], False),
        (mine["id"], True),
    ]


# Security 7
def test_another_users_subscription_is_not_found(
    builders: Builders, push_app: Flask, person: Person
) -> None:
    other = builders.new_user().on(push_app)
    created = subscribe(person)
    for path in (created["id"], "1"):
        assert_problem(other.delete(f"{SUBSCRIPTIONS}/{path}"), 404, "not-found")
    assert listed(other) == []
    assert listed(person) == [created]


def test_the_next_user_of_a_browser_takes_its_subscription(
    builders: Builders, push_app: Flask, person: Person
) -> None:
    other, browser = builders.new_user().on(push_app), Browser(ORIGIN)
    subscribe(person, browser)
    moved = subscribe(other, browser)
    assert listed(person) == []
    assert listed(other) == [moved]


# Security 20
def test_another_users_endpoint_with_other_keys_is_refused(
    builders: Builders, push_app: Flask, person: Person
) -> None:
    other, browser = builders.new_user().on(push_app), Browser(ORIGIN)
    created = subscribe(person, browser)
    forged = {**browser.json, "keys": Browser(ORIGIN).json["keys"]}
    problem = assert_problem(other.post(SUBSCRIPTIONS, json=forged), 409, "push-subscription-taken")
    assert "endpoint" in problem["errors"]
    assert listed(person) == [created]
    assert person.post(SUBSCRIPTIONS, json=forged).status_code == 200


@pytest.mark.parametrize("way", ["sign-out", "revocation", "password"])
def test_a_subscription_ends_with_its_session(person: Person, way: str) -> None:
    other = person.sign_in()
    kept, _ = subscribe(person), subscribe(other)
    assert len(listed(person)) == 2
    if way == "sign-out":
        response = other.delete("/v1/me/sessions/current")
    elif way == "revocation":
        sessions = person.read("/v1/me/sessions")["sessions"]
        [session] = [one for one in sessions if not one["current"]]
        response = person.delete(f"/v1/me/sessions/{session['id']}")
    else:
        passwords = {"current_password": "a long password", "password": "another long password"}
        response = person.patch("/v1/me", json=passwords)
    assert response.status_code in {200, 204}, response.text
    assert listed(person) == [kept]


# Security 20
@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evil.test/push",
        "http://fcm.googleapis.com/fcm/send/x",
        "https://fcm.googleapis.com:8443/x",
        "https://user@fcm.googleapis.com/x",
        "https://127.0.0.1/push",
        "https://169.254.169.254/latest",
        "http://127.0.0.1:9401/push",
        "https://fcm.googleapis.com./x",
        "file:///etc/passwd",
        "x",
    ],
)
def test_an_endpoint_of_no_known_push_service_is_refused(person: Person, endpoint: str) -> None:
    body = {**Browser(ORIGIN).json, "endpoint": endpoint}
    problem = assert_problem(person.post(SUBSCRIPTIONS, json=body), 422, "push-service-not-allowed")
    assert "endpoint" in problem["errors"]
    assert listed(person) == []


def changed(path: str, value: Any) -> dict[str, Any]:
    body = Browser(ORIGIN).json
    if path.startswith("keys."):
        body["keys"][path.removeprefix("keys.")] = value
    else:
        body[path] = value
    return body


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("endpoint", ""),
        ("endpoint", f"{ORIGIN}/{'a' * 2_048}"),
        ("endpoint", 1),
        ("endpoint", None),
        ("keys", {}),
        ("keys", None),
        ("keys.p256dh", "x"),
        ("keys.p256dh", "BA" + "A" * 85),
        ("keys.p256dh", None),
        ("keys.auth", "A" * 21),
        ("keys.auth", "é" * 22),
        ("keys.other", "x"),
        ("expirationTime", 1_000),
        ("expirationTime", 1e300),
        ("expirationTime", "4102444800000"),
        ("expirationTime", True),
        ("other", "x"),
    ],
)
def test_a_wrong_field_is_named(person: Person, path: str, value: Any) -> None:
    response = person.post(SUBSCRIPTIONS, json=changed(path, value))
    problem = assert_problem(response, 422, "invalid-fields")
    assert any(field.startswith(path.partition(".")[0]) for field in problem["errors"])


def test_an_expiration_time_ends_the_subscription(person: Person, graph: Graph) -> None:
    soon = time.time() * 1000 + 86_400_000.5
    for later in (soon, int(soon), None):
        response = person.post(SUBSCRIPTIONS, json=changed("expirationTime", later))
        assert response.status_code == 201, response.text
    assert len(listed(person)) == 3
    Town(graph).query(
        "MATCH (n:PushSubscription {user_id: $id}) WHERE n.expires_at IS NOT NULL"
        " SET n.expires_at = timestamp() - 1",
        id=person.id,
    )
    assert len(listed(person)) == 1


def test_without_a_key_push_answers_501_and_the_rest_works(builders: Builders) -> None:
    person = builders.new_user()
    for response in (
        person.get("/v1/push/key"),
        person.post(SUBSCRIPTIONS, json=Browser("https://web.push.apple.com").json),
    ):
        assert_problem(response, 501, "push-not-configured")
    assert listed(person) == []
    assert_problem(person.delete(f"{SUBSCRIPTIONS}/1"), 404, "not-found")


def test_a_subscription_after_the_sign_out_is_401(person: Person) -> None:
    other = person.sign_in()
    other.delete("/v1/me/sessions/current")
    assert_problem(other.post(SUBSCRIPTIONS, json=Browser(ORIGIN).json), 401, "not-signed-in")
