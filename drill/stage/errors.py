"""Errors of the stage."""


class UnhealthyError(Exception):
    """Processes or stores that should answer do not; the text names each with its problem."""


class SupervisionError(Exception):
    """A supervisor has failed: what dies is not restarted any more, so the drill cannot go on."""
