"""What the stack cannot go on after."""

import errno


class StackError(Exception):
    """A sentence for the person at the terminal: what is wrong, and what to do about it."""


class InterruptedStartError(Exception):
    """The person has asked for the end while things were still being started."""


def disk_full(error: OSError) -> StackError | None:
    """The sentence for a full disk, or None if `error` is another one."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    return StackError(
        f"The disk is full (writing {error.filename or 'a file'}). Free about 2 GB and run the "
        "same command again: what is there already is kept."
    )
