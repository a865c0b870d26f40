"""A client of the drill: a thread that acts as one user and records every operation.

An operation with an unknown end is tried again under a new number, as the promises tell clients.
"""

import secrets
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from drill.history import Phase
from drill.http_status import is_client_error
from drill.load.browsers import subscribe
from drill.load.connection import ApiConnection, Response
from drill.load.habits import BUSY, CALM, Choice
from drill.load.population import PASSWORD
from drill.load.reader import Reader
from drill.load.shared_state import AcknowledgedPost, DrillUser, SharedState, WatchTask

ATTEMPTS = 4
RETRY_SECONDS = 0.4
"""The shortest pause before another attempt; the longest is twice as long."""

WATCHED_SHARE = 0.25
"""Share of the posts that a follower's feed is watched for."""

READ_OWN_POST_SHARE = 0.5
READ_AFTER_WRITE_SHARE = 0.7
"""How often a busy user's post, and another write, is followed by a read at once."""

CALM_DELETES_AMONG = 4
"""A calm user deletes one of so many newest posts: followers have it on their first pages."""
SCROLL_LIMIT, SCROLL_PAGES = 20, (2, 3)
"""The page size and the number of pages of a client that scrolls down a little."""

REHEARSAL_SECONDS = 60.0

Attempt = Callable[[ApiConnection], tuple[Phase, Response, dict[str, Any]]]
"""Sends a request; returns the phase of its end, the response, and further facts to record."""


class Client(threading.Thread):
    """One user's operations, drawn by the user's habit, until the drill stops."""

    def __init__(self, state: SharedState, user: DrillUser) -> None:
        super().__init__(name=f"client-{user.name}", daemon=True)
        self._state = state
        self._user = user
        self._rng = state.rng(f"session-{state.users.index(user)}")
        self._connections = [ApiConnection(url) for url in state.api_urls]
        self._reader = Reader(state.history, self._connections, self._rng, state.stop)
        self._blocked: set[int] = set()
        self._operations: dict[str, Callable[[], object]] = {
            "read": self._read,
            "walk": lambda: self._reader.walk(self._user.id, self._user.token, self._session),
            "scroll": self._scroll,
            "post": self._post,
            "delete": self._delete,
            "rename": self._rename,
            "follow": self._follow,
            "unfollow": self._unfollow,
            "block": self._block,
            "unblock": self._unblock,
            "post-again": self._post_again,
            "sign-out": self._sign_out,
        }

    def run(self) -> None:
        """Do one operation after the other."""
        state, now = self._state, self._state.history.now
        choice = Choice(CALM if self._user.calm else BUSY, self._rng, now())
        while not state.stop.wait(choice.pause()):
            self.perform(choice.next_op(now(), calm=state.in_calm_minute()))
        self.close()

    def perform(self, op: str) -> None:
        """Do one operation, with the reads that follow it."""
        self._operations[op]()

    def can_read(self) -> bool:
        """Whether the first page of the user's feed is answered."""
        return self._read().phase == "ok"

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()

    @property
    def _session(self) -> str:
        return self._user.session

    def _read(self) -> Response:
        return self._reader.first_page(self._user.id, self._user.token, self._session)

    def _scroll(self) -> None:
        self._reader.walk(
            self._user.id,
            self._user.token,
            self._session,
            limit=SCROLL_LIMIT,
            pages=self._rng.choice(SCROLL_PAGES),
        )

    def _read_after_write(self, share: float) -> None:
        """Read at once: a calm user at every process, a busy one at one, in this share of cases."""
        if not self._user.calm:
            if self._rng.random() < share:
                self._read()
            return
        for connection in self._connections:
            self._reader.first_page(
                self._user.id, self._user.token, self._session, connection=connection
            )

    # Posts and profiles.

    def _post(self) -> None:
        if not self._user.photos:
            return
        self._user.post_attempts += 1
        photo_id = self._user.photos.popleft()
        tag = f"{self._user.label}-{self._user.post_attempts}"
        post = self._create_post(tag, secrets.token_hex(12), photo_id, attempts=ATTEMPTS)
        if post is None:
            return
        with self._state.lock:
            self._state.posts[self._user.id].append(post)
        self._have_watched(post)
        self._read_after_write(READ_OWN_POST_SHARE)

    def _create_post(
        self, tag: str, key: str, photo_id: int, *, attempts: int
    ) -> AcknowledgedPost | None:
        """Send the post until it is acknowledged, with the same key in each attempt."""
        posts: list[AcknowledgedPost] = []

        def attempt(connection: ApiConnection) -> tuple[Phase, Response, dict[str, Any]]:
            response = connection.request(
                "POST",
                "/v1/me/feed",
                token=self._user.token,
                body={"photo_ids": [str(photo_id)], "caption": tag},
                headers={"Idempotency-Key": key},
            )
            if response.phase != "ok":
                return response.phase, response, {}
            post = AcknowledgedPost(
                post_id=int(response.body["id"]),
                author_id=self._user.id,
                tag=tag,
                key=key,
                photo_id=photo_id,
                acknowledged=self._state.history.now(),
            )
            posts.append(post)
            return "ok", response, {"id": post.post_id, "replayed": response.replayed}

        self._attempt("post", attempt, attempts, author=self._user.id, tag=tag, key=key)
        return posts[0] if posts else None

    def _post_again(self) -> None:
        """Repeat a post with its key, like a client that has lost the response."""
        with self._state.lock:
            posts = list(self._state.posts[self._user.id])
        if posts:
            old = self._rng.choice(posts)
            self._create_post(old.tag, old.key, old.photo_id, attempts=1)

    def _delete(self) -> None:
        with self._state.lock:
            posts = self._state.posts[self._user.id]
            first = max(0, len(posts) - CALM_DELETES_AMONG) if self._user.calm else 0
            post = posts.pop(self._rng.randrange(first, len(posts))) if posts else None
        if post:
            path = f"/v1/posts/{post.post_id}"
            facts = {"author": self._user.id, "id": post.post_id, "tag": post.tag}
            self._write("delete", "DELETE", path, **facts)
            self._read_after_write(READ_AFTER_WRITE_SHARE)

    def _rename(self) -> None:
        self._user.renames += 1
        name = f"{self._user.label} name {self._user.renames}"
        body = {"name": name}
        self._write("rename", "PATCH", "/v1/me", body=body, author=self._user.id, name=name)
        self._read_after_write(READ_AFTER_WRITE_SHARE)

    def _have_watched(self, post: AcknowledgedPost) -> None:
        """Give some of the posts to a watcher, while the queue has room."""
        followers = self._state.followers(self._user.id)
        tasks = self._state.watch_tasks
        if followers and not tasks.full() and self._rng.random() < WATCHED_SHARE:
            tasks.put_nowait(WatchTask(post=post, viewer=self._rng.choice(followers)))

    # Follows and blocks.

    def _follow(self) -> None:
        with self._state.lock:
            followed = set(self._state.follows[self._user.id])
        others = [user for user in self._state.others(self._user) if user.id not in followed]
        others = [user for user in others if user.id not in self._blocked]
        if not others:
            return
        followee_id = self._rng.choice(others).id
        phase = self._write(
            "follow",
            "PUT",
            f"/v1/me/following/{followee_id}",
            viewer=self._user.id,
            author=followee_id,
        )
        if phase == "ok":
            with self._state.lock:
                self._state.follows[self._user.id].add(followee_id)
        self._read_after_write(READ_AFTER_WRITE_SHARE)

    def _unfollow(self) -> None:
        with self._state.lock:
            followed = sorted(self._state.follows[self._user.id])
        if not followed:
            return
        followee_id = self._rng.choice(followed)
        with self._state.lock:
            self._state.follows[self._user.id].discard(followee_id)
        self._write(
            "unfollow",
            "DELETE",
            f"/v1/me/following/{followee_id}",
            viewer=self._user.id,
            author=followee_id,
        )
        self._read_after_write(READ_AFTER_WRITE_SHARE)

    def _block(self) -> None:
        others = [user for user in self._state.others(self._user) if not user.calm]
        if not others:
            return
        other = self._rng.choice(others)
        with self._state.lock:
            self._state.follows[self._user.id].discard(other.id)
            self._state.follows[other.id].discard(self._user.id)
        self._blocked.add(other.id)
        path = f"/v1/me/blocks/{other.id}"
        self._write("block", "PUT", path, blocker=self._user.id, blocked=other.id)
        self._read_after_write(READ_AFTER_WRITE_SHARE)

    def _unblock(self) -> None:
        if not self._blocked:
            return
        other_id = self._rng.choice(sorted(self._blocked))
        path = f"/v1/me/blocks/{other_id}"
        phase = self._write("unblock", "DELETE", path, blocker=self._user.id, blocked=other_id)
        if phase == "ok":
            self._blocked.discard(other_id)

    # Sessions.

    def _sign_out(self) -> None:
        """End the session, send its token to every process, and sign in again."""
        old_token, old_session = self._user.token, self._session

        def attempt(connection: ApiConnection) -> tuple[Phase, Response, dict[str, Any]]:
            response = connection.request("DELETE", "/v1/me/sessions/current", token=old_token)
            # 401: an earlier attempt has ended the session, and its copy in the cache too.
            ended = response.status == HTTPStatus.UNAUTHORIZED
            return "ok" if ended else response.phase, response, {}

        self._attempt("sign-out", attempt, ATTEMPTS, token=old_session)
        for connection in self._connections:
            self._use(connection, old_token, old_session)
        self._sign_in()

    def _use(self, connection: ApiConnection, token: str, session: str) -> None:
        """Record whether the process accepts the token."""
        history = self._state.history
        number = history.invoke(session, "use", token=session, viewer=self._user.id)
        response = connection.request("GET", "/v1/me/feed?limit=1", token=token)
        history.end(number, "ok" if response.phase == "ok" else "fail", **response.facts)

    def _sign_in(self) -> None:
        history = self._state.history
        body = {"username": self._user.name, "password": PASSWORD}
        while not self._state.stop.is_set():
            number = history.invoke(self._session, "sign-in", viewer=self._user.id)
            response = self._draw_connection().request("POST", "/v1/sessions", body=body)
            history.end(number, response.phase, **response.facts)
            if response.phase == "ok":
                with self._state.lock:
                    self._user.token = str(response.body["auth_token"])
                    self._user.sign_ins += 1
                self._subscribe()
                return
            self._state.stop.wait(RETRY_SECONDS)

    def _subscribe(self) -> None:
        """Let a browser subscribe with the session, once: it may fail."""
        subscribe(
            self._state,
            self._draw_connection(),
            self._user,
            token=self._user.token,
            session=self._session,
        )

    # Sending.

    def _draw_connection(self) -> ApiConnection:
        return self._rng.choice(self._connections)

    def _write(self, op: str, method: str, path: str, *, body: Any = None, **facts: Any) -> Phase:
        def attempt(connection: ApiConnection) -> tuple[Phase, Response, dict[str, Any]]:
            response = connection.request(method, path, token=self._user.token, body=body)
            return response.phase, response, {}

        return self._attempt(op, attempt, ATTEMPTS, **facts)

    def _attempt(self, op: str, attempt: Attempt, attempts: int, **facts: Any) -> Phase:
        """Attempts an operation until its end is known, and returns the last attempt's phase.

        Each attempt is an operation of its own in the history, on a connection drawn for it.
        """
        phase: Phase = "fail"
        history = self._state.history
        for left in reversed(range(attempts)):
            number = history.invoke(self._session, op, **({"by": self._session} | facts))
            phase, response, more_facts = attempt(self._draw_connection())
            history.end(number, phase, **response.facts, **more_facts)
            if phase == "ok" or _is_refusal(response) or not left or self._pause():
                break
        return phase

    def _pause(self) -> bool:
        """Wait before another attempt; returns whether the drill has stopped."""
        return self._state.stop.wait(RETRY_SECONDS * (1 + self._rng.random()))


def rehearse(state: SharedState) -> None:
    """Do every operation once with one client: a new graph plans each query for seconds.

    With many clients at once each would only delay the others.
    """
    user = next(user for user in state.users if not user.calm)
    client = Client(state, user)
    for op in ("post", *BUSY.weights):
        client.perform(op)
    end = time.monotonic() + REHEARSAL_SECONDS
    while not client.can_read() and time.monotonic() < end:
        state.stop.wait(1.0)
    client.close()


def _is_refusal(response: Response) -> bool:
    """Whether the request had no effect for good; a 409 means that an attempt is in flight."""
    return is_client_error(response.status) and response.status != HTTPStatus.CONFLICT
