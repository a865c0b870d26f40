"""The app with the front before it, and states of a feed that the two may differ over."""

import random
from typing import Any, cast

from flask import Flask
from werkzeug.test import Client

from api.fast_feed.front import Front
from api.http import context
from graph.ids import new_id
from storage import Storage
from storage.bodies import body_key
from storage.timeline_layout import ABOVE_NOTHING, DISORDER, timeline_key
from tests.support.people import Answer, Person


class Fronted:
    """Sends the same request through the front, which may pass it on to the app, and to the app."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self.front = Front(self._behind, context.parts_of(app))
        self.passed_on = False

    def get(self, person: Person, path: str, **headers: str) -> Answer:
        """The answer through the front; `passed_on` tells afterwards who gave it."""
        self.passed_on = False
        signed = {"Authorization": f"Bearer {person.token}", "X-Request-Id": "same"}
        return cast("Answer", Client(self.front).get(path, headers={**signed, **headers}))

    def view(self, person: Person, path: str, **headers: str) -> Answer:
        """The answer of the view, not held against the document: a test may plant its bodies."""
        signed = {"Authorization": f"Bearer {person.token}", "X-Request-Id": "same"}
        return cast("Answer", self._app.test_client().get(path, headers={**signed, **headers}))

    def _behind(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.passed_on = True
        return self._app.wsgi_app(environ, start_response)


def differences(one: Answer, other: Answer) -> dict[str, Any]:
    """Where two answers differ, byte for byte, but for how much of the quota is left."""
    sides = [{"status": a.status_code, "body": a.data, **dict(a.headers)} for a in (one, other)]
    names = (sides[0].keys() | sides[1].keys()) - {"RateLimit"}
    pairs = {name: (sides[0].get(name), sides[1].get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def some_state(chance: random.Random, storage: Storage, user_id: int) -> list[str]:
    """A timeline as pushes, builds, trims, deletions and evictions may have left it.

    Returns the keys of bodies that are missing: deleted once more they are missing again.
    """
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
    client = storage.cache.client
    if entries:
        client.rpush(timeline_key(user_id), *entries)
    holes, missing = chance.random() < 0.2, []
    for post in posts:
        body = b'{"id":"%d","caption":"%s"}' % (post, b"x" * chance.randrange(300))
        if _rare(chance):
            body = b""
        if holes and _rare(chance):
            missing.append(body_key(post))
        else:
            client.set(body_key(post), body, ex=600)
    return missing


def _posts(chance: random.Random, count: int) -> list[int]:
    """Ids, rising, from some time ago until now, some close together."""
    ids, at = [], new_id() - chance.randrange(DISORDER * 300)
    for _ in range(count):
        at -= chance.choice([1, DISORDER // 9, DISORDER // 2, DISORDER, DISORDER * 3])
        ids.append(at)
    return ids[::-1]


def _rare(chance: random.Random) -> bool:
    return chance.random() < 0.05
