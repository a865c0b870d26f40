"""Carries out the plan through the public API. What exists already is not changed."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from demo.client import ApiError, Client
from demo.pictures import Subject, render
from demo.plan import Person, PlannedPost, Town

THREADS = 6
"""More would not be faster, as the demo shares its machine with the servers."""
READY_SECONDS = 180
"""How long a photo's processing, or an author's earlier post, is waited for."""
POLL_SECONDS = 0.15
NOT_YET = frozenset({"photos-not-ready", "idempotency-key-in-flight"})
"""Problem codes of POST /v1/me/feed after which the same request is repeated."""
CONFLICT = 409
UNAUTHORIZED = 401

T = TypeVar("T")
Step = Callable[[], None]
"""Called after each piece of work, to advance the progress bar."""


class UsernameTakenError(Exception):
    """An account of that name exists, with another password than the demo's."""


class Resident:
    """A person with an account, and the client that acts for them."""

    def __init__(self, person: Person, client: Client, user_id: str) -> None:
        self.person = person
        self.client = client
        self.user_id = user_id

    def profile(self) -> dict[str, Any]:
        """The person's profile, with its counts."""
        return self.client.call("GET", f"/v1/users/{self.user_id}")


def map_in_threads(work: Callable[[T], Any], items: Iterable[T], step: Step) -> list[Any]:
    """The results of `work` for each item, in the items' order.

    Starts no further work after an error, and raises the first one.
    """
    failed = threading.Event()

    def run(item: T) -> Any:
        if failed.is_set():
            return None
        try:
            result = work(item)
        except BaseException:
            failed.set()
            raise
        step()
        return result

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(run, items))


def sign_up_all(town: Town, base_url: str, password: str, step: Step) -> dict[str, Resident]:
    """Sign everybody up, or in if the account exists; returns the residents by username."""

    def to_resident(person: Person) -> Resident:
        client = Client(base_url)
        user = sign_up_or_in(client, person, password)
        return Resident(person, client, user["id"])

    residents = map_in_threads(to_resident, town.people, step)
    return {resident.person.username: resident for resident in residents}


def sign_up_or_in(client: Client, person: Person, password: str) -> dict[str, Any]:
    """The person's user. Gives the client their token. Raises UsernameTakenError."""
    account = {"username": person.username, "password": password}
    try:
        answer = client.call("POST", "/v1/accounts", {**account, "name": person.name})
        is_new = True
    except ApiError as error:
        if error.status != CONFLICT:
            raise
        answer, is_new = sign_in(client, account), False
    client.auth_token = answer["auth_token"]
    if is_new:
        client.call("PATCH", "/v1/me", {"bio": person.bio, "location": person.location})
    return dict(answer["user"])


def sign_in(client: Client, account: Mapping[str, str]) -> dict[str, Any]:
    """The answer with a new session. Raises UsernameTakenError if the password is wrong."""
    try:
        return client.call("POST", "/v1/sessions", account)
    except ApiError as error:
        if error.status == UNAUTHORIZED:
            raise UsernameTakenError(account["username"]) from error
        raise


def follow_all(town: Town, residents: Mapping[str, Resident], step: Callable[[int], None]) -> None:
    """Carry out the follows of the plan. Skips a person who follows as many people already."""

    def follow(person: Person) -> None:
        resident = residents[person.username]
        if resident.profile()["following_count"] < len(person.follows):
            for username in person.follows:
                resident.client.call("PUT", f"/v1/me/following/{residents[username].user_id}")
                step(1)
        else:
            step(len(person.follows))

    map_in_threads(follow, town.people, lambda: None)


def publish_all(
    town: Town, residents: Mapping[str, Resident], pictures: Mapping[str, Path], step: Step
) -> int:
    """Publish the posts of the plan that do not exist yet; returns their number.

    Each author's posts are published in the plan's order, so an author's post count shows which
    exist, and an interrupted run can be continued. The order between authors may differ.
    """
    counts = {name: resident.profile()["post_count"] for name, resident in residents.items()}
    missing = [post for post in town.posts if post.number >= counts[post.author]]
    for _ in range(len(town.posts) - len(missing)):
        step()
    order = PostOrder(counts)

    def publish(post: PlannedPost) -> None:
        resident = residents[post.author]
        try:
            photos = [
                upload(resident.client, subject, render(pictures[subject.name], post.seed(index)))
                for index, subject in enumerate(post.subjects)
            ]
            await_ready(resident.client, photos)
            order.await_earlier(post)
            resident.client.call(
                "POST",
                "/v1/me/feed",
                body_of(post, photos),
                headers={"Idempotency-Key": f"demo-{post.author}-{post.number}-{photos[0]}"},
                retry_codes=NOT_YET,
            )
        finally:
            order.finish(post)

    map_in_threads(publish, missing, step)
    return len(missing)


class PostOrder:
    """Preserves the order of each author's posts while several are prepared in parallel."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._next = dict(counts)
        self._changed = threading.Condition()

    def await_earlier(self, post: PlannedPost) -> None:
        """Return when the author's earlier posts are finished, or after READY_SECONDS."""
        with self._changed:
            self._changed.wait_for(lambda: self._next[post.author] >= post.number, READY_SECONDS)

    def finish(self, post: PlannedPost) -> None:
        """Allow the author's next post to be published."""
        with self._changed:
            self._next[post.author] = max(self._next[post.author], post.number + 1)
            self._changed.notify_all()


def upload(client: Client, subject: Subject, picture: bytes) -> str:
    """The id of a new photo. Its bytes are uploaded and its processing has begun."""
    new_photo = {
        "content_type": "image/jpeg",
        "size_bytes": len(picture),
        "alt_text": subject.alt_text,
    }
    photo = client.call("POST", "/v1/me/photos", new_photo)
    client.upload(photo["upload"], picture)
    client.call("POST", f"/v1/me/photos/{photo['id']}/complete")
    return str(photo["id"])


def await_ready(client: Client, photos: Iterable[str]) -> None:
    """Return when all photos are ready. Raises ApiError if one fails or takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    for photo_id in photos:
        while (photo := client.call("GET", f"/v1/me/photos/{photo_id}"))["state"] != "ready":
            is_late = time.monotonic() > deadline
            if photo["state"] == "failed" or is_late:
                code = photo.get("failure_code") or "still processing"
                raise ApiError(f"Photo {photo_id}", 0, code, "Is the photos worker running?")
            time.sleep(POLL_SECONDS)


def body_of(post: PlannedPost, photos: list[str]) -> dict[str, Any]:
    """The post as the body of POST /v1/me/feed."""
    body: dict[str, Any] = {"photo_ids": photos, "caption": post.caption}
    if post.place:
        name, latitude, longitude = post.place
        body["location"] = {"name": name, "latitude": latitude, "longitude": longitude}
    return body
