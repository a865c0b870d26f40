"""Feed reads: session, quota and a window of the timeline from the cache, in one round trip."""

from typing import NamedTuple

from storage import windows
from storage.admissions import ADMIT, Admission, Admissions, UnverifiedSession
from storage.redis.server import Server
from storage.windows import BELOW, Window


class FeedRead(NamedTuple):
    """The cache's reply to a feed request."""

    admission: Admission
    """The window must not be shown unless this is authenticated and allowed."""
    window: Window


class FeedReads:
    """Reads for the fast feed; every read counts a use. Raises StorageUnavailableError."""

    def __init__(self, cache: Server, admissions: Admissions) -> None:
        self._cache = cache
        self._admissions = admissions

    def read(self, session: UnverifiedSession, before: int | None, limit: int) -> FeedRead:
        """Session, quota and window of the user that the token names.

        `before`: a cursor's id, exclusive; None for the newest entries.
        """
        admit = self._admissions.pack_for_reader(session)
        if before is None:
            commands = [admit, windows.pack_newest(session.user_id, limit)]
            admission, entries = self._cache.execute(commands, ADMIT)
            window = windows.parse_newest(entries)
        else:
            commands = [admit, windows.pack_below(session.user_id, before, limit)]
            admission, entries = self._cache.execute(commands, ADMIT, BELOW)
            window = windows.parse_below(entries)
        return FeedRead(self._admissions.parse(admission), window)
