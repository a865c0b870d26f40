"""Timelines: one list of post ids per user (`tl:`), newest at the tail, and its build lock (`tb:`).

A mark (`tf:`) says that a list was dropped for a follow, another one (`tw:`) that builds run out of
time.

windows.py reads windows of a list, pushing.py pushes posts into lists. Only a build creates a list:
begin, read the graph once, finish. A push without a list does nothing.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from storage import windows
from storage.errors import StorageUnavailableError
from storage.pushing import Push, Pushes
from storage.redis.protocol import pack
from storage.redis.scripts import Script
from storage.redis.server import Server
from storage.timeline_layout import (
    ABOVE_NOTHING,
    TIMELINE_TTL_SECONDS,
    follow_key,
    lock_key,
    postponed_key,
    timeline_key,
)
from storage.windows import Entries

BUILD_LOCK_SECONDS = 10
"""TTL of the lock of a build. After it another reader may begin a build."""
UNFINISHED_TTL_SECONDS = 60
"""TTL of an unfinished list, which a killed build leaves behind. Reads renew it."""

BEGIN, FINISH, ABORT = Script("begin"), Script("finish"), Script("abort")

FOLLOW_TTL_SECONDS = 300
"""How long a mark of a follow exists. Without it the list is dropped once more."""

POSTPONED_SECONDS = 30
"""How long no build begins after one that ran out of time; twice as long after each further one."""
MOST_POSTPONED_SECONDS = 120
"""The longest time likewise: the graph may have been slow for all, and is well again."""

NO_EXPIRY = -1
"""The reply of TTL for a key without one. The cache can never evict such a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTimeline:
    """All entries of a list, sentinel first, empty if there is no list; and whether it expires."""

    entries: list[int]
    expires: bool


class DropForFollow(NamedTuple):
    """A drop of the follower's list that one follow needs. `followed_at_ms` names the follow."""

    follower_id: int
    followee_id: int
    followed_at_ms: int


class Timelines:
    """The timelines in the cache. Every method raises StorageUnavailableError."""

    def __init__(self, cache: Server, *, cap: int, slack: int) -> None:
        self.cap = cap
        self._longest = cap + slack
        self._cache = cache

    def push(self, user_ids: Sequence[int], post_id: int, *, read_at: float) -> int:
        """Push a post to the users who have a list; returns the number of users that got a reply.

        As push_many().
        """
        return self.push_many([(post_id, user_ids)], read_at=read_at)

    def push_many(self, pushes: Pushes, *, read_at: float) -> int:
        """Push posts to those of their users who have a list; returns the number of replies.

        Posts and users are pushed in their order. The push ends early if `read_at` (monotonic, when
        the users were read) becomes too old: the caller must then read the remaining users again.
        StorageUnavailableError has the number too. Pushing twice is safe: readers remove
        duplicates.
        """
        push: Push | None = None
        try:
            with self._cache.connection() as connection:
                push = Push(connection=connection, cap=self.cap, longest=self._longest)
                push.run(pushes, read_at=read_at)
        except StorageUnavailableError as error:
            error.answered = push.answered if push else 0
            raise
        return push.answered

    def drop(self, *user_ids: int) -> None:
        """Delete lists and build locks: a user's in one command, so a build no longer writes."""
        if user_ids:
            with self._cache.connection() as connection:
                connection.execute([pack(b"DEL", timeline_key(u), lock_key(u)) for u in user_ids])

    def drop_for(self, *follows: DropForFollow) -> None:
        """Drop the follower's list of each, after the follow was committed, and leave a mark of it.

        A list that is built from now on has the followee's posts.
        """
        commands = []
        for follower_id, followee_id, followed_at_ms in follows:
            mark = follow_key(follower_id, followee_id)
            commands.append(pack(b"DEL", timeline_key(follower_id), lock_key(follower_id)))
            commands.append(pack(b"SET", mark, followed_at_ms, b"EX", FOLLOW_TTL_SECONDS))
        if commands:
            with self._cache.connection() as connection:
                connection.execute(commands)

    def dropped_for(self, follows: Sequence[DropForFollow]) -> set[DropForFollow]:
        """Those of the follows for which the list was dropped. Not one whose mark is lost."""
        if not follows:
            return set()
        marks = [follow_key(follow.follower_id, follow.followee_id) for follow in follows]
        times = self._cache.execute([pack(b"GET", mark) for mark in marks])
        return {
            follow
            for follow, time_ms in zip(follows, times, strict=True)
            if time_ms is not None and int(time_ms) == follow.followed_at_ms
        }

    def begin(self, user_id: int) -> str | None:
        """Begin a build; returns its token. To be called before the graph is read.

        From now on pushes enter the list. None if a list exists or another build holds the lock.
        """
        token = secrets.token_urlsafe(12)
        ttls = (BUILD_LOCK_SECONDS, UNFINISHED_TTL_SECONDS)
        started = self._run_script(BEGIN, user_id, token.encode(), -ABOVE_NOTHING, *ttls)
        return token if started else None

    def finish(self, user_id: int, token: str, post_ids: Sequence[int], *, watermark: int) -> bool:
        """Finish a build. False if it no longer has its lock or its unfinished list.

        `post_ids` in any order. The list is complete above `watermark` (0: from the beginning).
        """
        arguments = (token.encode(), -ABOVE_NOTHING, TIMELINE_TTL_SECONDS, -watermark)
        return bool(self._run_script(FINISH, user_id, *arguments, *sorted(post_ids)))

    def abort(self, user_id: int, token: str) -> None:
        """Delete lock and unfinished list, if this build still holds the lock."""
        self._run_script(ABORT, user_id, token.encode())

    def postpone(self, user_id: int) -> None:
        """Let no build begin for a while, after one that ran out of time.

        The key lives twice as long, so that the next failure finds how many there were.
        """
        key = postponed_key(user_id)
        [failures] = self._cache.execute([pack(b"GET", key)])
        count = int(failures or 0) + 1
        ttl_seconds = 2 * _postponed_seconds(count)
        self._cache.execute([pack(b"SET", key, count, b"EX", ttl_seconds)])

    def is_postponed(self, user_id: int) -> bool:
        """Whether no build may begin now."""
        key = postponed_key(user_id)
        failures, left_ms = self._cache.execute([pack(b"GET", key), pack(b"PTTL", key)])
        return failures is not None and left_ms > _postponed_seconds(int(failures)) * 1000

    def window(self, user_id: int, limit: int) -> Entries:
        """The newest entries for a page of `limit`, in one round trip. Renews the list's TTL."""
        commands = [windows.pack_ttl_renewal(user_id), windows.pack_newest(user_id, limit)]
        return windows.parse_newest(self._cache.execute(commands)[1])

    def window_below(self, user_id: int, before: int, limit: int) -> Entries:
        """The entries around a cursor's entry, in one round trip. Renews the list's TTL.

        Empty if the list does not have the id `before`.
        """
        commands = [windows.pack_ttl_renewal(user_id), windows.pack_below(user_id, before, limit)]
        return windows.parse_below(self._cache.execute(commands, windows.BELOW)[1])

    def entries(self, user_id: int) -> list[int]:
        """All entries of the list, sentinel first; empty if there is no list."""
        [entries] = self._cache.execute([pack(b"LRANGE", timeline_key(user_id), 0, -1)])
        return list(map(int, entries))

    def head(self, user_id: int) -> list[int]:
        """The list's first entry, which may be its sentinel; empty if there is no list."""
        [entries] = self._cache.execute([pack(b"LRANGE", timeline_key(user_id), 0, 0)])
        return list(map(int, entries))

    def read_raw(self, user_ids: Sequence[int]) -> dict[int, RawTimeline]:
        """Every user's list, read together, without renewing TTLs."""
        keys = [timeline_key(user_id) for user_id in user_ids]
        lists = self._cache.execute([pack(b"LRANGE", key, 0, -1) for key in keys])
        ttls = self._cache.execute([pack(b"TTL", key) for key in keys])
        return {
            user_id: RawTimeline(entries=list(map(int, entries)), expires=ttl != NO_EXPIRY)
            for user_id, entries, ttl in zip(user_ids, lists, ttls, strict=True)
        }

    def _run_script(self, script: Script, user_id: int, *arguments: bytes | int) -> int:
        """The reply of a script of a build."""
        keys = [lock_key(user_id), timeline_key(user_id)]
        [reply] = self._cache.execute([script.pack_call(keys, arguments)], script)
        return int(reply)


def _postponed_seconds(failures: int) -> int:
    """The time without a build after so many that ran out of time. Pure."""
    return min(POSTPONED_SECONDS << min(failures - 1, 10), MOST_POSTPONED_SECONDS)
