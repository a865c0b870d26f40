"""The users with something new, by the time at which a notice of it is due. Pure."""

import heapq
from collections.abc import Container
from dataclasses import dataclass, replace

from workers.notices.due import NoticeTimes, due_at

SPARE = 1_000
"""Outdated elements of the heap that do not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A user who waits for a notice: what is there, and the floors where there is no record."""

    user_id: int
    notification_id: int
    """The newest notification; 0 if there is no new one."""
    post_floor: int
    notification_floor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Something new for a user."""

    waiting: Waiting
    ids: tuple[int, ...] = ()
    """The new posts and notifications that are known of; empty for an unfinished notice."""
    not_before: int = 0
    """Unix milliseconds: nothing can be sent before."""


@dataclass(slots=True)
class _Entry:
    waiting: Waiting
    ids: tuple[int, ...]
    """The oldest and the newest of what is new; empty for an unfinished notice."""
    not_before: int
    due_at: int = -1


class Agenda:
    """A user stands on it once. Times are Unix milliseconds."""

    def __init__(self, times: NoticeTimes) -> None:
        self._times = times
        self._entries: dict[int, _Entry] = {}
        self._heap: list[tuple[int, int]] = []
        """Times and users. One that is not the time of the user's entry is outdated: there are as
        many of these as entries at most, and SPARE."""

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, arrival: Arrival) -> None:
        """Put a user on the agenda, or move one who is on it.

        The floors of the first arrival stay: everything since then is new.
        """
        waiting, entry = arrival.waiting, self._entries.get(arrival.waiting.user_id)
        if entry is None:
            entry = _Entry(waiting, (), arrival.not_before)
            self._entries[waiting.user_id] = entry
        newest = max(entry.waiting.notification_id, waiting.notification_id)
        entry.waiting = replace(entry.waiting, notification_id=newest)
        entry.not_before = max(entry.not_before, arrival.not_before)
        ids = (*entry.ids, *arrival.ids)
        entry.ids = (min(ids), max(ids)) if ids else ()
        self._schedule(entry)

    def postpone(self, waiting: Waiting, not_before: int) -> None:
        """Put a user back for this time, also one who has come back meanwhile for another."""
        entry = self._entries.get(waiting.user_id)
        if entry is not None:
            entry.not_before = not_before
        self.add(Arrival(waiting=waiting, not_before=not_before))

    def take_due(self, now_ms: int, most: int) -> list[tuple[Waiting, int]]:
        """Users whose notice is due, removed from the agenda, each with the time it was due."""
        due: list[tuple[Waiting, int]] = []
        while self._heap and self._heap[0][0] <= now_ms and len(due) < most:
            at, user_id = heapq.heappop(self._heap)
            entry = self._entries.get(user_id)
            if entry is not None and entry.due_at == at:
                del self._entries[user_id]
                due.append((entry.waiting, at))
        return due

    def keep_only(self, user_ids: Container[int]) -> None:
        """Remove all other users."""
        self._entries = {u: entry for u, entry in self._entries.items() if u in user_ids}
        self._rebuild_heap()

    def _schedule(self, entry: _Entry) -> None:
        settled = (
            due_at(oldest_id=entry.ids[0], newest_id=entry.ids[1], times=self._times)
            if entry.ids
            else 0
        )
        turn = max(settled, entry.not_before)
        if turn == entry.due_at:
            return
        entry.due_at = turn
        heapq.heappush(self._heap, (entry.due_at, entry.waiting.user_id))
        if len(self._heap) > 2 * len(self._entries) + SPARE:
            self._rebuild_heap()

    def _rebuild_heap(self) -> None:
        self._heap = [(entry.due_at, user_id) for user_id, entry in self._entries.items()]
        heapq.heapify(self._heap)
