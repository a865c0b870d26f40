"""The load of the soak: posts at a rate, and everything of which something is left to be cleared.

Each lane is a thread that acts once a period, as one user after the other. What it is answered is
counted, and nothing is checked: the drill does that.
"""

import io
import itertools
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from http import HTTPStatus

import requests
from PIL import Image

from drill.load.connection import ApiConnection, Response
from drill.load.population import PASSWORD, create_ready_photos
from drill.load.shared_state import DrillUser, SharedState
from graph import Graph

PUBLISHERS = 4
"""Threads that publish."""
FOLLOWS = 2.0
"""Follows and unfollows a second: with few users, most of them have an unfollow that is not done,
and read their feeds from the graph."""
KEPT_SECONDS = 120.0
"""Time after which a publisher deletes a post, so each post leaves what a deleted one leaves."""
STOCK = 400
"""Ready photos that a publisher gets at once."""
PICTURE_SIDE = 640
"""Pixels of an uploaded picture. Its processing takes some 30 ms."""
KEPT_ACCOUNTS = 10
"""Accounts of the lane of accounts. Older ones are deleted, with what they have left behind."""
FATES = ("posted", "never posted", "never completed", "never uploaded", "no picture", "deleted")
"""What becomes of the uploaded photos, in turns."""
READY_SECONDS, READY_CHECK_SECONDS = 30.0, 0.25
UPLOAD_SECONDS = 10.0

Act = Callable[[ApiConnection, int], Response]
"""One action; the number counts those of its lane."""


class SoakLoad:
    """All lanes. They act between `start` and `stop`."""

    def __init__(
        self,
        state: SharedState,
        graph: Graph,
        *,
        posts: float,
        photos: float,
        follows: float = FOLLOWS,
    ) -> None:
        """`posts`, `photos` and `follows` are rates, in actions a second."""
        self.answers: Counter[str] = Counter()
        """Actions by lane and status."""
        self._state = state
        self._graph = graph
        self._lock = threading.Lock()
        kept = round(KEPT_SECONDS * posts / PUBLISHERS)
        publish = (self._publisher(kept) for _ in range(PUBLISHERS))
        self._threads = [
            *(self._lane("post", act, PUBLISHERS / posts) for act in publish),
            *(self._lane("photo", self._use_photo, 2 / photos) for _ in range(2)),
            self._lane("follow", self._follow, 1 / follows),
            self._lane("session", self._sign_in_and_out, 2.0),
            self._lane("account", self._accounts(), 3.0),
            self._lane("read", self._read, 0.1),
        ]

    def start(self) -> None:
        """Start all lanes."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let no further action begin, and wait for those that run."""
        self._state.stop.set()
        for thread in self._threads:
            thread.join(READY_SECONDS + UPLOAD_SECONDS)

    def _lane(self, name: str, act: Act, period: float) -> threading.Thread:
        return threading.Thread(target=self._run, args=(name, act, period), daemon=True)

    def _run(self, name: str, act: Act, period: float) -> None:
        """Act once a period. What is late is not made up for."""
        connections = [ApiConnection(url) for url in self._state.api_urls]
        due = time.monotonic()
        for number in itertools.count():
            due = max(due + period, time.monotonic())
            if self._state.stop.wait(due - time.monotonic()):
                break
            response = act(connections[number % len(connections)], number)
            self._count(name, response)
        for connection in connections:
            connection.close()

    def _count(self, name: str, response: Response) -> None:
        with self._lock:
            self.answers[f"{name}: {_status(response)}"] += 1

    def _user(self, number: int) -> DrillUser:
        return self._state.users[number % len(self._state.users)]

    def _publisher(self, kept: int) -> Act:
        """Publishes, and deletes its oldest post of more than `kept`."""
        stocks: dict[int, deque[int]] = {user.id: deque() for user in self._state.users}
        posts: deque[tuple[DrillUser, str]] = deque()
        lead = secrets.randbelow(len(self._state.users))

        def act(connection: ApiConnection, number: int) -> Response:
            if len(posts) > kept:
                owner, post_id = posts.popleft()
                connection.request("DELETE", f"/v1/posts/{post_id}", token=owner.token)
            author = self._user(lead + number)
            stock = stocks[author.id]
            if not stock:
                stock.extend(create_ready_photos(self._graph, author.id, STOCK))
            response = _publish(connection, author, str(stock.popleft()))
            if response.phase == "ok":
                posts.append((author, str(response.body["id"])))
            return response

        return act

    def _accounts(self) -> Act:
        """Signs up, reports the account before, asks for an export, and deletes the oldest one."""
        accounts: deque[tuple[str, str]] = deque()

        def act(connection: ApiConnection, number: int) -> Response:
            account = {"username": f"soak{secrets.token_hex(8)}", "password": PASSWORD}
            signed_up = connection.request("POST", "/v1/accounts", body=account)
            if signed_up.phase != "ok":
                return signed_up
            token = str(signed_up.body["auth_token"])
            if accounts:
                report = {"user_id": accounts[-1][0], "reason": "spam"}
                reporter = token if number % 4 else self._user(number).token
                self._count(
                    "report",
                    connection.request("POST", "/v1/reports", token=reporter, body=report),
                )
            accounts.append((str(signed_up.body["user"]["id"]), token))
            asked = connection.request("POST", "/v1/me/exports", token=token)
            if len(accounts) > KEPT_ACCOUNTS:
                _, oldest = accounts.popleft()
                password = {"password": PASSWORD}
                self._count(
                    "deletion",
                    connection.request("DELETE", "/v1/me", token=oldest, body=password),
                )
            return asked

        return act

    def _use_photo(self, connection: ApiConnection, number: int) -> Response:
        """Begin an upload, which has one of FATES."""
        fate = FATES[number % len(FATES)]
        owner = self._user(number // len(FATES))
        data = b"no picture" * 100 if fate == "no picture" else _picture(number)
        created = connection.request(
            "POST",
            "/v1/me/photos",
            token=owner.token,
            body={"content_type": "image/jpeg", "size_bytes": len(data)},
        )
        if created.phase != "ok" or fate == "never uploaded" or not _upload(created, data):
            return created
        path = f"/v1/me/photos/{created.body['id']}"
        if fate == "never completed":
            return created
        completed = connection.request("POST", f"{path}/complete", token=owner.token)
        if fate in {"posted", "deleted"} and self._becomes_ready(connection, owner, path):
            if fate == "posted":
                return _publish(connection, owner, str(created.body["id"]))
            return connection.request("DELETE", path, token=owner.token)
        return completed

    def _becomes_ready(self, connection: ApiConnection, owner: DrillUser, path: str) -> bool:
        for _ in _until(READY_SECONDS, READY_CHECK_SECONDS, self._state.stop):
            response = connection.request("GET", path, token=owner.token)
            if response.body.get("state") == "ready":
                return True
        return False

    def _follow(self, connection: ApiConnection, number: int) -> Response:
        """Unfollow and follow, in turns."""
        follower = self._user(number // 2)
        followee = self._user(number // 2 + 1 + number // 7 % (len(self._state.users) - 1))
        path = f"/v1/me/following/{followee.id}"
        return connection.request("PUT" if number % 2 else "DELETE", path, token=follower.token)

    def _sign_in_and_out(self, connection: ApiConnection, number: int) -> Response:
        """A session with a subscription, and its end."""
        user = self._user(number)
        account = {"username": user.name, "password": PASSWORD}
        signed_in = connection.request("POST", "/v1/sessions", body=account)
        if signed_in.phase != "ok":
            return signed_in
        token = str(signed_in.body["auth_token"])
        browser = self._state.push.browser()
        connection.request("POST", "/v1/me/push-subscriptions", token=token, body=browser.json)
        return connection.request("DELETE", "/v1/me/sessions/current", token=token)

    def _read(self, connection: ApiConnection, number: int) -> Response:
        """The first page of the feed or of the notifications, in turns."""
        path = "/v1/me/feed" if number % 4 else "/v1/me/notifications"
        return connection.request("GET", path, token=self._user(number).token)


def _publish(connection: ApiConnection, author: DrillUser, photo_id: str) -> Response:
    return connection.request(
        "POST",
        "/v1/me/feed",
        token=author.token,
        body={"photo_ids": [photo_id], "caption": "soak"},
        headers={"Idempotency-Key": secrets.token_hex(12)},
    )


def _upload(created: Response, data: bytes) -> bool:
    """PUT the bytes to S3; returns whether it took them."""
    upload = created.body["upload"]
    try:
        answer = requests.put(
            upload["url"], data=data, headers=upload["headers"], timeout=UPLOAD_SECONDS
        )
    except requests.RequestException:
        return False
    return answer.ok


def _picture(number: int) -> bytes:
    """A JPEG that no other one equals."""
    file = io.BytesIO()
    colour = (number % 256, number // 256 % 256, number // 65536 % 256)
    Image.new("RGB", (PICTURE_SIDE, PICTURE_SIDE), colour).save(file, "JPEG")
    return file.getvalue()


def _until(seconds: float, every: float, stop: threading.Event) -> Iterator[None]:
    """Yields every so often, until the time is over or the load stops."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stop.wait(every):
        yield


def _status(response: Response) -> str:
    return HTTPStatus(response.status).phrase if response.status else response.error
