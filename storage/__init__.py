"""What can be rebuilt, and what is large: timelines, bodies, queues in Redis; photos in S3."""

from dataclasses import dataclass
from typing import Self

from storage.bodies import Bodies
from storage.claims import Claims
from storage.errors import StorageError, StorageRefusedError, StorageUnavailableError
from storage.limits import Limits
from storage.photos import Photos
from storage.queues import Queues
from storage.read_positions import ReadPositions
from storage.redis.generation import Generation
from storage.redis.server import Server
from storage.sessions import SessionCopies
from storage.settings import StorageSettings
from storage.timelines import Timelines

__all__ = [
    "Storage",
    "StorageError",
    "StorageRefusedError",
    "StorageSettings",
    "StorageUnavailableError",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """The stores beside the graph; opened once a process, after any fork."""

    timelines: Timelines
    bodies: Bodies
    sessions: SessionCopies
    read_positions: ReadPositions
    queues: Queues
    limits: Limits
    photos: Photos
    cache: Server
    queue: Server

    @classmethod
    def open(cls, settings: StorageSettings) -> Self:
        """The stores that the settings name; none of them needs to be up yet."""
        cache = Server("cache", settings.cache_url, check=Generation().check)
        queue = Server("queue", settings.queue_url)
        claims = Claims(cache)
        return cls(
            timelines=Timelines(cache, cap=settings.timeline_cap, slack=settings.timeline_slack),
            bodies=Bodies(cache, claims),
            sessions=SessionCopies(cache, claims),
            read_positions=ReadPositions(cache, claims),
            queues=Queues(queue),
            limits=Limits(cache),
            photos=Photos(settings),
            cache=cache,
            queue=queue,
        )

    def ping_cache(self) -> None:
        """Returns if the cache answers within half a second. Raises StorageUnavailableError."""
        self.cache.ping()

    def ping_queue(self) -> None:
        """Returns if the queue answers within half a second. Raises StorageUnavailableError."""
        self.queue.ping()

    def close(self) -> None:
        """Closes every connection."""
        self.cache.close()
        self.queue.close()
        self.photos.close()
