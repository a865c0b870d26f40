"""Timelines: one list of post ids a user, `tl:`, newest at the tail, and its build lock, `tb:`.

windows.py says what a list proves; pushing.py how posts get into it; the scripts how one is built.
Only a build creates a list: begin, read the graph once, finish. A push into no list does nothing.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from storage import windows
from storage.claims import unclaimed
from storage.errors import StorageError, StorageUnavailableError
from storage.pushing import Push
from storage.redis.protocol import pack
from storage.redis.scripts import Script, source
from storage.redis.server import Server
from storage.timeline_layout import ABOVE_NOTHING, TIMELINE_TTL_SECONDS, lock_key, timeline_key
from storage.windows import EXTRA, Window

BUILD_LOCK_SECONDS = 10
"""How long a build holds its lock; the next reader may begin anew then."""
UNFINISHED_TTL_SECONDS = 60
"""How long the list of a killed build stays, unless somebody reads it."""

BEGIN, FINISH, ABORT = Script("begin"), Script("finish"), Script("abort")

NO_EXPIRY = -1
"""What TTL answers of a key that stays for ever: the cache could never evict it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list as it lies, sentinel first, empty where there is none; and whether it expires."""

    entries: list[int]
    expires: bool


class Timelines:
    """The timelines in the cache. Every method raises StorageUnavailableError."""

    def __init__(self, cache: Server, *, cap: int, slack: int) -> None:
        self.cap = cap
        self._longest = cap + slack
        self._cache = cache
        self._ordered = source("ordered").encode()

    def push(self, user_ids: Sequence[int], post_id: int, *, read_at: float) -> int:
        """Pushes a post to the users who have a list, and says how many were answered: a prefix.

        Fewer than given where `read_at` (monotonic, when the users were read) went out of date: the
        caller reads again from there on. StorageUnavailableError too says how many were answered.
        Twice is safe: duplicates are removed on reading.
        """
        push: Push | None = None
        try:
            with self._cache.wire() as wire:
                push = Push(
                    wire=wire,
                    post_id=post_id,
                    ordered_script=self._ordered,
                    cap=self.cap,
                    longest=self._longest,
                )
                push.run(user_ids, read_at=read_at)
        except StorageUnavailableError as error:
            error.answered = push.answered if push else 0
            raise
        return push.answered

    def drop(self, *user_ids: int) -> None:
        """Removes lists and build locks in one command: no build in flight writes any more."""
        if user_ids:
            keys = [key for u in user_ids for key in (timeline_key(u), lock_key(u))]
            with self._cache.guard():
                self._cache.client.delete(*keys)

    def begin(self, user_id: int) -> str | None:
        """A token for `finish`; from now on pushes land. To be called before the graph is read.

        None where a list stands or another build holds the lock.
        """
        token = secrets.token_urlsafe(12)
        lives = (BUILD_LOCK_SECONDS, UNFINISHED_TTL_SECONDS)
        begun = self._call(BEGIN, user_id, token.encode(), -ABOVE_NOTHING, *lives)
        return token if begun else None

    def finish(self, user_id: int, token: str, post_ids: Sequence[int], *, watermark: int) -> bool:
        """Whether the build still had its lock and its list, and the list now stands.

        `post_ids` in any order; the list is complete above `watermark` (0: to the beginning).
        """
        head = (token.encode(), -ABOVE_NOTHING, TIMELINE_TTL_SECONDS, -watermark)
        return bool(self._call(FINISH, user_id, *head, *sorted(post_ids)))

    def abort(self, user_id: int, token: str) -> None:
        """Removes lock and unfinished list, if the lock is still this build's."""
        self._call(ABORT, user_id, token.encode())

    def window(self, user_id: int, limit: int) -> Window:
        """The newest entries for a page of `limit`, with bodies, in one round trip.

        The list lives on from now.
        """
        asked = [windows.lives_on(user_id), windows.newest(user_id, limit)]
        replies = self._unless_refused(asked)
        return windows.read_newest(replies[1]) if replies else self._newest_in_two(user_id, limit)

    def window_below(self, user_id: int, before: int, limit: int) -> Window:
        """The entries around a cursor's place, likewise; none where the list does not have its id.

        None either where SORT … GET is refused: the whole list says the same in two round trips.
        """
        asked = [windows.lives_on(user_id), windows.below(user_id, before, limit)]
        replies = self._unless_refused(asked, windows.BELOW)
        return windows.read_below(replies[1]) if replies else Window([], [])

    def whole(self, user_id: int) -> list[int]:
        """The whole list as it lies, sentinel first; empty where there is none."""
        [entries] = self._cache.ask([pack(b"LRANGE", timeline_key(user_id), 0, -1)])
        return list(map(int, entries))

    def head(self, user_id: int) -> list[int]:
        """The list's first entry alone, its sentinel while it has one; nothing of no list."""
        [entries] = self._cache.ask([pack(b"LRANGE", timeline_key(user_id), 0, 0)])
        return list(map(int, entries))

    def listings(self, user_ids: Sequence[int]) -> dict[int, Listing]:
        """Every user's list as it lies, read together without letting it live on."""
        keys = [timeline_key(user_id) for user_id in user_ids]
        replies = self._cache.ask([pack(b"LRANGE", key, 0, -1) for key in keys])
        lives = self._cache.ask([pack(b"TTL", key) for key in keys])
        return {
            user_id: Listing(entries=list(map(int, entries)), expires=seconds != NO_EXPIRY)
            for user_id, entries, seconds in zip(user_ids, replies, lives, strict=True)
        }

    def _call(self, script: Script, user_id: int, *arguments: bytes | int) -> int:
        """What a script of a build answers."""
        keys = [lock_key(user_id), timeline_key(user_id)]
        [reply] = self._cache.ask([script.call(keys, arguments)], script)
        return int(reply)

    def _unless_refused(self, commands: Sequence[bytes], *scripts: Script) -> list[Any]:
        """The replies; none where the server refuses a command, as a cluster does SORT … GET."""
        try:
            return self._cache.ask(commands, *scripts)
        except StorageError as error:
            if not isinstance(error.__cause__, redis.ResponseError):
                raise
            return []

    def _newest_in_two(self, user_id: int, limit: int) -> Window:
        """The window in two round trips, where SORT … GET is refused: in a cluster, say."""
        [entries] = self._cache.ask([pack(b"LRANGE", timeline_key(user_id), -limit - EXTRA, -1)])
        entries.reverse()
        if not entries:
            return Window([], [])
        bodies = self._cache.ask([pack(b"GET", b"p:" + entry) for entry in entries])
        return Window(list(map(int, entries)), [unclaimed(body) for body in bodies])
