"""Keeps the agenda: decides about those who are due, and puts back who must wait.

What is new stands on an agenda in memory; the next notifier finds it again, as records and
timelines say what has been told.
"""

import threading
from collections.abc import Iterable, Sequence

import structlog

from graph.errors import GraphUnavailableError
from observing import metrics
from storage.errors import StorageError
from workers.notices.agenda import Agenda, Arrival, Waiting
from workers.notices.deciding import Decider, Decisions
from workers.notices.due import NoticeTimes
from workers.notices.planning import Notice
from workers.notices.push.messages import Outcome

log = structlog.get_logger()

BATCH = 60
"""Users who are decided at once; the graph reads at most 160 posts of each."""

RETRY_SECONDS = 5
"""When users are decided again whose stores did not answer."""

FAULTY_SECONDS = 3_600
"""When a user is decided again about whom no decision is possible, because of a bug of ours."""


class Dispatcher:
    """Nobody is forgotten, whatever fails. Thread-safe, but `take` by one thread at a time."""

    def __init__(self, decider: Decider, times: NoticeTimes) -> None:
        self._decider = decider
        self._agenda = Agenda(times)
        self._lock = threading.Lock()

    def add(self, arrivals: Iterable[Arrival]) -> None:
        """Put users with something new on the agenda."""
        with self._lock:
            for arrival in arrivals:
                self._agenda.add(arrival)

    def keep_only(self, user_ids: set[int]) -> None:
        """Forget all other users: another notifier cares for them."""
        with self._lock:
            self._agenda.keep_only(user_ids)

    def take(self, now_ms: int) -> tuple[list[Notice], bool]:
        """Notices that are due and claimed, and whether more users may be due.

        Raises StorageError, GraphUnavailableError; those who were due are then decided later.
        """
        with self._lock:
            due = {one.user_id: (one, at) for one, at in self._agenda.take_due(now_ms, BATCH)}
        waiting = [one for one, _ in due.values()]
        decisions = self._decide(waiting, now_ms)
        for user_id, at in decisions.later.items():
            self._put_back(due[user_id][0], at)
        for notice in decisions.notices:
            metrics.NOTICE_LAG_SECONDS.observe((now_ms - due[notice.user_id][1]) / 1000)
        return list(decisions.notices), len(due) == BATCH

    def finish(self, results: Sequence[tuple[Notice, Sequence[Outcome]]], now_ms: int) -> None:
        """Record what became of notices. Raises as `take`: they are then sent after their claim."""
        try:
            later = self._decider.finish(results, now_ms)
        except BaseException:  # whatever it is, nobody may be forgotten
            self.put_back([notice for notice, _ in results])
            raise
        for notice, _ in results:
            if notice.user_id in later:
                self._put_back(notice.waiting, later[notice.user_id])

    def put_back(self, notices: Iterable[Notice]) -> None:
        """Decide again about notices of which nobody knows whether they were sent."""
        for notice in notices:
            self._put_back(notice.waiting, notice.sending.retry_at)

    def _put_back(self, waiting: Waiting, not_before: int) -> None:
        with self._lock:
            self._agenda.postpone(waiting, not_before)

    def _decide(self, waiting: Sequence[Waiting], now_ms: int) -> Decisions:
        if not waiting:
            return Decisions(notices=[], later={})
        try:
            return self._decider.decide(waiting, now_ms)
        except (StorageError, GraphUnavailableError):
            for one in waiting:
                self._put_back(one, now_ms + RETRY_SECONDS * 1000)
            raise
        except Exception:  # a bug of ours: it is logged once it is known about whom
            if len(waiting) == 1:
                log.exception("no decision about a notice", user_id=waiting[0].user_id)
                later = {waiting[0].user_id: now_ms + FAULTY_SECONDS * 1000}
                return Decisions(notices=[], later=later)
            return self._decide_one_by_one(waiting, now_ms)

    def _decide_one_by_one(self, waiting: Sequence[Waiting], now_ms: int) -> Decisions:
        """After a failure of ours: so it costs one user the notice, and not all of a batch."""
        notices: list[Notice] = []
        later: dict[int, int] = {}
        for position, one in enumerate(waiting):
            try:
                decisions = self._decide([one], now_ms)
            except (StorageError, GraphUnavailableError):
                for other in waiting[position + 1 :]:
                    self._put_back(other, now_ms + RETRY_SECONDS * 1000)
                self.put_back(notices)
                raise
            notices += decisions.notices
            later |= decisions.later
        return Decisions(notices=notices, later=later)
