"""Random states of a feed and changes of them, and the differences of two answers."""

import random
from dataclasses import dataclass, field
from typing import Any

from graph.ids import new_id
from storage import Storage, changes
from storage.bodies import body_key
from storage.body_format import encode
from storage.timeline_layout import ABOVE_NOTHING, DISORDER, timeline_key
from tests.support.transports import ApiResponse

AUTHORS = (11, 12, 13)
"""The authors of the posts in random states."""
DAMAGED = b"\x01no frame"


def differences(one: ApiResponse, other: ApiResponse) -> dict[str, Any]:
    """The differences of two responses, byte for byte, except the quota that is left."""
    sides = [_parts(response) for response in (one, other)]
    names = (sides[0].keys() | sides[1].keys()) - {"ratelimit"}
    pairs = {name: (sides[0].get(name), sides[1].get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _parts(response: ApiResponse) -> dict[str, Any]:
    headers = sorted((name.lower(), value) for name, value in response.headers)
    return {"status": response.status_code, "body": response.data, **dict(headers)} | {
        "names": [name for name, _ in headers]
    }


@dataclass(frozen=True)
class RandomState:
    """A timeline in a state that pushes, builds, trims, deletions or evictions can cause.

    Its posts are not in the graph.
    """

    chance: random.Random
    storage: Storage
    user_id: int
    posts: list[int] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    """Keys of bodies that are missing. The graph's answer fills them: see `forget_fills`."""
    damaged: set[str] = field(default_factory=set)
    """Keys of bodies that cannot be decoded. A reader deletes and fills them, likewise."""

    def forget_fills(self) -> None:
        """Make the missing bodies missing and the damaged ones damaged again, after a read."""
        client = self.storage.cache.client
        client.delete("nothing", *self.missing)
        for key in self.damaged:
            client.set(key, DAMAGED, ex=600)

    def change(self) -> str:
        """Change the state as a writer does, with its announcement; what was changed."""
        kind, change = self.chance.choice(
            [
                ("deletion", self._delete),
                ("new body", self._renew_body),
                ("new name", self._rename),
                ("push", lambda: self._push(new_id())),
                ("push of an old post", self._push_old),
                ("trim", self._trim),
                ("drop", lambda: self.storage.timelines.drop(self.user_id)),
                ("everything", lambda: self.storage.changes.announce([changes.EVERYTHING])),
                ("another's post", lambda: self.storage.changes.announce([changes.post(1)])),
            ]
        )
        if self.posts:
            change()
        return kind

    @property
    def _key(self) -> bytes:
        return timeline_key(self.user_id)

    def _push(self, post_id: int) -> None:
        self._write_body(post_id)
        if self.storage.cache.client.rpushx(self._key, str(post_id)):
            self.posts.append(post_id)

    def _push_old(self) -> None:
        self._push(self.posts[-1] - self.chance.randrange(1, DISORDER))

    def _trim(self) -> None:
        self.storage.cache.client.ltrim(self._key, -self.chance.randrange(1, 40), -1)

    def _renew_body(self) -> None:
        post_id = self.chance.choice(self.posts[-8:])
        self._write_body(post_id)
        self.storage.changes.announce([changes.post(post_id)])

    def _rename(self) -> None:
        author = self.chance.choice(AUTHORS)
        for post_id in self.posts:
            if _author_of(post_id) == author and self._has_json(post_id):
                self._write_body(post_id)
        self.storage.changes.announce([changes.author(author)])

    def _delete(self) -> None:
        post_id = self.chance.choice(self.posts[-8:])
        self._forget_hole(post_id)
        self.storage.bodies.tombstone([post_id])
        self.storage.changes.announce([changes.post(post_id)])

    def _forget_hole(self, post_id: int) -> None:
        self.missing.discard(body_key(post_id))
        self.damaged.discard(body_key(post_id))

    def _has_json(self, post_id: int) -> bool:
        return bool(self.storage.bodies.read_many([post_id])[post_id])

    def _write_body(self, post_id: int) -> None:
        """A body of another caption, in one of the forms that the cache can hold."""
        body = b'{"id":"%d","author":{"id":"%d"},"caption":"%s"}' % (
            post_id,
            _author_of(post_id),
            self.chance.randbytes(self.chance.randrange(150)).hex().encode(),
        )
        value = body if self.chance.random() < 0.1 else encode(body)
        self._forget_hole(post_id)
        self.storage.cache.client.set(body_key(post_id), value, ex=600)

    def _create_bodies(self) -> None:
        client, holes = self.storage.cache.client, self.chance.random() < 0.2
        for post_id in self.posts:
            if holes and _rare(self.chance):
                self.missing.add(body_key(post_id))
            elif _rare(self.chance):
                client.set(body_key(post_id), b"", ex=600)
            elif holes and _rare(self.chance):
                self.damaged.add(body_key(post_id))
            else:
                self._write_body(post_id)
        self.forget_fills()


def create_random_state(chance: random.Random, storage: Storage, user_id: int) -> RandomState:
    """Write a random state of the user's timeline."""
    storage.timelines.drop(user_id)
    posts = _posts(chance, chance.choice([0, 1, 3, 19, 20, 21, 24, 25, 40, 90]))
    arrivals = [(post + chance.randrange(DISORDER), post) for post in posts]
    arrivals += [(post + chance.randrange(DISORDER), post) for post in posts if _rare(chance)]
    entries = [post for _, post in sorted(arrivals)]
    match chance.choice(["whole", "whole", "built", "trimmed", "unfinished"]):
        case "whole":
            entries = [0, *entries]
        case "built" if posts:
            lowest = chance.choice(posts)
            entries = [-lowest, *(entry for entry in entries if entry >= lowest)]
        case "unfinished":
            entries = [-ABOVE_NOTHING, *entries]
    if entries:
        storage.cache.client.rpush(timeline_key(user_id), *entries)
    state = RandomState(chance, storage, user_id, posts)
    state._create_bodies()
    return state


def _posts(chance: random.Random, count: int) -> list[int]:
    """Rising ids until now, some of them close together."""
    ids, at = [], new_id() - chance.randrange(DISORDER * 300)
    for _ in range(count):
        at -= chance.choice([1, DISORDER // 9, DISORDER // 2, DISORDER, DISORDER * 3])
        ids.append(at)
    return ids[::-1]


def _author_of(post_id: int) -> int:
    return AUTHORS[post_id % len(AUTHORS)]


def _rare(chance: random.Random) -> bool:
    return chance.random() < 0.05
