"""The local stack: starts, supervises and stops the stores and our own processes.

It imports no other package of photofeed: our processes are command lines.
"""

from stack.errors import StackError
from stack.local import LocalStack
from stack.settings import StackSettings

__all__ = ["LocalStack", "StackError", "StackSettings"]
