"""All that a feed request needs of the cache in one round trip: who asks, how often, the page."""

from typing import NamedTuple

from storage import windows
from storage.admissions import ADMIT, Admission, Admissions, Claimant
from storage.redis.server import Server
from storage.windows import BELOW, Window


class FeedRead(NamedTuple):
    """What the cache says to a feed request."""

    admission: Admission
    """Unless that is proved nothing of the window may be shown."""
    window: Window


class FeedReads:
    """Reads for the feed's front, each counted. Raises StorageUnavailableError."""

    def __init__(self, cache: Server, admissions: Admissions) -> None:
        self._cache = cache
        self._admissions = admissions

    def read(self, claimant: Claimant, before: int | None, limit: int) -> FeedRead:
        """Session, quota and window together, of whoever the token says.

        `before`: a cursor's id, exclusive; None: the newest.
        """
        admit = self._admissions.of_reader(claimant)
        if before is None:
            commands = [admit, windows.newest(claimant.user_id, limit)]
            counted, found = self._cache.ask(commands, ADMIT)
            window = windows.read_newest(found)
        else:
            commands = [admit, windows.below(claimant.user_id, before, limit)]
            counted, found = self._cache.ask(commands, ADMIT, BELOW)
            window = windows.read_below(found)
        return FeedRead(self._admissions.admission(counted), window)
