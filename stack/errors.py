"""What the stack cannot go on after."""

import errno


class StackError(Exception):
    """A sentence for the person at the terminal: what is wrong, and what to do about it."""


class InterruptedStartError(Exception):
    """The person has asked for the end while things were still being started."""


def explained(error: OSError) -> StackError | None:
    """The sentence for a full disk or a file of somebody else's; None for any other error."""
    if isinstance(error, PermissionError):
        return StackError(
            f"{error.filename or 'Something'}: permission denied. If a sudo made it, give it back "
            "to yourself (sudo chown -R); or name a folder of your own in STACK_FOLDER."
        )
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    return StackError(
        f"The disk is full (writing {error.filename or 'a file'}). Free about 2 GB and run the "
        "same command again: what is there already is kept."
    )
