"""The drill's clients: each is one thread that acts for one user and writes down what it does.

What ends unknown is tried again under a new number, as the promises invite clients to.
"""

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from drill.history import Phase
from drill.load.api_client import Answer, Door
from drill.load.reader import Reader
from drill.load.world import PASSWORD, Citizen, Posted, Watch, World

WEIGHTS = {
    "read": 50,
    "walk": 3,
    "post": 18,
    "delete": 4,
    "follow": 6,
    "unfollow": 5,
    "block": 0.7,
    "unblock": 0.9,
    "post-again": 2,
    "sign-out": 0.3,
}
"""How often a client does what."""

LEAVING = {"unfollow", "block"}
"""What steady users do not do: a leaving keeps timelines from being built for half a minute."""

THINKING_SECONDS = 0.25
"""Mean pause between two operations of one client."""

REHEARSAL_SECONDS = 60.0
TRIES = 4
PAUSE_SECONDS = 0.4

WATCHED = 0.25
"""Share of the posts that a follower's feed is watched for."""


class Session(threading.Thread):
    """One user's doings until the world stops."""

    def __init__(self, world: World, citizen: Citizen) -> None:
        super().__init__(name=f"session-{citizen.name}", daemon=True)
        self._world = world
        self._me = citizen
        self._rng = world.rng(f"session-{world.citizens.index(citizen)}")
        self._doors = [Door(url) for url in world.api_urls]
        self._reader = Reader(world.history, self._doors, self._rng, world.stop)
        self._blocked: set[int] = set()
        self._does: dict[str, Callable[[], object]] = {
            "read": lambda: self._reader.first_page(self._me.id, self._token, self._label),
            "walk": lambda: self._reader.walk(self._me.id, self._token, self._label),
            "post": self._post,
            "delete": self._delete,
            "follow": self._follow,
            "unfollow": self._unfollow,
            "block": self._block,
            "unblock": self._unblock,
            "post-again": self._post_again,
            "sign-out": self._sign_out,
        }

    def run(self) -> None:
        ops = [op for op in WEIGHTS if not (self._me.steady and op in LEAVING)]
        weights = [WEIGHTS[op] for op in ops]
        while not self._world.stop.wait(self._rng.expovariate(1 / THINKING_SECONDS)):
            [op] = self._rng.choices(ops, weights)
            self.do(op)
        self.leave()

    def do(self, op: str) -> None:
        """One operation, and what belongs to it."""
        self._does[op]()

    def reads(self) -> bool:
        """Whether one's feed is to be had."""
        return self._reader.first_page(self._me.id, self._token, self._label).phase == "ok"

    def leave(self) -> None:
        """Hang up."""
        for door in self._doors:
            door.close()

    @property
    def _label(self) -> str:
        return f"{self._me.name.split('_')[0]}.{self._me.signed_in}"

    @property
    def _token(self) -> str:
        return self._me.token

    # Posts.

    def _post(self) -> None:
        if not self._me.photos:
            return
        self._me.posted += 1
        photo_id = self._me.photos.popleft()
        tag = f"{self._me.name.split('_')[0]}-{self._me.posted}"
        posted = self._send_post(tag, secrets.token_hex(12), photo_id, tries=TRIES)
        if posted is None:
            return
        with self._world.lock:
            self._world.posts[self._me.id].append(posted)
        self._have_watched(posted)
        if self._rng.random() < 0.5:  # one's own writes, at once
            self._does["read"]()

    def _send_post(self, tag: str, key: str, photo_id: int, *, tries: int) -> Posted | None:
        """The post once it is acknowledged, by the same key each time."""
        posted: list[Posted] = []

        def once(door: Door) -> tuple[Phase, Answer, dict[str, Any]]:
            answer = door.ask(
                "POST",
                "/v1/me/feed",
                token=self._token,
                body={"photo_ids": [str(photo_id)], "caption": tag},
                headers={"Idempotency-Key": key},
            )
            if answer.phase != "ok":
                return answer.phase, answer, {}
            post_id = int(answer.body["id"])
            now = self._world.history.now()
            posted.append(
                Posted(
                    post_id=post_id,
                    author_id=self._me.id,
                    tag=tag,
                    key=key,
                    photo_id=photo_id,
                    acknowledged_at=now,
                )
            )
            return "ok", answer, {"id": post_id, "replayed": answer.replayed}

        self._until_known("post", once, tries=tries, author=self._me.id, tag=tag, key=key)
        return posted[0] if posted else None

    def _post_again(self) -> None:
        """A key used before, as a client does that has forgotten the answer."""
        with self._world.lock:
            posts = list(self._world.posts[self._me.id])
        if posts:
            old = self._rng.choice(posts)
            self._send_post(old.tag, old.key, old.photo_id, tries=1)

    def _delete(self) -> None:
        with self._world.lock:
            posts = self._world.posts[self._me.id]
            gone = posts.pop(self._rng.randrange(len(posts))) if posts else None
        if gone:
            path = f"/v1/posts/{gone.post_id}"
            facts = {"author": self._me.id, "id": gone.post_id, "tag": gone.tag}
            self._write("delete", "DELETE", path, **facts)
            self._now_and_then_read()

    def _have_watched(self, posted: Posted) -> None:
        followers = self._world.followers(self._me.id)
        if followers and not self._world.watches.full() and self._rng.random() < WATCHED:
            viewer = self._rng.choice(followers)
            self._world.watches.put_nowait(Watch(posted=posted, viewer=viewer))

    # Follows and blocks.

    def _follow(self) -> None:
        with self._world.lock:
            mine = set(self._world.follows[self._me.id])
        others = [one for one in self._world.others(self._me) if one.id not in mine]
        others = [one for one in others if one.id not in self._blocked]
        if not others:
            return
        other = self._rng.choice(others)
        phase = self._write(
            "follow", "PUT", f"/v1/me/following/{other.id}", viewer=self._me.id, author=other.id
        )
        if phase == "ok":
            with self._world.lock:
                self._world.follows[self._me.id].add(other.id)
        self._now_and_then_read()

    def _unfollow(self) -> None:
        with self._world.lock:
            mine = sorted(self._world.follows[self._me.id])
        if not mine:
            return
        other_id = self._rng.choice(mine)
        with self._world.lock:
            self._world.follows[self._me.id].discard(other_id)
        self._write(
            "unfollow",
            "DELETE",
            f"/v1/me/following/{other_id}",
            viewer=self._me.id,
            author=other_id,
        )
        self._now_and_then_read()

    def _block(self) -> None:
        others = [one for one in self._world.others(self._me) if not one.steady]
        if not others:
            return
        other = self._rng.choice(others)
        with self._world.lock:
            self._world.follows[self._me.id].discard(other.id)
            self._world.follows[other.id].discard(self._me.id)
        self._blocked.add(other.id)
        path = f"/v1/me/blocks/{other.id}"
        self._write("block", "PUT", path, blocker=self._me.id, blocked=other.id)
        self._now_and_then_read()

    def _unblock(self) -> None:
        if not self._blocked:
            return
        other_id = self._rng.choice(sorted(self._blocked))
        path = f"/v1/me/blocks/{other_id}"
        phase = self._write("unblock", "DELETE", path, blocker=self._me.id, blocked=other_id)
        if phase == "ok":
            self._blocked.discard(other_id)

    # Sessions.

    def _sign_out(self) -> None:
        """Ends the session, tries its token everywhere, and begins another one."""
        old_token, old_name = self._token, self._label

        def once(door: Door) -> tuple[Phase, Answer, dict[str, Any]]:
            answer = door.ask("DELETE", "/v1/me/sessions/current", token=old_token)
            done = answer.status == 401  # an earlier try did it, and its copy is gone too
            return "ok" if done else answer.phase, answer, {}

        self._until_known("sign-out", once, tries=TRIES, token=old_name)
        for door in self._doors:
            number = self._world.history.invoke(old_name, "use", token=old_name, viewer=self._me.id)
            answer = door.ask("GET", "/v1/me/feed?limit=1", token=old_token)
            phase: Phase = "ok" if answer.phase == "ok" else "fail"
            self._world.history.end(number, phase, **answer.facts)
        self._sign_in()

    def _sign_in(self) -> None:
        body = {"username": self._me.name, "password": PASSWORD}
        while not self._world.stop.is_set():
            number = self._world.history.invoke(self._label, "sign-in", viewer=self._me.id)
            answer = self._door().ask("POST", "/v1/sessions", body=body)
            self._world.history.end(number, answer.phase, **answer.facts)
            if answer.phase == "ok":
                self._me.token = str(answer.body["auth_token"])
                self._me.signed_in += 1
                return
            self._world.stop.wait(PAUSE_SECONDS)

    # How everything is sent.

    def _door(self) -> Door:
        return self._rng.choice(self._doors)

    def _now_and_then_read(self) -> None:
        if self._rng.random() < 0.7:
            self._does["read"]()

    def _write(self, op: str, method: str, path: str, **facts: Any) -> Phase:
        def once(door: Door) -> tuple[Phase, Answer, dict[str, Any]]:
            answer = door.ask(method, path, token=self._token)
            return answer.phase, answer, {}

        return self._until_known(op, once, tries=TRIES, **facts)

    def _until_known(
        self,
        op: str,
        once: Callable[[Door], tuple[Phase, Answer, dict[str, Any]]],
        *,
        tries: int,
        **facts: Any,
    ) -> Phase:
        """The last try's phase; each try is an operation of its own."""
        phase: Phase = "fail"
        for left in reversed(range(tries)):
            number = self._world.history.invoke(self._label, op, **({"by": self._label} | facts))
            phase, answer, told = once(self._door())
            self._world.history.end(number, phase, **answer.facts, **told)
            in_flight = answer.status == 409
            known = phase == "ok" or (400 <= answer.status < 500 and not in_flight)
            if known or not left or self._world.stop.wait(PAUSE_SECONDS * (1 + self._rng.random())):
                break
        return phase


def rehearse(world: World) -> None:
    """Everything once by one client: a graph just started plans each query for seconds.

    Many clients at once would only hold one another up meanwhile.
    """
    citizen = next(one for one in world.citizens if not one.steady)
    session = Session(world, citizen)
    for op in ("post", *WEIGHTS):
        session.do(op)
    end = time.monotonic() + REHEARSAL_SECONDS
    while not session.reads() and time.monotonic() < end:
        world.stop.wait(1.0)
    session.leave()
