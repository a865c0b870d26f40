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
    """Some users with what was last seen of them."""

    def __init__(self, user_ids: Sequence[int], seen: dict[int, tuple[Any, Any]]) -> None:
        self.user_ids = list(user_ids)
        self.commands = WalkCommands.of(self.user_ids)
        known = [seen.get(user_id, (None, None)) for user_id in self.user_ids]
        self.tails: list[Any] = [tail for tail, _ in known]
        self.numbers: list[Any] = [number for _, number in known]

    def seen(self) -> Iterator[tuple[int, tuple[Any, Any]]]:
        """Each user with the last tail and number."""
        return zip(self.user_ids, zip(self.tails, self.numbers, strict=True), strict=True)


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
        seen = {user_id: of for page in self._pages for user_id, of in page.seen()}
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
                news = self._news_of(page, index, tail, number)
                if news:
                    yield news

    def _note_missing(self, user_id: int) -> None:
        if user_id not in self.without_list:
            self.without_list.add(user_id)
            self._to_build.appendleft((0.0, user_id))

    def _news_of(self, page: _Page, index: int, tail: Any, number: Any) -> News | None:
        """What is new for one user, which counts as seen from now on; None if nothing is.

        A list or number that the cache has lost is not new: what was seen before is remembered.
        """
        user_id = page.user_ids[index]
        seen_tail, seen_number = page.tails[index], page.numbers[index]
        if tail is None:
            self._note_missing(user_id)
        else:
            self.without_list.discard(user_id)
            page.tails[index] = tail
        if number is not None:
            page.numbers[index] = number
        post_id = _id_above(tail, seen_tail)
        notification_id = _id_above(number, seen_number)
        if not post_id and not notification_id:
            return None
        return News(
            user_id=user_id,
            post_id=post_id,
            notification_id=notification_id,
            post_floor=None if seen_tail is None else max(0, int(seen_tail)),
            notification_floor=None if seen_number is None else int(seen_number),
        )


def _id_above(reply: Any, seen: Any) -> int:
    """The id in a reply if it is above the one that was seen, else 0. A sentinel is no id."""
    new = 0 if reply is None else int(reply)
    return new if new > 0 and (seen is None or new > int(seen)) else 0
