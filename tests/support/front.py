"""Random states of a feed, and the differences of two answers to the same request."""

import random
from typing import Any

from graph.ids import new_id
from storage import Storage
from storage.bodies import body_key
from storage.body_format import encode
from storage.timeline_layout import ABOVE_NOTHING, DISORDER, timeline_key
from tests.support.transports import ApiResponse


def differences(one: ApiResponse, other: ApiResponse) -> dict[str, Any]:
    """The differences of two responses, byte for byte, except the quota that is left."""
    sides = [{"status": a.status_code, "body": a.data, **dict(a.headers)} for a in (one, other)]
    names = (sides[0].keys() | sides[1].keys()) - {"RateLimit"}
    pairs = {name: (sides[0].get(name), sides[1].get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def create_random_state(chance: random.Random, storage: Storage, user_id: int) -> list[str]:
    """Writes a timeline in a state that pushes, builds, trims, deletions or evictions can cause.

    Returns the keys of bodies that are missing, for a test to delete them again after a read.
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
            client.set(body_key(post), encode(body), ex=600)
    return missing


def _posts(chance: random.Random, count: int) -> list[int]:
    """Rising ids until now, some of them close together."""
    ids, at = [], new_id() - chance.randrange(DISORDER * 300)
    for _ in range(count):
        at -= chance.choice([1, DISORDER // 9, DISORDER // 2, DISORDER, DISORDER * 3])
        ids.append(at)
    return ids[::-1]


def _rare(chance: random.Random) -> bool:
    return chance.random() < 0.05
