"""The bare driver: the product's own statements and parameters, without the product.

Each thread has a session and sends each statement as the product does: auto-commit, one round
trip. That is the fastest way (859 publications a second, 510 in a managed transaction, measured on
a prototype), so the counterpart is as fast as it can be.
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

RunStatement = Callable[..., list[dict[str, Any]]]
"""Sends a statement with its parameters as keywords; returns its rows."""
Task = Callable[[RunStatement], None]

CREATE_PHOTOS = """
UNWIND range(0, size($photo_ids) - 1) AS number
CREATE (:Photo {
  id: $photo_ids[number], owner_id: $owner_ids[number], path: 'bench-' + $photo_ids[number],
  state: 'ready', content_type: 'image/jpeg', size_bytes: 3000000, width: 4032, height: 3024,
  blurhash: 'LEHV6nWB2yk8pyo0adR*.7kCMdnj', expires_at: timestamp() + 86400000
})
"""
DELETE_EVENTS = "MATCH (event:Event) WHERE event.author_id IN $ids OR event.subject_id IN $ids \
DELETE event"

BATCH = 2_000
"""Photos created by one statement."""


class BareDriver:
    """A driver of its own on the stage's Neo4j. A context manager."""

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

    def run(self, text: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a statement."""
        with self._driver.session(database=self._database) as session:
            return session.run(text, parameters).data()

    def measure(self, seconds: float, threads: int, tasks: Sequence[Task]) -> tuple[float, int]:
        """Run each task once, until the time or the tasks end.

        Returns the tasks a second, and the number of tasks that were run.
        """
        queue = iter(tasks)
        lock = threading.Lock()
        until = time.perf_counter() + seconds

        def work() -> int:
            done = 0
            with self._driver.session(database=self._database) as session:

                def run(text: str, **parameters: Any) -> list[dict[str, Any]]:
                    return session.run(text, parameters).data()

                while time.perf_counter() < until:
                    with lock:
                        task = next(queue, None)
                    if task is None:
                        break
                    task(run)
                    done += 1
            return done

        began = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            count = sum(future.result() for future in [pool.submit(work) for _ in range(threads)])
        return count / (time.perf_counter() - began), count


def statement(name: str) -> str:
    """The text of one of the product's own statements."""
    return LOADED[name].text


def create_photos(driver: BareDriver, owner_ids: Sequence[int]) -> list[int]:
    """Create a photo for each owner, ready to be posted; returns their ids."""
    photo_ids = [new_id() for _ in owner_ids]
    for start in range(0, len(photo_ids), BATCH):
        driver.run(
            CREATE_PHOTOS,
            photo_ids=photo_ids[start : start + BATCH],
            owner_ids=list(owner_ids[start : start + BATCH]),
        )
    return photo_ids


def delete_events(stage: Stage, driver: BareDriver, user_ids: Sequence[int]) -> None:
    """Delete the events of these users and all queued jobs, at the end of a row."""
    driver.run(DELETE_EVENTS, ids=list(user_ids))
    stage.storage.queue.client.flushdb()
