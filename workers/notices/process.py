"""`python -m workers notifier`. Only this process loads what it imports."""

import asyncio
import signal
from dataclasses import dataclass
from typing import Self

import structlog
from environs import Env

from graph import Graph
from storage import Storage
from web_push.settings import WebPushSettings
from workers.notices.due import NoticeTimes
from workers.notices.notifier import Notifier
from workers.notices.push.sender import PushSender
from workers.notices.settings import read_times

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierSettings:
    """How notices are sent, and how often."""

    web_push: WebPushSettings
    times: NoticeTimes

    @classmethod
    def from_env(cls, env: Env) -> Self:
        """The settings in the environment. `env.seal()` raises all errors together."""
        return cls(web_push=WebPushSettings.from_env(env), times=read_times(env))


def run(graph: Graph, storage: Storage, settings: NotifierSettings) -> None:
    """Notify until SIGTERM. Without a key nobody can subscribe, so there is nothing to do."""
    asyncio.run(_notify(graph, storage, settings))


async def _notify(graph: Graph, storage: Storage, settings: NotifierSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if not settings.web_push.private_key:
        log.warning("notifier idle", reason="VAPID_PRIVATE_KEY is not set")
        await stop.wait()
        return
    log.info("notifier ready")
    async with PushSender(settings.web_push) as sender:
        await Notifier(graph, storage, sender, settings.times).run(stop)
