"""All that a feed request needs of the cache in one round trip: who asks, how often, the page."""

from typing import NamedTuple

from storage import window_reads
from storage.buffers import pack
from storage.connections import Server
from storage.limits import Policy, Taken, limit_key, taken_of
from storage.pushing import TIMELINE_KEY
from storage.scripts import Script
from storage.sessions import COPY_KEY, proof
from storage.window_reads import BELOW, TIMELINE_TTL_SECONDS
from storage.windows import Window

ADMIT = Script("admit")


class Asked(NamedTuple):
    """A feed request as far as the cache is concerned, not yet believed."""

    user_id: int
    session_id: int
    secret_sha256: str
    before: int | None
    """The cursor's id, exclusive; None: the newest."""
    limit: int


class FeedRead(NamedTuple):
    """What the cache says to it."""

    expires_at: int | None
    """When the session ends, in Unix seconds; None where the copy is missing or of another token:
    then nothing was counted, and nobody is signed in."""
    taken: Taken
    window: Window


class FeedReads:
    """Reads for the feed's front, each counted under a policy. Raises StorageUnavailableError."""

    def __init__(self, cache: Server, policy: Policy) -> None:
        self._cache = cache
        self._policy = policy
        self._admit = _template(policy)

    def read(self, asked: Asked) -> FeedRead:
        """Session, quota and window together.

        Of whoever the token says: without `expires_at` nothing of it may be shown.
        """
        user_id, before = asked.user_id, asked.before
        known = proof(user_id, asked.secret_sha256)
        limit = limit_key(self._policy, str(user_id)).encode()
        admit = self._admit % (asked.session_id, limit, user_id, len(known), known)
        if before is None:
            commands = [admit, window_reads.newest(user_id, asked.limit)]
            counted, found = self._cache.ask(commands, ADMIT)
            window = window_reads.read_newest(found)
        else:
            commands = [admit, window_reads.below(user_id, before, asked.limit)]
            counted, found = self._cache.ask(commands, ADMIT, BELOW)
            window = window_reads.read_below(found)
        expires_at, used, left_ms = counted
        taken = taken_of(self._policy, used, left_ms)
        return FeedRead(int(expires_at) if expires_at else None, taken, window)


def _template(policy: Policy) -> bytes:
    """ADMIT's packed call: session id, limit's key, user id, and the proof with its length."""
    session, timeline = COPY_KEY % 0, TIMELINE_KEY % 0
    limit = limit_key(policy, "").encode()
    keys = [session.encode(), limit, timeline]
    packed = ADMIT.call(keys, [policy.window_seconds, TIMELINE_TTL_SECONDS, b"?"])
    packed = packed.replace(session.encode(), COPY_KEY.encode()).replace(limit, b"%b")
    return packed.replace(timeline, TIMELINE_KEY).removesuffix(pack(b"?")[4:]) + b"$%d\r\n%b\r\n"
