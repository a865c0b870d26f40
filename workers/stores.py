"""This process's graph and storage: the one global, as RQ passes a job nothing but its arguments.

Opened once a process and never shared across a fork: a forked copy of a connection gets the
answers of the other side.
"""

import os
from dataclasses import dataclass

from environs import Env

from graph import Graph, GraphSettings
from storage import Storage, StorageSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to reach the stores."""

    graph: GraphSettings
    storage: StorageSettings

    @classmethod
    def from_env(cls, env: Env) -> "Settings":
        """Both stores' settings; the entry that made `env` seals it."""
        return cls(graph=GraphSettings.from_env(env), storage=StorageSettings.from_env(env))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    pid: int
    graph: Graph
    storage: Storage


_settings: Settings | None = None
_opened: _Opened | None = None


def use(settings: Settings) -> None:
    """Say how this process reaches its stores; they are opened when first asked for."""
    global _settings  # noqa: PLW0603 - the one global (see above)
    _settings = settings


def graph() -> Graph:
    """This process's graph."""
    return _stores().graph


def storage() -> Storage:
    """This process's storage."""
    return _stores().storage


def close() -> None:
    """Close what this process has opened; again is fine."""
    global _opened  # noqa: PLW0603
    if _opened is not None and _opened.pid == os.getpid():
        _opened.graph.close()
        _opened.storage.close()
    _opened = None


def _stores() -> _Opened:
    global _opened  # noqa: PLW0603
    if _opened is None or _opened.pid != os.getpid():
        if _settings is None:
            raise RuntimeError("stores.use(settings) comes first")
        _opened = _Opened(
            pid=os.getpid(),
            graph=Graph.open(_settings.graph),
            storage=Storage.open(_settings.storage),
        )
    return _opened
