"""Decides for users whose notice is due: send it, decide again later, or drop it.

Whether something is news is decided here and not when it arrived: by now it may have been read or
deleted, its author left or blocked, or the session ended.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from graph import Graph
from observing import metrics
from storage import Storage
from storage.notices.records import NoticeRecord
from workers.notices.agenda import Waiting
from workers.notices.due import NoticeTimes, free_at, window_end
from workers.notices.planning import Notice, plan
from workers.notices.push.messages import Outcome, Result
from workers.notices.truth import read_truth

OVERTAKEN_SECONDS = 5
"""When users are decided again for whom another notifier has just decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What becomes of some users. Users who are in neither part are done."""

    notices: Sequence[Notice]
    later: Mapping[int, int]
    """By user, when to decide again, in Unix milliseconds. A user with a notice can be in it."""


class Decider:
    """Decides for many users at once.

    Every method raises StorageUnavailableError and GraphUnavailableError; it can then be repeated.
    """

    def __init__(
        self,
        graph: Graph,
        storage: Storage,
        times: NoticeTimes,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._graph = graph
        self._storage = storage
        self._times = times
        self._clock = clock
        self._noticed_at: OrderedDict[int, int] = OrderedDict()
        """By user, the notices of the last window, oldest first, for the loss of their records."""

    def decide(self, waiting: Sequence[Waiting], now_ms: int) -> Decisions:
        """The decisions at `now_ms`. A notice is claimed in the user's record before this returns.

        Windows and claims begin when the truth has been read: a slow graph must not make them old.
        """
        began = self._clock()
        records = self._storage.notice_records.read_many([one.user_id for one in waiting])
        later = {u: at for u, r in records.items() if (at := self._free_at(u, r)) > now_ms}
        ready = [one for one in waiting if one.user_id not in later]
        truths = read_truth(self._graph, self._storage, ready, records)
        now_ms += int(1000 * (self._clock() - began))
        plans = [plan(truth, now_ms, self._times) for truth in truths]
        later |= {one.user_id: one.turn_at for one in plans if one.turn_at is not None}
        changes = {one.user_id: (records[one.user_id], one.record) for one in plans if one.record}
        stored = self._storage.notice_records.replace_many(changes)
        overtaken = changes.keys() - stored
        later |= dict.fromkeys(overtaken, now_ms + OVERTAKEN_SECONDS * 1000)
        notices = [one.notice for one in plans if one.notice and one.user_id in stored]
        for one in plans:
            if one.dropped and one.user_id not in overtaken:
                metrics.NOTICES_DROPPED.labels(reason=one.dropped).inc()
        self._remember(notices, now_ms)
        return Decisions(notices=notices, later=later)

    def finish(
        self, notices: Sequence[tuple[Notice, Sequence[Outcome]]], now_ms: int
    ) -> dict[int, int]:
        """Record the outcomes of notices, and delete subscriptions that are gone.

        Returns when to decide again about those that are not done, in Unix milliseconds, by user.
        """
        changes = {
            notice.user_id: (notice.record, _record_of_outcomes(notice, outcomes, now_ms))
            for notice, outcomes in notices
        }
        self._storage.notice_records.replace_many(changes)
        gone = [
            message.subscription.id
            for notice, outcomes in notices
            for message, outcome in zip(notice.messages, outcomes, strict=True)
            if outcome.result == Result.GONE
        ]
        if gone:
            self._graph.push_subscriptions.delete(gone)
        return {u: free_at(new, self._times) for u, (_, new) in changes.items() if new.sending}

    def _free_at(self, user_id: int, record: NoticeRecord | None) -> int:
        """When the user may be decided. A lost record is made up for by what is remembered."""
        if record is None:
            return window_end(self._noticed_at.get(user_id, 0), self._times)
        return free_at(record, self._times)

    def _remember(self, notices: Sequence[Notice], now_ms: int) -> None:
        for notice in notices:
            self._noticed_at[notice.user_id] = notice.record.noticed_at
            self._noticed_at.move_to_end(notice.user_id)
        while self._noticed_at:
            user_id, noticed_at = next(iter(self._noticed_at.items()))
            if window_end(noticed_at, self._times) > now_ms:
                return
            del self._noticed_at[user_id]


def _record_of_outcomes(notice: Notice, outcomes: Sequence[Outcome], now_ms: int) -> NoticeRecord:
    """The record after a try: the notice is done, or some subscriptions get it later, together."""
    done: set[int] = set()
    later: list[Outcome] = []
    for message, outcome in zip(notice.messages, outcomes, strict=True):
        if outcome.result == Result.LATER:
            later.append(outcome)
        else:
            done.add(message.subscription.id)
    sending = notice.sending
    pending = tuple(one for one in sending.subscription_ids if one not in done)
    if not pending:
        return NoticeRecord(
            post_id=sending.post_id,
            notification_id=sending.notification_id,
            noticed_at=notice.record.noticed_at,
        )
    pauses_end = [now_ms + int(outcome.pause_seconds * 1000) for outcome in later]
    return replace(
        notice.record,
        sending=replace(
            sending,
            subscription_ids=pending,
            tries=max([1, *(outcome.tries for outcome in later)]),
            retry_at=max([notice.held_until, *pauses_end]),
            is_claimed=False,
        ),
    )
