"""The local stack: the stores and our own processes, started, awaited, watched and stopped.

Nothing of ours is imported here: our processes are command lines.
"""

from stack.errors import StackError
from stack.local import LocalStack
from stack.settings import StackSettings

__all__ = ["LocalStack", "StackError", "StackSettings"]
