"""Errors of the stack. Their messages are for the user at the terminal."""

import errno


class StackError(Exception):
    """The stack cannot continue. The message gives the problem and the remedy."""


class InterruptedStartError(Exception):
    """The user has stopped the stack while it was starting."""


def to_stack_error(error: OSError) -> StackError | None:
    """A StackError for a full disk or a missing permission; None for any other error."""
    if isinstance(error, PermissionError):
        return StackError(
            f"{error.filename or 'A file'}: permission denied. If sudo created it, take it back "
            "with `sudo chown -R`; or set STACK_FOLDER to a folder that you own."
        )
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    return StackError(
        f"The disk is full (writing {error.filename or 'a file'}). Free about 2 GB and run the "
        "same command again. No data are lost."
    )
