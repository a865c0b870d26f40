"""The notifier: watches the timelines of subscribers, and sends them notices.

Any number of notifiers share the partitions by leases.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress

import structlog

from feed.background import BackgroundRebuilder
from graph import Graph
from graph.errors import GraphUnavailableError
from observing import metrics
from storage import Storage
from storage.errors import StorageError
from storage.notices.leases import LEASE_SECONDS
from workers.notices.agenda import Arrival
from workers.notices.deciding import Decider
from workers.notices.dispatching import Dispatcher
from workers.notices.due import NoticeTimes
from workers.notices.planning import Notice
from workers.notices.push.messages import Outcome
from workers.notices.push.sender import PushSender
from workers.notices.subscribers import PartitionSubscribers

log = structlog.get_logger()

ROUND_SECONDS = 1.0
"""Time between the beginnings of two walks. What is due then is sent until the next one."""

SHORTEST_PAUSE_SECONDS = 0.1
"""Between two walks that take long."""

IN_FLIGHT = 1_000
"""Notices that are being sent at the same time. Further ones wait on the agenda."""

FINISHED = 200
"""Notices whose outcomes are recorded at once."""

REBUILDS = 16
"""Missing timelines that wait to be built by one thread."""

RENEW_SECONDS = LEASE_SECONDS / 3

STOP_SECONDS = 10.0
"""How long a stopping notifier waits for the notices that are being sent."""

Result = tuple[Notice, Sequence[Outcome]]


class Notifier:
    """One process's work. `run` belongs to an event loop; the stores are read in threads."""

    def __init__(
        self, graph: Graph, storage: Storage, sender: PushSender, times: NoticeTimes
    ) -> None:
        self._graph = graph
        self._storage = storage
        self._sender = sender
        self._times = times
        self._dispatcher = Dispatcher(Decider(graph, storage, times), times)
        self._leases = storage.partition_leases()
        self._rebuilder = BackgroundRebuilder(graph, storage, threads=1, pending=REBUILDS)
        self._partitions: dict[int, PartitionSubscribers] = {}
        self._renewed_at = 0.0
        self._sending: set[asyncio.Task[None]] = set()
        self._results: list[Result] = []
        self._has_results = asyncio.Event()
        self._in_outage = False

    async def run(self, stop: asyncio.Event) -> None:
        """Walk and send until `stop` is set; then finish what is being sent, and give up leases."""
        recorder = asyncio.create_task(self._record_all())
        while not stop.is_set():
            began = time.monotonic()
            await self._attempt(self._round(began + ROUND_SECONDS))
            with suppress(TimeoutError):
                pause = max(SHORTEST_PAUSE_SECONDS, ROUND_SECONDS - (time.monotonic() - began))
                await asyncio.wait_for(stop.wait(), pause)
        if self._sending:
            await asyncio.wait(self._sending, timeout=STOP_SECONDS)
        recorder.cancel()
        await asyncio.wait([recorder])
        await self._attempt(self._record())
        await self._attempt(asyncio.to_thread(self._leases.give_up))
        await asyncio.to_thread(self._rebuilder.close)

    async def _round(self, end: float) -> None:
        """One walk; then what is due is sent, until `end`."""
        self._sender.log_failures()
        await self._walk_all()
        await self._send_until(end)

    # Walking.

    async def _walk_all(self) -> None:
        """One walk over all partitions, each time in another order."""
        began = time.monotonic()
        if await asyncio.to_thread(self._renew_leases):
            self._dispatcher.keep_only(
                {user_id for one in self._partitions.values() for user_id in one.user_ids}
            )
        partitions = list(self._partitions.values())
        random.shuffle(partitions)
        for subscribers in partitions:
            self._dispatcher.add(await asyncio.to_thread(self._walk, subscribers))
        metrics.WALK_SECONDS.set(time.monotonic() - began)
        metrics.SUBSCRIBERS.set(sum(len(one.user_ids) for one in partitions))

    def _renew_leases(self) -> bool:
        """Watch exactly the partitions that are leased now. Whether some were lost."""
        now_ms = self._storage.notice_records.now_ms()
        held = self._leases.renew(now_ms)
        self._renewed_at = time.monotonic()
        lost = self._partitions.keys() - set(held)
        for number in lost:
            del self._partitions[number]
        for number in held:
            if number not in self._partitions:
                self._partitions[number] = PartitionSubscribers(
                    self._graph, self._storage, self._times, number, now_ms
                )
        return bool(lost)

    def _walk(self, subscribers: PartitionSubscribers) -> Sequence[Arrival]:
        """What is new in a partition; also cares for what the cache has lost of it."""
        if time.monotonic() - self._renewed_at > RENEW_SECONDS:
            self._leases.renew(self._storage.notice_records.now_ms())
            self._renewed_at = time.monotonic()
        subscribers.restore_numbers()
        for user_id in subscribers.take_without_list(self._rebuilder.room):
            self._rebuilder.schedule(user_id)
        return subscribers.look()

    # Sending.

    async def _send_until(self, end: float) -> None:
        """Begin to send what is due, until `end` or until nothing is due.

        A push service that is slow holds its own messages, and neither the walk nor the leases.
        """
        has_more = True
        while has_more and time.monotonic() < end:
            if len(self._sending) >= IN_FLIGHT:
                await asyncio.wait(
                    self._sending, timeout=ROUND_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                return
            has_more = await self._send_due()

    async def _send_due(self) -> bool:
        """Begin to send some notices that are due. Whether more users may be due."""
        now_ms = await asyncio.to_thread(self._storage.notice_records.now_ms)
        notices, has_more = await asyncio.to_thread(self._dispatcher.take, now_ms)
        for notice in notices:
            task = asyncio.create_task(self._send(notice))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return has_more

    async def _send(self, notice: Notice) -> None:
        """Send the messages of a notice, and hand over their outcomes to be recorded."""
        try:
            outcomes = await self._sender.send(notice.messages)
        except Exception:  # a bug: the others are sent, and this one after its claim
            log.exception("notice not sent", user_id=notice.user_id)
            self._dispatcher.put_back([notice])
        else:
            self._results.append((notice, outcomes))
            self._has_results.set()

    async def _record_all(self) -> None:
        """Record outcomes as they come, until this is cancelled."""
        while True:
            await self._has_results.wait()
            self._has_results.clear()
            await self._attempt(self._record())

    async def _record(self) -> None:
        """Record what became of the notices that were sent."""
        while self._results:
            results, self._results = self._results[:FINISHED], self._results[FINISHED:]
            try:
                now_ms = await asyncio.to_thread(self._storage.notice_records.now_ms)
            except BaseException:  # an outage, or the end of the process
                self._dispatcher.put_back([notice for notice, _ in results])
                raise
            await asyncio.to_thread(self._dispatcher.finish, results, now_ms)

    async def _attempt(self, work: Awaitable[object]) -> None:
        """Do the work, which may fail: the next round goes on. An outage is logged once."""
        try:
            await work
        except (StorageError, GraphUnavailableError) as error:
            if not self._in_outage:
                log.warning("notifier waits for a store", error=str(error))
            self._in_outage = True
        except Exception:  # a bug must not end the notifier
            log.exception("notifier failed")
        else:
            if self._in_outage:
                log.info("notifier goes on")
            self._in_outage = False
