"""Our processes on the stage: API processes, a worker for each queue, sweeper and notifiers."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

import requests

from stack.parts.photofeed import Api, Worker

APIS = ("api-1", "api-2")
NOTIFIERS = ("notifier", "notifier-2")
WORKERS = {
    "fanout": "fanout",
    "fanout-2": "fanout",
    "fanout-large": "fanout-large",
    "timelines": "timelines",
    "removal": "removal",
    "photos": "photos",
    "exports": "exports",
    "sweeper": "sweeper",
    **dict.fromkeys(NOTIFIERS, "notifier"),
}
"""The argument of `python -m workers`, by the name of the process."""

READY_TIMEOUT_SECONDS = 2.0
"""Short, so that a frozen process does not delay the restart of another one."""


class DrillApi(Api):
    """One API process with a name of its own."""

    def __init__(self, name: str, *, port: int, env: Mapping[str, str]) -> None:
        super().__init__(port=port, workers=1, env=env)
        self.name = name

    def problem(self) -> str | None:
        """Why the process is not ready, or None."""
        with suppress(requests.RequestException):
            if requests.get(f"{self.url}/readyz", timeout=READY_TIMEOUT_SECONDS).ok:
                return None
        return "it is not ready"


class DrillWorker(Worker):
    """A worker with a name of its own: several may serve the same queue."""

    def __init__(self, name: str, argument: str, *, env: Mapping[str, str]) -> None:
        super().__init__(argument, env=env)
        self._argument = argument
        self.name = name

    def command(self) -> Sequence[str]:
        """The command line, with the queue in place of the name."""
        return [*super().command()[:-1], self._argument]
