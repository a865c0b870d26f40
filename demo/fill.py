"""The plan carried out through the public API; what is there already is left as it is."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from demo.client import ApiError, Client
from demo.pictures import Subject, develop
from demo.plan import Person, PlannedPost, Town

THREADS = 6
"""More only wait for each other: the demo shares its machine with the servers."""
READY_SECONDS = 180
NOT_YET = frozenset({"photos-not-ready", "idempotency-key-in-flight"})
"""Answers to a post that ask for the same request again."""
CONFLICT = 409
UNAUTHORIZED = 401

T = TypeVar("T")
Step = Callable[[], None]
"""Called after each thing done, to move the progress bar."""


class TakenError(Exception):
    """A name of the town belongs to someone whose password is not the demo's."""


class Resident:
    """A person of the town with their connection to the API."""

    def __init__(self, person: Person, client: Client, user_id: str) -> None:
        self.person = person
        self.client = client
        self.user_id = user_id

    def profile(self) -> dict[str, Any]:
        """Their own profile with its counts."""
        return self.client.call("GET", f"/v1/users/{self.user_id}")


def in_threads(work: Callable[[T], Any], things: Iterable[T], step: Step) -> list[Any]:
    """`work` of each thing, a few at a time, in order. Raises the first error at once."""
    stop = threading.Event()

    def one(thing: T) -> Any:
        if stop.is_set():
            return None
        try:
            done = work(thing)
        except BaseException:
            stop.set()
            raise
        step()
        return done

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(one, things))


def arrive(town: Town, base_url: str, password: str, step: Step) -> dict[str, Resident]:
    """Everyone signed up, or signed in where they exist; by username."""

    def one(person: Person) -> Resident:
        client = Client(base_url)
        user = enter(client, person, password)
        return Resident(person, client, user["id"])

    return {one.person.username: one for one in in_threads(one, town.people, step)}


def enter(client: Client, person: Person, password: str) -> dict[str, Any]:
    """The person's user, new or found; the client then acts for them. Raises TakenError."""
    account = {"username": person.username, "password": password}
    try:
        answer = client.call("POST", "/v1/accounts", {**account, "name": person.name})
        new = True
    except ApiError as error:
        if error.status != CONFLICT:
            raise
        answer, new = sign_in(client, account), False
    client.auth_token = answer["auth_token"]
    if new:
        client.call("PATCH", "/v1/me", {"bio": person.bio, "location": person.location})
    return dict(answer["user"])


def sign_in(client: Client, account: Mapping[str, str]) -> dict[str, Any]:
    """A new session. Raises TakenError when the password is not the demo's."""
    try:
        return client.call("POST", "/v1/sessions", account)
    except ApiError as error:
        if error.status == UNAUTHORIZED:
            raise TakenError(account["username"]) from error
        raise


def follow(town: Town, residents: Mapping[str, Resident], step: Callable[[int], None]) -> None:
    """Every follow of the plan; whoever follows as many already is passed over."""

    def one(person: Person) -> None:
        resident = residents[person.username]
        if resident.profile()["following_count"] < len(person.follows):
            for username in person.follows:
                resident.client.call("PUT", f"/v1/me/following/{residents[username].user_id}")
                step(1)
        else:
            step(len(person.follows))

    in_threads(one, town.people, lambda: None)


def publish(
    town: Town, residents: Mapping[str, Resident], pictures: Mapping[str, Path], step: Step
) -> int:
    """Post what each author has not posted yet, in the plan's order; how many that was.

    An author's posts are made in order, so their number says which are there: an interrupted run
    goes on where it stopped. The order between authors is only roughly the plan's.
    """
    had = {name: one.profile()["post_count"] for name, one in residents.items()}
    due = [post for post in town.posts if post.nth >= had[post.author]]
    for _ in range(len(town.posts) - len(due)):
        step()
    turns = Turns(had)

    def one(post: PlannedPost) -> None:
        resident = residents[post.author]
        try:
            photos = [
                upload(resident.client, subject, develop(pictures[subject.name], post.seed(at)))
                for at, subject in enumerate(post.subjects)
            ]
            await_ready(resident.client, photos)
            turns.wait_for(post)
            resident.client.call(
                "POST",
                "/v1/me/feed",
                body_of(post, photos),
                headers={"Idempotency-Key": f"demo-{post.author}-{post.nth}-{photos[0]}"},
                retry_codes=NOT_YET,
            )
        finally:
            turns.done(post)

    in_threads(one, due, step)
    return len(due)


class Turns:
    """Makes one author's posts appear in order though several are prepared at once."""

    def __init__(self, had: Mapping[str, int]) -> None:
        self._next = dict(had)
        self._changed = threading.Condition()

    def wait_for(self, post: PlannedPost) -> None:
        """Returns when the author's posts before this one are done."""
        with self._changed:
            self._changed.wait_for(lambda: self._next[post.author] >= post.nth, READY_SECONDS)

    def done(self, post: PlannedPost) -> None:
        """The author's next post may appear."""
        with self._changed:
            self._next[post.author] = max(self._next[post.author], post.nth + 1)
            self._changed.notify_all()


def upload(client: Client, subject: Subject, picture: bytes) -> str:
    """The id of a photo whose bytes are uploaded and in processing."""
    asked = {
        "content_type": "image/jpeg",
        "size_bytes": len(picture),
        "alt_text": subject.alt_text,
    }
    photo = client.call("POST", "/v1/me/photos", asked)
    client.upload(photo["upload"], picture)
    client.call("POST", f"/v1/me/photos/{photo['id']}/complete")
    return str(photo["id"])


def await_ready(client: Client, photos: Iterable[str]) -> None:
    """Returns when every photo is ready. Raises ApiError when one fails or takes too long."""
    until = time.monotonic() + READY_SECONDS
    for photo_id in photos:
        while (photo := client.call("GET", f"/v1/me/photos/{photo_id}"))["state"] != "ready":
            late = time.monotonic() > until
            if photo["state"] == "failed" or late:
                code = photo.get("failure_code") or "still processing"
                raise ApiError(f"Photo {photo_id}", 0, code, "Is the photos worker running?")
            time.sleep(0.15)


def body_of(post: PlannedPost, photos: list[str]) -> dict[str, Any]:
    """The post as the API takes it."""
    body: dict[str, Any] = {"photo_ids": photos, "caption": post.caption}
    if post.place:
        name, latitude, longitude = post.place
        body["location"] = {"name": name, "latitude": latitude, "longitude": longitude}
    return body
