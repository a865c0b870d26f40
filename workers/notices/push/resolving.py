"""Resolves push services to checked addresses, to which alone the client connects."""

import asyncio
import socket
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

from web_push.endpoints import SERVICES, address_of, service_of
from workers.notices.push.addresses import is_global
from workers.notices.push.waiting import TurnTimeoutError, unlimited

Lookup = Callable[[str, int], Sequence[str]]
"""The addresses of a host, for a port. Raises OSError."""

LOOKUPS_AT_ONCE = 2
"""Threads of each service that wait for DNS: clients can register any label below a vendor's
domain, and the look-ups of one vendor's labels must not delay those of others."""

LOOKUP_WAIT_SECONDS = 10.0
"""How long a message waits for a look-up of its service to begin."""

_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class AddressNotAllowedError(OSError):
    """A name has an address that is not global."""


class NameNotFoundError(OSError):
    """A name does not exist, or has no address."""


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
        self._threads = {
            service: ThreadPoolExecutor(LOOKUPS_AT_ONCE, thread_name_prefix=f"lookup-{service}")
            for service in SERVICES
        }

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - as in its class
    ) -> list[ResolveResult]:
        """The addresses of a host.

        Raises AddressNotAllowedError, NameNotFoundError, TurnTimeoutError, OSError.
        """
        addresses = await self._look_up_in_turn(host, port)
        if not addresses:
            raise NameNotFoundError("no address")
        is_trusted = (host, port) in self._trusted
        if not is_trusted and not all(map(self._is_allowed, addresses)):
            raise AddressNotAllowedError("an address is not global")
        return [_result(host, port, address) for address in addresses]

    async def close(self) -> None:
        """End the threads. One that still waits for DNS ends when DNS answers."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    async def _look_up_in_turn(self, host: str, port: int) -> Sequence[str]:
        """Look up in a thread of the host's service. A message that waits for it waits for us."""
        loop = asyncio.get_running_loop()
        began = asyncio.Event()

        def look_up() -> Sequence[str]:
            loop.call_soon_threadsafe(began.set)
            return self._lookup(host, port)

        found = loop.run_in_executor(self._threads[service_of(host)], look_up)
        try:
            async with unlimited(), asyncio.timeout(LOOKUP_WAIT_SECONDS):
                await began.wait()
        except TimeoutError:
            found.cancel()
            raise TurnTimeoutError("no turn to look up") from None
        except asyncio.CancelledError:
            found.cancel()
            raise
        try:
            return await found
        except socket.gaierror as error:
            if error.errno in _NO_SUCH_NAME:
                raise NameNotFoundError("no such name") from None
            raise


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
