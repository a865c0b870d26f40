"""The circuit breaker of a Redis server: what its exceptions say about it."""

import redis

from storage.circuit import Circuit
from storage.errors import StorageRefusedError, StorageUnavailableError


class RedisCircuit(Circuit):
    """A circuit that translates redis exceptions. An error reply shows that the server is up."""

    def _translate(self, error: BaseException) -> tuple[StorageUnavailableError, bool] | None:
        if isinstance(error, (redis.ConnectionError, redis.TimeoutError, OSError)):
            return StorageUnavailableError(self._part, type(error).__name__), False
        if isinstance(error, redis.RedisError):
            kind = StorageUnavailableError if _is_transient(error) else StorageRefusedError
            return kind(self._part, str(error)), True
        return None


def _is_transient(error: redis.RedisError) -> bool:
    """Whether the same command may succeed later.

    A transient error has a code (OOM, BUSY, MISCONF, READONLY …). redis-py maps the code to a
    subclass or leaves it as the first word. Of a permanent error it removes the code ERR.
    """
    code = str(error).partition(" ")[0]
    return type(error) is not redis.ResponseError or (code.isupper() and code != "WRONGTYPE")
