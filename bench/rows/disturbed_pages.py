"""R1n, R1s, R4: first pages while bodies change and beside slow clients; their cost in Redis."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.peers.page_command import PageCommand
from bench.peers.slow_clients import IDLE, SLOW, slow_clients
from bench.rows.page_client import PAGE, page_client, viewers
from bench.rows.pages import check_pages, first_pages
from bench.rows.row import Row, Sides
from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext
from bench.stage.stage import Stage
from storage import changes

CHANGES_A_SECOND = 50


class _Changing:
    """Discards and announces bodies of the viewers' first pages, as a new name of an author does.

    Readers read each of them from the graph again. A context manager.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._posts = sorted({i for viewer in viewers(stage) for i in stage.feed(viewer)[:PAGE]})
        self._chance = random.Random(stage.town.seed)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._change, daemon=True)
        self.count = 0

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _change(self) -> None:
        storage, began = self._stage.storage, time.monotonic()
        while not self._ending.wait(max(0.0, self.count / CHANGES_A_SECOND - self._since(began))):
            post_id = self._chance.choice(self._posts)
            storage.bodies.discard([post_id])
            storage.changes.announce([changes.post(post_id)])
            self.count += 1

    @staticmethod
    def _since(began: float) -> float:
        return time.monotonic() - began


@contextmanager
def _while_bodies_change(run: RunContext) -> Iterator[Sides]:
    with page_client(run) as client:
        pages = first_pages(client)
        file = client.write_file("first", pages)
        rates: list[float] = []

        def measure_changing() -> Measurement:
            changing, began = _Changing(client.stage), time.monotonic()
            with changing:
                measurement = client.measure(file)[0]
            rates.append(changing.count / (time.monotonic() - began))
            return measurement

        yield Sides(
            ours=measure_changing,
            against=lambda: client.measure(file)[0],
            check=lambda: check_pages(client, pages),
            context=lambda: {"least changes a second": min(rates)},
            sizes={"users": client.stage.town.users, "viewers": len(pages)},
        )


@contextmanager
def _beside_slow_clients(run: RunContext) -> Iterator[Sides]:
    with page_client(run) as client:
        pages = first_pages(client)
        file = client.write_file("first", pages)

        def measure_beside() -> Measurement:
            with slow_clients(client.processes.url):
                return client.measure(file)[0]

        yield Sides(
            ours=measure_beside,
            against=lambda: client.measure(file)[0],
            check=lambda: check_pages(client, pages),
            sizes={"users": client.stage.town.users, "viewers": len(pages)},
        )


@contextmanager
def _redis_cost(run: RunContext) -> Iterator[Sides]:
    """R4: as many commands a send as the product's connection has on average."""
    with ExitStack() as closing:
        client = closing.enter_context(page_client(run))
        pages = first_pages(client)
        file = client.write_file("first", pages)
        user_ids = [client.stage.town.user_id(page.viewer) for page in pages]
        command = closing.enter_context(PageCommand(client.stage, user_ids))
        sends: list[float] = []

        def measure_page() -> Measurement:
            commands_a_read = client.stage.cache_commands_a_read()
            us = client.measure(file)[0].cpu_us["redis"]
            sends.append(commands_a_read())
            return Measurement(value=us, cpu_us={"redis": us})

        def measure_command() -> Measurement:
            commands = max(1, round(sends[-1])) if sends else 1
            return command.cost(client.seconds, commands_a_send=commands)

        yield Sides(
            ours=measure_page,
            against=measure_command,
            check=lambda: check_pages(client, pages),
            context=lambda: {"commands a send": sends[-1]},
            sizes={"users": client.stage.town.users, "viewers": len(pages)},
        )


ROWS = (
    Row(
        id="R1n",
        title=f"first page while {CHANGES_A_SECOND} bodies a second change : R1",
        unit="pages/s",
        target=0.9,
        better="higher",
        open=_while_bodies_change,
        needs=("wrk",),
    ),
    Row(
        id="R1s",
        title=f"first page beside {SLOW} slow and {IDLE:,} idle clients : R1",
        unit="pages/s",
        target=0.9,
        better="higher",
        open=_beside_slow_clients,
        needs=("wrk",),
    ),
    Row(
        id="R4",
        title="Redis CPU of a first page : of redis-benchmark's LRANGE, as many commands a send",
        unit="µs",
        target=2.0,
        better="lower",
        open=_redis_cost,
        needs=("wrk", "redis-benchmark"),
    ),
)
