"""This process's graph and storage, in a global, as RQ passes a job nothing but its arguments.

They are opened once in each process and never shared across a fork: two processes on one connection
would receive each other's answers.
"""

import os
from dataclasses import dataclass

from environs import Env

from graph import Graph, GraphSettings
from storage import Storage, StorageSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of both stores."""

    graph: GraphSettings
    storage: StorageSettings

    @classmethod
    def from_env(cls, env: Env) -> "Settings":
        """Read both stores' settings. The caller seals `env`."""
        return cls(graph=GraphSettings.from_env(env), storage=StorageSettings.from_env(env))


@dataclass(frozen=True, slots=True, kw_only=True)
class _ProcessStores:
    pid: int
    graph: Graph
    storage: Storage


_settings: Settings | None = None
_opened: _ProcessStores | None = None


def configure(settings: Settings) -> None:
    """Set how this process reaches its stores. They are opened at first use."""
    global _settings  # noqa: PLW0603 - see the module docstring
    _settings = settings


def graph() -> Graph:
    """This process's graph."""
    return _stores().graph


def storage() -> Storage:
    """This process's storage."""
    return _stores().storage


def close() -> None:
    """Close this process's stores. Can be repeated."""
    global _opened  # noqa: PLW0603
    if _opened is not None and _opened.pid == os.getpid():
        _opened.graph.close()
        _opened.storage.close()
    _opened = None


def _stores() -> _ProcessStores:
    global _opened  # noqa: PLW0603
    if _opened is None or _opened.pid != os.getpid():
        if _settings is None:
            raise RuntimeError("call stores.configure(settings) first")
        _opened = _ProcessStores(
            pid=os.getpid(),
            graph=Graph.open(_settings.graph),
            storage=Storage.open(_settings.storage),
        )
    return _opened
