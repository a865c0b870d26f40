"""The upkeep of the fast feed: what one process does once a second beside its requests."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from feed.copies import Copies
from feed.copy_reading import CopyReader
from observing.metrics import FAIL_OPEN_TOTAL
from storage.errors import StorageUnavailableError
from storage.limits import SETTLE
from storage.read_quotas import ReadQuotas
from storage.redis.pipeline import Pipeline

log = structlog.get_logger()

PERIOD_SECONDS = 1.0


class Upkeep:
    """Settles quotas, asks for changes of idle partitions, and reports metrics."""

    def __init__(
        self, *, cache: Pipeline, reader: CopyReader, copies: Copies, quotas: ReadQuotas
    ) -> None:
        self._cache = cache
        self._reader = reader
        self._copies = copies
        self._quotas = quotas
        self._failed_open = False

    async def run(self) -> None:
        """Work once a second until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            try:
                await self.step()
            except Exception:  # a bug here must not end the upkeep
                with suppress(Exception):  # a full disk, for example
                    log.exception("upkeep failed")

    async def step(self) -> None:
        """The work of one second. Without the cache, reads are allowed and copies are not used."""
        failures = [await self._attempt(self._settle), await self._attempt(self._reader.ask_idle)]
        self._log_first(next((error for error in failures if error), None))
        await asyncio.get_running_loop().run_in_executor(None, self._copies.take_counts().report)

    async def _attempt(self, work: Callable[[], Awaitable[None]]) -> StorageUnavailableError | None:
        """The cache's failure in one part of the work, which must not keep back the others."""
        try:
            await work()
        except StorageUnavailableError as error:
            return error
        return None

    async def _settle(self) -> None:
        for user_ids, commands in self._quotas.settlements(time.monotonic()):
            replies = await self._cache.execute(commands, SETTLE)
            self._quotas.apply(user_ids, replies, time.monotonic())

    def _log_first(self, error: StorageUnavailableError | None) -> None:
        """Log and count the first failure in a row."""
        if error and not self._failed_open:
            FAIL_OPEN_TOTAL.labels(what="read quotas").inc()
            log.warning("failed open", what="read quotas", part=error.part, reason=str(error))
        self._failed_open = error is not None
