"""The walk over the subscribers of a partition: who has something that was not there before.

An unchanged subscriber costs one comparison in C: replies are compared as whole lists.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from storage.notices.walk import SubscriberWalk, WalkCommands

PAGE = 1_000
"""Subscribers that are read in one round trip."""

BUILD_SECONDS = 60.0
"""Between two tries to build a user's timeline: one of who is leaving somebody is not built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a user has that the walk has not seen before. An id of 0: nothing of this kind.

    `post_floor`, `notification_floor`: what it had seen; None at the first look.
    """

    user_id: int
    post_id: int
    notification_id: int
    post_floor: int | None
    notification_floor: int | None


class _Page:
    """Some users with what the last look saw of them."""

    def __init__(self, user_ids: Sequence[int], seen: "dict[int, _Seen]") -> None:
        self.user_ids = list(user_ids)
        self.commands = WalkCommands.of(self.user_ids)
        self.seen = [seen.get(user_id) or _Seen() for user_id in self.user_ids]
        self.tails = [one.tail for one in self.seen]
        """The replies of the last look, to be compared with the next ones."""
        self.numbers = [one.number for one in self.seen]


@dataclass(slots=True)
class _Seen:
    """What was seen of one user. A list or number that the cache has lost is remembered."""

    tail: Any = None
    """The last reply."""
    number: Any = None
    post_id: int | None = None
    """The highest post; None if none was seen yet."""
    notification_id: int | None = None


class PartitionWalk:
    """The subscribers of one partition, and what was last seen of each."""

    def __init__(self, walk: SubscriberWalk) -> None:
        self._walk = walk
        self._pages: list[_Page] = []
        self.without_list: set[int] = set()
        """Users who had no timeline when they were last looked at."""
        self._to_build: deque[tuple[float, int]] = deque()
        """The same users, and some who have one by now, each with the time of the next turn."""

    def set_users(self, user_ids: Sequence[int]) -> None:
        """The subscribers from now on. What was seen of those who stay is remembered."""
        seen = {
            user_id: of
            for page in self._pages
            for user_id, of in zip(page.user_ids, page.seen, strict=True)
        }
        self._pages = [
            _Page(user_ids[start : start + PAGE], seen) for start in range(0, len(user_ids), PAGE)
        ]
        self.without_list &= set(user_ids)

    def take_without_list(self, most: int, now: float) -> list[int]:
        """Some users without a timeline; each again after BUILD_SECONDS, if it still has none."""
        taken: list[int] = []
        while self._to_build and self._to_build[0][0] <= now and len(taken) < most:
            _, user_id = self._to_build.popleft()
            if user_id in self.without_list:
                self._to_build.append((now + BUILD_SECONDS, user_id))
                taken.append(user_id)
        return taken

    def without_number(self, most: int) -> list[int]:
        """Some users of whom the cache has not yet told the newest notification."""
        users = (
            user_id
            for page in self._pages
            for user_id, number in zip(page.user_ids, page.numbers, strict=True)
            if number is None
        )
        return list(islice(users, most))

    def look(self) -> Iterator[News]:
        """What has come since the last look. Raises StorageUnavailableError.

        News count as seen when they are yielded: the caller keeps them where a later page fails.
        """
        for page in self._pages:
            yield from self._look_at(page)

    def _look_at(self, page: _Page) -> Iterator[News]:
        tails, numbers = self._walk.read(page.commands)
        if tails == page.tails and numbers == page.numbers:
            return
        for index, (tail, number) in enumerate(zip(tails, numbers, strict=True)):
            if tail != page.tails[index] or number != page.numbers[index]:
                page.tails[index], page.numbers[index] = tail, number
                news = self._news_of(page.user_ids[index], page.seen[index], tail, number)
                if news:
                    yield news

    def _note_missing(self, user_id: int) -> None:
        if user_id not in self.without_list:
            self.without_list.add(user_id)
            self._to_build.appendleft((0.0, user_id))

    def _news_of(self, user_id: int, seen: _Seen, tail: Any, number: Any) -> News | None:
        """What is new for one user, which counts as seen from now on; None if nothing is."""
        if tail is None:
            self._note_missing(user_id)
        else:
            self.without_list.discard(user_id)
        post_floor, notification_floor = seen.post_id, seen.notification_id
        post_id = _id_above(tail, post_floor)
        notification_id = _id_above(number, notification_floor)
        seen.tail, seen.number = tail, number
        seen.post_id = post_id or post_floor
        if number is not None:
            seen.notification_id = max(int(number), notification_floor or 0)
        if not post_id and not notification_id:
            return None
        return News(
            user_id=user_id,
            post_id=post_id,
            notification_id=notification_id,
            post_floor=post_floor,
            notification_floor=notification_floor,
        )


def _id_above(reply: Any, floor: int | None) -> int:
    """The id in a reply if it is above the floor, else 0. A sentinel is no id."""
    new = 0 if reply is None else int(reply)
    return new if new > (floor or 0) else 0
