"""People who use the running API as clients do, and stores filled directly where that is slow."""

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import neo4j
import requests

from graph.ids import new_id
from tests.support.eventually import eventually

PASSWORD = "a password of the journeys"
B_SECONDS = 90
"""From a crash to everything being delivered (promises.md, B)."""
TIMEOUT = (3.05, 30)


class Person:
    """A signed-up user, with a connection of their own."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.username = f"{name}_{secrets.token_hex(5)}"
        self.http = requests.Session()
        self.http.trust_env = False
        account = {"username": self.username, "password": PASSWORD, "name": name.title()}
        answer = eventually(lambda: self._sign_up(account), seconds=60, every=1)
        assert answer
        self.id = int(answer["user"]["id"])
        self.token: str = answer["auth_token"]
        self.http.headers["Authorization"] = f"Bearer {self.token}"

    def _sign_up(self, account: Mapping[str, str]) -> dict[str, Any] | None:
        answer = self.http.post(f"{self.url}/v1/accounts", json=account, timeout=TIMEOUT)
        busy = answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE  # many sign up at once
        assert busy or answer.status_code == HTTPStatus.CREATED, answer.text
        return None if busy else answer.json()

    def again(self) -> "Person":
        """The same person on another device: the token, and a connection of its own."""
        twin = object.__new__(Person)
        twin.__dict__.update(self.__dict__)
        twin.http = requests.Session()
        twin.http.trust_env = False
        twin.http.headers.update(self.http.headers)
        return twin

    def call(self, method: str, path: str, **request: Any) -> requests.Response:
        return self.http.request(method, self.url + path, timeout=TIMEOUT, **request)

    def get(self, path: str) -> dict[str, Any]:
        answer = self.call("GET", path)
        assert answer.status_code == HTTPStatus.OK, answer.text
        return dict(answer.json())

    def follow(self, other: "Person") -> None:
        answer = self.call("PUT", f"/v1/me/following/{other.id}")
        assert answer.status_code == HTTPStatus.NO_CONTENT, answer.text

    def feed_ids(self, limit: int = 100) -> list[int]:
        return [int(post["id"]) for post in self.get(f"/v1/me/feed?limit={limit}")["posts"]]

    def walk(self, limit: int) -> Iterator[dict[str, Any]]:
        """Every page of the feed from its top to its end."""
        page = self.get(f"/v1/me/feed?limit={limit}")
        yield page
        while "next" in page:
            page = self.get(f"/v1/me/feed?limit={limit}&cursor={page['next']}")
            yield page

    def upload(self, picture: bytes, content_type: str = "image/jpeg") -> int:
        """A photo whose bytes are sent and told of; not ready yet."""
        asked = {"content_type": content_type, "size_bytes": len(picture), "alt_text": "a test"}
        begun = self.call("POST", "/v1/me/photos", json=asked)
        assert begun.status_code == HTTPStatus.CREATED, begun.text
        photo = begun.json()
        upload = photo["upload"]
        sent = requests.request(
            upload["method"], upload["url"], data=picture, headers=upload["headers"], timeout=60
        )
        assert sent.ok, sent.text
        told = self.call("POST", f"/v1/me/photos/{photo['id']}/complete")
        assert told.status_code == HTTPStatus.ACCEPTED, told.text
        return int(photo["id"])

    def ready(self, photo_id: int, *, seconds: float = 60) -> dict[str, Any]:
        """The photo, once it is ready."""

        def look() -> dict[str, Any] | None:
            photo = self.get(f"/v1/me/photos/{photo_id}")
            assert photo["state"] in {"processing", "ready"}, photo
            return photo if photo["state"] == "ready" else None

        found = eventually(look, seconds=seconds, every=0.2)
        assert found
        return found

    def post(self, photo_id: int, *, caption: str = "", key: str = "") -> int:
        """A post of the photo. The same key again where an answer is lost or asks for patience."""
        body = {"photo_ids": [str(photo_id)], "caption": caption or f"photo {photo_id}"}
        headers = {"Idempotency-Key": key or secrets.token_hex(16)}
        until = time.monotonic() + 60
        while True:
            try:
                answer = self.call("POST", "/v1/me/feed", json=body, headers=headers)
            except requests.RequestException:  # the API was killed: the key settles it
                assert time.monotonic() < until
                time.sleep(0.2)
                continue
            if answer.status_code in {HTTPStatus.CREATED, HTTPStatus.OK}:
                return int(answer.json()["id"])
            in_flight = answer.status_code == HTTPStatus.CONFLICT and "in-flight" in answer.text
            unavailable = answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
            assert in_flight or unavailable, answer.text
            assert time.monotonic() < until, answer.text
            time.sleep(0.2)


@dataclass(frozen=True, slots=True)
class Filler:
    """Writes straight into the graph what would take long through the API."""

    driver: neo4j.Driver

    def ready_photos(self, owner_id: int, count: int) -> list[int]:
        """Photos of the owner that are ready to be posted, without objects behind them."""
        ids = [new_id() for _ in range(count)]
        self.driver.execute_query(
            "UNWIND $ids AS id CREATE (:Photo {id: id, owner_id: $owner, path: 'none/' + id, "
            "state: 'ready', content_type: 'image/jpeg', size_bytes: 1, width: 640, height: 480, "
            "blurhash: 'LEHV6nWB2yk8pyo0adR*.7kCMdnj', alt_text: 'a test'})",
            ids=ids,
            owner=owner_id,
        )
        return ids

    def followers(self, followee_id: int, count: int) -> list[int]:
        """New users that follow the followee; nobody can sign in as them."""
        ids = [new_id() for _ in range(count)]
        for start in range(0, count, 2000):
            self.driver.execute_query(
                "MATCH (followee:User {id: $followee}) UNWIND $ids AS id "
                "CREATE (:User {id: id, username: 'crowd_' + id, username_ci: 'crowd_' + id, "
                "name: 'Crowd', state: 'active', created_at: timestamp()})"
                "-[:FOLLOWS {follower_id: id, followee_id: $followee, created_at: timestamp()}]->"
                "(followee)",
                followee=followee_id,
                ids=ids[start : start + 2000],
            )
        return ids

    def owed(self, author_ids: Sequence[int]) -> list[dict[str, Any]]:
        """The events of these authors that are not done, whatever they wait for."""
        rows = self.driver.execute_query(
            "MATCH (event:Event) WHERE event.author_id IN $ids OR event.subject_id IN $ids "
            "RETURN event {.*} AS event",
            ids=list(author_ids),
        ).records
        return [dict(row["event"]) for row in rows]

    def post_without_a_bell(self, author_id: int, photo_id: int, post_id: int) -> None:
        """A post and its event, committed by someone who died before ringing."""
        self.driver.execute_query(
            "MATCH (author:User {id: $author}), (photo:Photo {id: $photo}) "
            "CREATE (author)-[:POSTED]->(:Post {id: $post, author_id: $author, caption: '', "
            "created_at: timestamp()})-[:SHOWS {position: 0, photo_id: $photo}]->(photo) "
            "CREATE (:Event {id: $event, kind: 'post-published', shard: $event % 16, "
            "subject_id: $post, author_id: $author, cursor: -2, epoch: 0, attempts: 0, "
            "due_at: timestamp(), rung_at: timestamp()})",
            author=author_id,
            photo=photo_id,
            post=post_id,
            event=new_id(),
        )
