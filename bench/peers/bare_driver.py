"""The bare driver: the product's own statements and parameters, and nothing of the product.

A session a thread, each statement sent as the product sends it: auto-commit, one round trip. That
is what is fastest (510 publications a second in a managed transaction, 859 so, facts of the
prototypes), so the counterpart is not made to look slow.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import neo4j

from bench.stage.stage import Stage
from graph.ids import new_id
from graph.queries import LOADED

Ask = Callable[..., list[dict[str, Any]]]
"""Sends a statement with parameters; its rows."""

READY_PHOTOS = """
UNWIND range(0, size($photo_ids) - 1) AS number
CREATE (:Photo {
  id: $photo_ids[number], owner_id: $owner_ids[number], path: 'bench-' + $photo_ids[number],
  state: 'ready', content_type: 'image/jpeg', size_bytes: 3000000, width: 4032, height: 3024,
  blurhash: 'LEHV6nWB2yk8pyo0adR*.7kCMdnj', expires_at: timestamp() + 86400000
})
"""
FORGET_EVENTS = "MATCH (event:Event) WHERE event.author_id IN $ids OR event.subject_id IN $ids \
DELETE event"

MANY = 2_000
"""Photos made in one statement."""


class Bare:
    """A driver of its own, used as a context manager."""

    def __init__(self, stage: Stage) -> None:
        env = stage.env
        self._database = env["NEO4J_DATABASE"]
        self._driver = neo4j.GraphDatabase.driver(
            env["NEO4J_URI"],
            auth=(env["NEO4J_USER"], env["NEO4J_PASSWORD"]),
            max_connection_pool_size=64,
            notifications_min_severity="OFF",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._driver.close()

    def ask(self, text: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of one statement."""
        with self._driver.session(database=self._database) as session:
            return session.run(text, parameters).data()

    def rate(
        self, seconds: float, threads: int, tasks: Sequence[Callable[[Ask], None]]
    ) -> tuple[float, int]:
        """Tasks a second, and how many were done: each once, until the time or they are over."""
        turn = iter(tasks)
        lock = threading.Lock()
        until = time.perf_counter() + seconds

        def work() -> int:
            done = 0
            with self._driver.session(database=self._database) as session:

                def ask(text: str, **parameters: Any) -> list[dict[str, Any]]:
                    return session.run(text, parameters).data()

                while time.perf_counter() < until:
                    with lock:
                        task = next(turn, None)
                    if task is None:
                        break
                    task(ask)
                    done += 1
            return done

        began = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            count = sum(future.result() for future in [pool.submit(work) for _ in range(threads)])
        return count / (time.perf_counter() - began), count


def statement(name: str) -> str:
    """The text of one of the product's own statements."""
    return LOADED[name].text


def ready_photos(bare: Bare, owner_ids: Sequence[int]) -> list[int]:
    """A photo for each owner, ready to be posted."""
    photo_ids = [new_id() for _ in owner_ids]
    for start in range(0, len(photo_ids), MANY):
        bare.ask(
            READY_PHOTOS,
            photo_ids=photo_ids[start : start + MANY],
            owner_ids=list(owner_ids[start : start + MANY]),
        )
    return photo_ids


def forget_events(stage: Stage, bare: Bare, user_ids: Sequence[int]) -> None:
    """Nothing is owed for these users any more, and no bell waits: their row is over."""
    bare.ask(FORGET_EVENTS, ids=list(user_ids))
    stage.storage.queue.client.flushdb()
