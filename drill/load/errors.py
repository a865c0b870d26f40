"""Errors of the drill's clients."""

from drill.load.connection import Response


class NotAcknowledgedError(Exception):
    """A request that must succeed before the drill can start was not answered with a 2xx."""

    def __init__(self, response: Response) -> None:
        super().__init__(str(response))
        self.response = response
