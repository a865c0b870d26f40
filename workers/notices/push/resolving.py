"""Resolves push services to checked addresses, to which alone the client connects."""

import asyncio
import socket
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

from web_push.endpoints import address_of
from workers.notices.push.addresses import is_global

Lookup = Callable[[str, int], Sequence[str]]
"""The addresses of a host, for a port. Raises OSError."""

LOOKUPS_AT_ONCE = 8
"""Threads that wait for DNS. They are not those of the event loop's other work."""


class AddressNotAllowedError(OSError):
    """A name has an address that is not global."""


class CheckedResolver(AbstractResolver):
    """Resolves a name once for each connection. The client connects to the addresses it returns.

    So an address that DNS answers later is never used unchecked. Every address must be global: an
    answer that mixes public and private addresses is an attack. Trusted origins may have any.
    """

    def __init__(
        self,
        trusted_origins: Collection[str] = (),
        *,
        lookup: Lookup | None = None,
        is_allowed: Callable[[str], bool] = is_global,
    ) -> None:
        self._trusted = {address_of(origin) for origin in trusted_origins}
        self._lookup = lookup or look_up
        self._is_allowed = is_allowed
        self._threads = ThreadPoolExecutor(LOOKUPS_AT_ONCE, thread_name_prefix="lookup")

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - as in its class
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises AddressNotAllowedError, OSError."""
        loop = asyncio.get_running_loop()
        addresses = await loop.run_in_executor(self._threads, self._lookup, host, port)
        is_trusted = (host, port) in self._trusted
        if not is_trusted and not all(map(self._is_allowed, addresses)):
            raise AddressNotAllowedError("an address is not global")
        return [_result(host, port, address) for address in addresses]

    async def close(self) -> None:
        """End the threads. One that still waits for DNS ends when DNS answers."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def look_up(host: str, port: int) -> list[str]:
    """The addresses of a host, by the system's resolver. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _result(host: str, port: int, address: str) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=0,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
