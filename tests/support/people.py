"""Users of the API, in this process through Flask's test client or over HTTP; their builders."""

import base64
import hashlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import requests
from flask import Flask

from api.http.context import context_of
from api.services import sessions
from api.services.passwords import Passwords
from graph import Graph
from graph.ids import new_id
from tests.support.eventually import eventually
from tests.support.outbox import claim, finish
from tests.support.tokens import TOKENS
from tests.support.town import Town
from tests.support.transports import ApiResponse, AppTransport, Transport

PASSWORD = "a long password"
OTHER_PASSWORD = "quite another password"
PASSWORD_HASH = Passwords().hash(PASSWORD)
"""Computed once: a hash costs thirty times as much as the rest of a sign-up."""
A_DAY = sessions.Lifetime(days=1)
RETRY_SECONDS = 60
"""How long a request is repeated while the API answers 503 or its process is replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A signed-in user."""

    transport: Transport
    id: int
    username: str
    token: str

    def call(self, method: str, path: str, **kwargs: Any) -> ApiResponse:
        headers = {"Authorization": f"Bearer {self.token}", **kwargs.pop("headers", {})}
        return self.transport.send(method, path, headers=headers, **kwargs)

    def get(self, path: str, **kwargs: Any) -> ApiResponse:
        return self.call("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> ApiResponse:
        return self.call("POST", path, **kwargs)

    def put(self, path: str, **kwargs: Any) -> ApiResponse:
        return self.call("PUT", path, **kwargs)

    def patch(self, path: str, **kwargs: Any) -> ApiResponse:
        return self.call("PATCH", path, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> ApiResponse:
        return self.call("DELETE", path, **kwargs)

    def on(self, target: Flask | Transport, token: str = "") -> "Person":
        """The same user at another app or server, or with another session."""
        transport = AppTransport(target) if isinstance(target, Flask) else target
        return Person(
            transport=transport, id=self.id, username=self.username, token=token or self.token
        )

    def on_new_connection(self) -> "Person":
        """The same session over a connection of its own, for another thread."""
        return self.on(self.transport.renew())

    def sign_in(self, password: str = PASSWORD) -> "Person":
        """The same user with a new session."""
        response = sign_in(self.transport, self.username, password)
        assert response.status_code == HTTPStatus.CREATED, response.text
        return self.on(self.transport, response.json["auth_token"])

    def read(self, path: str) -> dict[str, Any]:
        """The JSON of a resource. Asserts that the request succeeds."""
        response = self.get(path)
        assert response.status_code == HTTPStatus.OK, response.text
        return dict(response.json)

    def follow(self, followee: "Person") -> None:
        response = self.put(f"/v1/me/following/{followee.id}")
        assert response.status_code == HTTPStatus.NO_CONTENT, response.text

    def block(self, blocked: "Person") -> None:
        response = self.put(f"/v1/me/blocks/{blocked.id}")
        assert response.status_code == HTTPStatus.NO_CONTENT, response.text

    def feed(self, *, limit: int = 100) -> list[int]:
        """The post ids of the first page of the feed."""
        return post_ids(self.read(f"/v1/me/feed?limit={limit}"))

    def feed_pages(self, *, limit: int) -> Iterator[dict[str, Any]]:
        """Every page of the feed, from the newest post to the end."""
        page = self.read(f"/v1/me/feed?limit={limit}")
        yield page
        while "next" in page:
            page = self.read(f"/v1/me/feed?limit={limit}&cursor={page['next']}")
            yield page

    def upload(self, picture: bytes, content_type: str = "image/jpeg") -> int:
        """Uploads and completes a photo; its id. The photo is not ready yet."""
        photo = {"content_type": content_type, "size_bytes": len(picture), "alt_text": "a test"}
        response = self.post("/v1/me/photos", json=photo)
        assert response.status_code == HTTPStatus.CREATED, response.text
        photo_id, upload = response.json["id"], response.json["upload"]
        stored = requests.request(
            upload["method"], upload["url"], data=picture, headers=upload["headers"], timeout=60
        )
        assert stored.ok, stored.text
        response = self.post(f"/v1/me/photos/{photo_id}/complete")
        assert response.status_code == HTTPStatus.ACCEPTED, response.text
        return int(photo_id)

    def wait_until_ready(self, photo_id: int, *, seconds: float = 60) -> dict[str, Any]:
        """The photo as soon as it is ready."""

        def ready_photo() -> dict[str, Any] | None:
            photo = self.read(f"/v1/me/photos/{photo_id}")
            assert photo["state"] in {"processing", "ready"}, photo
            return photo if photo["state"] == "ready" else None

        photo = eventually(ready_photo, seconds=seconds, every=0.2)
        assert photo
        return photo

    def publish(self, photo_id: int, *, caption: str = "", key: str = "") -> int:
        """Publishes a post of the photo; its id.

        Repeats the request with the same key where the connection is lost, the API answers 503, or
        the first request is still in flight.
        """
        draft = {"photo_ids": [str(photo_id)], "caption": caption or f"photo {photo_id}"}
        key = key or secrets.token_hex(16)
        end = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                response = send_post(self, draft, key)
            except requests.RequestException:
                assert time.monotonic() < end
            else:
                if response.status_code in {HTTPStatus.CREATED, HTTPStatus.OK}:
                    return int(response.json["id"])
                assert _is_temporary(response), response.text
                assert time.monotonic() < end, response.text
            time.sleep(0.2)


@dataclass(frozen=True, slots=True)
class Builders:
    """Creates users, follows, photos and posts, with defaults for all but the fact under test."""

    app: Flask
    graph: Graph

    def new_user(self, *, name: str = "") -> Person:
        """A user with PASSWORD and a session, created directly in the graph."""
        user_id, username = new_id(), f"u{secrets.token_hex(8)}"
        self.graph.users.create(
            user_id=user_id, username=username, name=name or username, password_hash=PASSWORD_HASH
        )
        storage = context_of(self.app).storage
        token = sessions.create(self.graph, storage, user_id, lifetime=A_DAY).token
        transport = AppTransport(self.app)
        return Person(transport=transport, id=user_id, username=username, token=TOKENS.sign(token))

    def photo_waiting(self, owner: Person) -> int:
        return Town(self.graph).waiting_photo(owner.id).id

    def photo_processing(self, owner: Person) -> int:
        photo_id = self.photo_waiting(owner)
        _, event = self.graph.photos.complete(photo_id, owner_id=owner.id)
        assert event
        claimed = claim(self.graph, event.id, event.epoch)
        assert claimed
        finish(self.graph, claimed.id, claimed.epoch)
        return photo_id

    def photo_ready(self, owner: Person) -> int:
        photo_id = self.photo_processing(owner)
        Town(self.graph).set_ready(photo_id)
        return photo_id

    def photo_failed(self, owner: Person) -> int:
        photo_id = self.photo_processing(owner)
        self.graph.photos.set_failed(photo_id, "not-an-image")
        return photo_id

    def draft(self, author: Person, **body: Any) -> dict[str, Any]:
        photo_ids = body["photo_ids"] if "photo_ids" in body else [self.photo_ready(author)]
        return {**body, "photo_ids": [str(photo_id) for photo_id in photo_ids]}

    def publish(self, author: Person, **body: Any) -> dict[str, Any]:
        response = send_post(author, self.draft(author, **body))
        assert response.status_code == 201, response.text
        post: dict[str, Any] = response.json
        return post


def call_api(app: Flask, method: str, path: str, **kwargs: Any) -> ApiResponse:
    """The response to a request without a token. Asserts that the API document lists it."""
    return AppTransport(app).send(method, path, **kwargs)


def sign_up(transport: Transport, name: str = "ana", *, password: str = PASSWORD) -> Person:
    """A new user, whose username begins with `name`.

    Repeats the request while the API answers 503: it hashes few passwords at the same time.
    """
    username = f"{name}_{secrets.token_hex(5)}"
    account = {"username": username, "password": password, "name": name.title()}

    def send() -> ApiResponse | None:
        response = transport.send("POST", "/v1/accounts", json=account)
        is_busy = response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert is_busy or response.status_code == HTTPStatus.CREATED, response.text
        return None if is_busy else response

    response = eventually(send, seconds=RETRY_SECONDS, every=1)
    assert response
    return Person(
        transport=transport,
        id=int(response.json["user"]["id"]),
        username=username,
        token=response.json["auth_token"],
    )


def sign_in(target: Flask | Transport, username: str, password: str = PASSWORD) -> ApiResponse:
    transport = AppTransport(target) if isinstance(target, Flask) else target
    body = {"username": username, "password": password}
    return transport.send("POST", "/v1/sessions", json=body)


def send_post(author: Person, draft: dict[str, Any], key: str = "") -> ApiResponse:
    headers = {"Idempotency-Key": key or secrets.token_hex(8)}
    return author.post("/v1/me/feed", json=draft, headers=headers)


def post_ids(page: dict[str, Any]) -> list[int]:
    """The ids of the posts in a page of a feed."""
    return [int(post["id"]) for post in page["posts"]]


def checksum(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def assert_problem(response: ApiResponse, status: int, code: str) -> dict[str, Any]:
    """The problem in the response. Asserts that it has the members of every problem."""
    assert (response.status_code, response.content_type) == (status, "application/problem+json"), (
        response.status_code,
        response.text,
    )
    problem: dict[str, Any] = response.json
    assert problem["code"] == code, problem
    assert problem["status"] == status
    assert problem["type"].endswith(code)
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == response.headers["X-Request-Id"]
    assert set(problem) <= {"type", "title", "status", "detail", "code", "request_id", "errors"}
    if status in {429, 503}:
        assert int(response.headers["Retry-After"]) >= 1
    if status == 401:
        assert response.headers["WWW-Authenticate"] == "Bearer"
    return problem


def _is_temporary(response: ApiResponse) -> bool:
    """Whether the same request can succeed later."""
    is_in_flight = response.status_code == HTTPStatus.CONFLICT and "in-flight" in response.text
    return is_in_flight or response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
