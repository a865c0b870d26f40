"""Reads of the cache after which the copies of the process are exact."""

from collections.abc import Iterable, Sequence
from typing import Any

from feed.copy_reading import AsyncCache, CopyReader
from storage.changes import pack_latest_of
from storage.redis.partitions import partition_of


class ExactReading:
    """Reads for several users at once. For the loop's thread."""

    def __init__(self, cache: AsyncCache, reader: CopyReader) -> None:
        self._cache = cache
        self._reader = reader

    async def read(self, user_ids: Iterable[int], commands: Sequence[bytes]) -> list[Any]:
        """The replies to packed commands about these users, sent together.

        The newest changes of the users' partitions are read before. Afterwards the copies are as
        fresh as the cache was when this began. Raises StorageError.
        """
        partitions = sorted({partition_of(user_id) for user_id in user_ids})
        latest = [pack_latest_of(partition) for partition in partitions]
        replies = await self._cache.execute([*latest, *commands])
        behind = [
            partition
            for partition, reply in zip(partitions, replies, strict=False)
            if not self._reader.is_partition_current(partition, reply)
        ]
        if behind:
            await self._reader.catch_up(*behind)
        return replies[len(partitions) :]
