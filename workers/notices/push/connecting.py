"""The sender's connections: made to checked addresses, and bounded also while they are idle."""

from typing import TYPE_CHECKING

import aiohttp

from web_push.endpoints import service_of
from workers.notices.push.resolving import CheckedResolver

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ConnectionKey

KEEP_SECONDS = 30.0
"""How long an idle connection is kept."""

MOST_IDLE = 64
"""Idle connections to the origins of one service that are kept."""


class BoundedConnector(aiohttp.TCPConnector):
    """Keeps a bounded number of idle connections to the origins of each service.

    The turns bound those in use. aiohttp's own limits do not count idle ones, and a client can
    register many hosts of a vendor.
    """

    def __init__(self, resolver: CheckedResolver) -> None:
        super().__init__(
            resolver=resolver,
            use_dns_cache=False,  # each connection goes to addresses that were just checked
            limit=0,  # a wait for a connection would count as the service's
            keepalive_timeout=KEEP_SECONDS,
        )

    def _release(
        self, key: "ConnectionKey", protocol: "ResponseHandler", *, should_close: bool = False
    ) -> None:
        is_full = self._idle(service_of(key.host)) >= MOST_IDLE
        super()._release(key, protocol, should_close=should_close or is_full)

    def _idle(self, service: str) -> int:
        """The number of idle connections to a service's origins."""
        return sum(
            len(idle) for key, idle in self._conns.items() if service_of(key.host) == service
        )
