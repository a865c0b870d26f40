"""The notifier: watches the timelines of subscribers, and sends them notices.

Any number of notifiers share the partitions by leases. What is new stands on an agenda in memory;
the next notifier finds it again, as records and timelines say what has been told.
"""

import asyncio
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
from workers.notices.agenda import Agenda, Arrival
from workers.notices.deciding import Decider, Notice
from workers.notices.due import NoticeTimes
from workers.notices.push.sender import PushSender
from workers.notices.subscribers import PartitionSubscribers

log = structlog.get_logger()

ROUND_SECONDS = 1.0
"""Time between the beginnings of two walks."""

SHORTEST_PAUSE_SECONDS = 0.1
"""Between two walks that take long."""

BATCH = 60
"""Users who are decided at once; the graph reads at most 160 posts of each."""

BATCHES = 10
"""Batches of a round: then the walk goes on. What is due waits on the agenda."""

SENDING = 4
"""Batches that are being sent at the same time. A push service that hangs holds one for seconds."""

REBUILDS = 8
"""Missing timelines of a partition that are scheduled in a walk. One thread builds them."""

RETRY_SECONDS = 5
"""When users are decided again whose stores did not answer."""

RENEW_SECONDS = LEASE_SECONDS / 3

STOP_SECONDS = 10.0
"""How long a stopping notifier waits for the batches that are being sent."""


class Notifier:
    """One process's work. `run` belongs to an event loop; the stores are read in a thread."""

    def __init__(
        self, graph: Graph, storage: Storage, sender: PushSender, times: NoticeTimes
    ) -> None:
        self._graph = graph
        self._storage = storage
        self._sender = sender
        self._times = times
        self._decider = Decider(graph, storage, times)
        self._agenda = Agenda(times)
        self._leases = storage.partition_leases()
        self._rebuilder = BackgroundRebuilder(graph, storage, threads=1, pending=2 * REBUILDS)
        self._partitions: dict[int, PartitionSubscribers] = {}
        self._renewed_at = 0.0
        self._sending: set[asyncio.Task[None]] = set()
        self._in_outage = False

    async def run(self, stop: asyncio.Event) -> None:
        """Walk and send until `stop` is set; then finish what is being sent, and give up leases."""
        while not stop.is_set():
            began = time.monotonic()
            await self._attempt(self._round())
            with suppress(TimeoutError):
                pause = max(SHORTEST_PAUSE_SECONDS, ROUND_SECONDS - (time.monotonic() - began))
                await asyncio.wait_for(stop.wait(), pause)
        if self._sending:
            await asyncio.wait(self._sending, timeout=STOP_SECONDS)
        await self._attempt(asyncio.to_thread(self._leases.give_up))
        await asyncio.to_thread(self._rebuilder.close)

    async def _round(self) -> None:
        """One walk over all partitions, then the batches that are due."""
        began = time.monotonic()
        if await asyncio.to_thread(self._renew_leases):
            self._agenda.keep_only(
                {user_id for one in self._partitions.values() for user_id in one.user_ids}
            )
        for subscribers in list(self._partitions.values()):
            for arrival in await asyncio.to_thread(self._walk, subscribers):
                self._agenda.add(arrival)
        metrics.WALK_SECONDS.set(time.monotonic() - began)
        metrics.SUBSCRIBERS.set(sum(len(one.user_ids) for one in self._partitions.values()))
        for _ in range(BATCHES):
            if not await self._send_due():
                return

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
        for user_id in subscribers.take_without_list(REBUILDS):
            self._rebuilder.schedule(user_id)
        return subscribers.look()

    async def _send_due(self) -> bool:
        """Begin to send a batch of notices that are due. Whether more users may be due."""
        while len(self._sending) >= SENDING:
            await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
        now_ms = await asyncio.to_thread(self._storage.notice_records.now_ms)
        due = {one.user_id: (one, at) for one, at in self._agenda.take_due(now_ms, BATCH)}
        if not due:
            return False
        waiting = [one for one, _ in due.values()]
        try:
            decisions = await asyncio.to_thread(self._decider.decide, waiting, now_ms)
        except BaseException:  # whatever it is, nobody may be forgotten
            for one in waiting:
                self._agenda.postpone(one, now_ms + RETRY_SECONDS * 1000)
            raise
        for user_id, at in decisions.later.items():
            self._agenda.postpone(due[user_id][0], at)
        for notice in decisions.notices:
            metrics.NOTICE_LAG_SECONDS.observe((now_ms - due[notice.user_id][1]) / 1000)
        if decisions.notices:
            task = asyncio.create_task(self._attempt(self._send(decisions.notices)))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return len(due) == BATCH

    async def _send(self, notices: Sequence[Notice]) -> None:
        """Send the messages of some notices, and record what became of them."""
        outcomes = iter(
            await self._sender.send([one for notice in notices for one in notice.messages])
        )
        results = [(notice, [next(outcomes) for _ in notice.messages]) for notice in notices]
        try:
            later = await asyncio.to_thread(self._decider.finish, results)
        except BaseException:  # without its outcome a notice is sent again after its claim
            for notice in notices:
                self._agenda.postpone(notice.waiting, notice.claimed_until)
            raise
        for notice in notices:
            if notice.user_id in later:
                self._agenda.postpone(notice.waiting, later[notice.user_id])

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
