"""All that a feed request needs of the cache in one round trip: who asks, how often, the page."""

from dataclasses import dataclass

from storage import window_reads
from storage.buffers import Wire
from storage.connections import Server
from storage.limits import Policy, Taken, limit_key, taken_of
from storage.scripts import Script, ask
from storage.sessions import SessionCopy, copy_key, proof
from storage.windows import Window

ADMIT = Script("admit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A feed request as far as the cache is concerned, not yet believed."""

    user_id: int
    session_id: int
    secret_sha256: str
    policy: Policy
    before: int | None
    """The cursor's id, exclusive; None: the newest."""
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRead:
    """What the cache says to it. Without a `copy` nothing was counted, and nobody is signed in."""

    copy: SessionCopy | None
    taken: Taken
    window: Window


class FeedReads:
    """Reads for the feed's front, over connections kept at hand for it."""

    def __init__(self, cache: Server) -> None:
        self._cache = cache

    def read(self, asked: Asked) -> FeedRead:
        """Session copy, quota and window together. Raises StorageUnavailableError.

        Of whoever the token says: what is shown before the copy has proved it is up to the caller.
        """
        with self._cache.kept_wire() as wire:
            return _read(wire, asked)


def _read(wire: Wire, asked: Asked) -> FeedRead:
    keys = (copy_key(asked.session_id), limit_key(asked.policy, str(asked.user_id)))
    admit = ADMIT.call(
        [key.encode() for key in keys],
        [proof(asked.user_id, asked.secret_sha256), asked.policy.window_seconds],
    )
    if asked.before is None:
        page = window_reads.newest(asked.user_id, asked.limit)
        (copy, used, left_ms), *replies = ask(wire, [admit, *page], ADMIT)
        window = window_reads.read_newest(replies)
    else:
        page = window_reads.below(asked.user_id, asked.before, asked.limit)
        (copy, used, left_ms), *replies = ask(wire, [admit, *page], ADMIT, window_reads.BELOW)
        window = window_reads.read_below(replies)
    return FeedRead(
        copy=SessionCopy.from_bytes(copy) if copy else None,
        taken=taken_of(asked.policy, used, left_ms),
        window=window,
    )
