"""Stores beside the graph: Redis for data that can be rebuilt, S3 for photos."""

from dataclasses import dataclass
from typing import Self

from storage.admissions import Admissions
from storage.bodies import Bodies
from storage.changes import Changes
from storage.errors import StorageError, StorageRefusedError, StorageUnavailableError
from storage.exports import ExportObjects
from storage.firm_limits import FirmLimits
from storage.limits import Limits, Policy
from storage.live_tickets import LiveTickets
from storage.notices.leases import PartitionLeases
from storage.notices.newest_notifications import NewestNotifications
from storage.notices.records import NoticeRecords
from storage.notices.walk import SubscriberWalk
from storage.photos import Photos
from storage.queues import Queues
from storage.read_positions import ReadPositions
from storage.redis.generation import Generation
from storage.redis.pipeline import Pipeline
from storage.redis.server import Server
from storage.reservations import Reservations
from storage.sessions import SessionCopies
from storage.settings import StorageSettings
from storage.sweep_positions import SweepPositions
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
    """The stores beside the graph. Opened once per process, after any fork.

    `cache` and `queue` are the servers themselves, for checks of their settings and for tools.
    """

    timelines: Timelines
    bodies: Bodies
    changes: Changes
    sessions: SessionCopies
    read_positions: ReadPositions
    newest_notifications: NewestNotifications
    notice_records: NoticeRecords
    subscriber_walk: SubscriberWalk
    live_tickets: LiveTickets
    queues: Queues
    limits: Limits
    firm_limits: FirmLimits
    photos: Photos
    exports: ExportObjects
    sweep_positions: SweepPositions
    cache: Server
    queue: Server
    loop_cache: Pipeline
    """The cache for callers on an event loop: one connection, opened at the first use."""

    @classmethod
    def open(cls, settings: StorageSettings) -> Self:
        """The stores that the settings name. Connects to none of them yet."""
        generation = Generation()
        cache = Server("cache", settings.cache_url, check=generation.check)
        queue = Server("queue", settings.queue_url)
        reservations = Reservations(cache)
        return cls(
            timelines=Timelines(cache, cap=settings.timeline_cap, slack=settings.timeline_slack),
            bodies=Bodies(cache, reservations),
            changes=Changes(cache),
            sessions=SessionCopies(cache, reservations),
            read_positions=ReadPositions(cache, reservations),
            newest_notifications=NewestNotifications(cache),
            notice_records=NoticeRecords(queue),
            subscriber_walk=SubscriberWalk(cache),
            live_tickets=LiveTickets(cache),
            queues=Queues(queue),
            limits=Limits(cache),
            firm_limits=FirmLimits(cache),
            photos=Photos(settings),
            exports=ExportObjects(settings),
            sweep_positions=SweepPositions(queue),
            cache=cache,
            queue=queue,
            loop_cache=Pipeline("cache", settings.cache_url, generation),
        )

    def admissions(self, policy: Policy) -> Admissions:
        """Admissions under a policy. The API calls this once per app."""
        return Admissions(self.cache, policy)

    def partition_leases(self) -> PartitionLeases:
        """The leases of a new holder. A notifier calls this once."""
        return PartitionLeases(self.queue)

    def ping_cache(self) -> None:
        """Return if the cache answers within 0.5 s. Raises StorageUnavailableError."""
        self.cache.ping()

    def ping_queue(self) -> None:
        """Return if the queue answers within 0.5 s. Raises StorageUnavailableError."""
        self.queue.ping()

    def close(self) -> None:
        """Close every connection."""
        self.cache.close()
        self.queue.close()
        self.photos.close()
        self.exports.close()
