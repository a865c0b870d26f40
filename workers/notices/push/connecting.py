"""The sender's connections: made to checked addresses, and bounded also while they are idle."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

from web_push.endpoints import service_of
from workers.notices.push.resolving import CheckedResolver

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ConnectionKey

KEEP_SECONDS = 30.0
"""How long an idle connection is kept."""

MOST_IDLE = 64
"""Idle connections to the origins of one service that are kept."""

MOST_RECEIVED = 32_768
"""Bytes of the answer to one request, with its headers and all interim answers (`100 Continue`).
Push services send a few hundred. aiohttp bounds a header and their number, but reads interim
answers without an end."""


class BoundedHandler(ResponseHandler):
    """A connection that is closed once the answer to a request has MOST_RECEIVED bytes."""

    _left = MOST_RECEIVED

    def set_response_params(self, **parameters: Any) -> None:
        """Begin to count anew: called for each request."""
        self._left = MOST_RECEIVED
        super().set_response_params(**parameters)

    def data_received(self, data: bytes) -> None:
        """Parse what is within the bound."""
        allowed, self._left = data[: self._left], max(0, self._left - len(data))
        if allowed or not data:
            super().data_received(allowed)
        if self._left == 0 and self.transport is not None:
            self.transport.abort()


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
        self._factory = cast(
            "partial[ResponseHandler]", partial(BoundedHandler, loop=asyncio.get_running_loop())
        )

    def _release(
        self, key: "ConnectionKey", protocol: ResponseHandler, *, should_close: bool = False
    ) -> None:
        is_full = self._idle(service_of(key.host)) >= MOST_IDLE
        super()._release(key, protocol, should_close=should_close or is_full)

    def _idle(self, service: str) -> int:
        """The number of idle connections to a service's origins."""
        return sum(
            len(idle) for key, idle in self._conns.items() if service_of(key.host) == service
        )
