"""Users of the API through Flask's test client, and builders of their data."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from flask import Flask
from werkzeug.test import TestResponse

from graph import Graph
from graph.ids import new_id
from tests.support.document import assert_documented

PASSWORD = "a long password"


class ApiResponse(TestResponse):
    """A response whose `json` needs no check for None."""

    json: Any


def call_api(app: Flask, method: str, path: str, **kwargs: Any) -> ApiResponse:
    """The response to a request without a token. Asserts that the API document lists it."""
    response = app.test_client().open(path, method=method, **kwargs)
    assert_documented(app, response)
    return cast("ApiResponse", response)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A signed-in user."""

    app: Flask
    id: int
    username: str
    token: str

    def call(self, method: str, path: str, **kwargs: Any) -> ApiResponse:
        headers = {"Authorization": f"Bearer {self.token}", **kwargs.pop("headers", {})}
        return call_api(self.app, method, path, headers=headers, **kwargs)

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

    def on(self, app: Flask, token: str = "") -> "Person":
        """The same user at another app, or with another session."""
        return Person(app=app, id=self.id, username=self.username, token=token or self.token)

    def sign_in(self, password: str = PASSWORD) -> "Person":
        """The same user with a new session."""
        response = sign_in(self.app, self.username, password)
        assert response.status_code == 201, response.text
        return self.on(self.app, response.json["auth_token"])

    def feed(self) -> list[int]:
        return [int(post["id"]) for post in self.get("/v1/me/feed?limit=100").json["posts"]]


@dataclass(frozen=True, slots=True)
class Builders:
    """Creates users, follows, photos and posts, with defaults for all but the fact under test."""

    app: Flask
    graph: Graph

    def new_user(self, **body: Any) -> Person:
        account = {"username": f"u{secrets.token_hex(8)}", "password": PASSWORD, **body}
        response = call_api(self.app, "POST", "/v1/accounts", json=account)
        assert response.status_code == 201, response.text
        return Person(
            app=self.app,
            id=int(response.json["user"]["id"]),
            username=account["username"],
            token=response.json["auth_token"],
        )

    def follow(self, follower: Person, followee: Person) -> None:
        assert follower.put(f"/v1/me/following/{followee.id}").status_code == 204

    def block(self, blocker: Person, blocked: Person) -> None:
        assert blocker.put(f"/v1/me/blocks/{blocked.id}").status_code == 204

    def photo_waiting(self, owner: Person) -> int:
        photo_id = new_id()
        self.graph.photos.create(
            photo_id=photo_id,
            owner_id=owner.id,
            path=secrets.token_urlsafe(16),
            content_type="image/jpeg",
            size_bytes=1000,
            checksum_sha256=None,
            alt_text=None,
            expires_at=datetime.now(UTC) + timedelta(days=1),
            key=None,
            fingerprint=None,
        )
        return photo_id

    def photo_processing(self, owner: Person) -> int:
        photo_id = self.photo_waiting(owner)
        _, event = self.graph.photos.complete(photo_id, owner_id=owner.id)
        assert event
        claimed = self.graph.events.claim(event.id, event.epoch)
        assert claimed
        self.graph.events.finish(claimed.id, claimed.epoch)
        return photo_id

    def photo_ready(self, owner: Person) -> int:
        photo_id = self.photo_processing(owner)
        self.graph.photos.set_ready(photo_id, width=640, height=480, blurhash="LEHV6nWB2yk8")
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


def sign_in(app: Flask, username: str, password: str = PASSWORD) -> ApiResponse:
    body = {"username": username, "password": password}
    return call_api(app, "POST", "/v1/sessions", json=body)


def send_post(author: Person, draft: dict[str, Any], key: str = "") -> ApiResponse:
    headers = {"Idempotency-Key": key or secrets.token_hex(8)}
    return author.post("/v1/me/feed", json=draft, headers=headers)


def checksum(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def assert_problem(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The problem in the response. Asserts that it has the members of every problem."""
    assert (response.status_code, response.content_type) == (status, "application/problem+json"), (
        response.status_code,
        response.text,
    )
    problem: dict[str, Any] = response.json or {}
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
