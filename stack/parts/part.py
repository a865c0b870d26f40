"""A part of the stack: how it is started, and whether it answers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence


class Part(ABC):
    """A server or a worker. Parts that need it are started after it answers."""

    name: str
    start_seconds: float = 30.0
    """Time until it must answer."""
    stop_seconds: float = 30.0
    """Time from SIGTERM to SIGKILL."""

    @abstractmethod
    def problem(self) -> str | None:
        """Why the part is not ready yet; None when it is.

        Raises StackError if waiting cannot help.
        """


class Program(Part):
    """A part that is a process of this stack."""

    def prepare(self) -> None:
        """Create the files and folders that the program needs. Called before each start."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The command line. It holds no secrets, as every user of the machine can read it."""

    def environment(self) -> Mapping[str, str]:
        """Variables to add to the stack's own environment, which is passed on without secrets."""
        return {}


class Store(Part):
    """A part that our processes connect to."""

    @abstractmethod
    def variables(self) -> dict[str, str]:
        """The variables with the store's address and credentials."""


class ExternalStore(Store):
    """A store that is not started here, only checked."""

    start_seconds = 15.0
