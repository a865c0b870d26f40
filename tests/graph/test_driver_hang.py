"""A server error in a managed transaction of the driver blocks another thread for ever.

With execute_write in place of Connection.write, this test finds blocked threads within seconds.
"""

import random
import threading
import time
from collections import Counter

import pytest

from graph import Graph
from graph.connection import Connection
from graph.errors import ConstraintViolatedError
from tests.support.town import Town, statement

THREADS = 8
SECONDS = 8.0
BLOCKED_SECONDS = 4.0

BAD = statement("CREATE (:User {id: $id})")
GOOD = statement("RETURN $x AS x, [i IN range(0, 50) | i + $x] AS numbers")


class Load:
    """Threads whose statements violate a constraint half of the time."""

    def __init__(self, connection: Connection, existing_id: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self._connection = connection
        self._existing_id = existing_id
        self._until = time.monotonic() + SECONDS
        self._busy_since: dict[int, float] = {}
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(THREADS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def is_running(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def blocked(self) -> list[int]:
        latest = time.monotonic() - BLOCKED_SECONDS
        return [number for number, since in list(self._busy_since.items()) if since < latest]

    def _run(self, number: int) -> None:
        while time.monotonic() < self._until:
            self._busy_since[number] = time.monotonic()
            self.outcomes[self._once()] += 1
            del self._busy_since[number]

    def _once(self) -> str:
        x = random.randrange(10**9)
        if random.random() < 0.5:
            try:
                self._connection.write(BAD, id=self._existing_id)
            except ConstraintViolatedError:
                return "violated"
            return "created"
        rows = self._connection.read(GOOD, x=x)
        return "right" if rows == [{"x": x, "numbers": list(range(x, x + 51))}] else "wrong"


@pytest.mark.timeout(60)
def test_constraint_errors_block_no_thread_and_mix_up_no_answers(graph: Graph, town: Town) -> None:
    load = Load(graph.connection, town.user())
    load.start()
    while load.is_running():
        assert not load.blocked(), load.outcomes
        threading.Event().wait(0.1)
    assert load.outcomes.keys() == {"violated", "right"}
    assert load.outcomes["violated"] > 100
