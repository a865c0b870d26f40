"""Endpoints of push services: clients send them, so only those of known services are accepted.

The check reads the text by one strict pattern, not as URL parsers do. What a parser would repair or
normalise is refused: spaces, backslashes, user info, ports, escapes and Unicode in host names.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

MAX_LENGTH = 2_048
"""The longest endpoint, in characters."""

HOSTS = {
    "fcm.googleapis.com": "google",
    "updates.push.services.mozilla.com": "mozilla",
}
"""Services by their host. Endpoints of Chromium and of Firefox have no others."""

PARENT_DOMAINS = {"push.apple.com": "apple", "notify.windows.com": "microsoft"}
"""Services by the domain of which a host is a direct child, such as `web.push.apple.com`.

Apple asks servers to allow any host below `push.apple.com` (webkit.org, "Meet Web Push").
Microsoft's hosts are regional, and on no list that we know of."""

OTHER = "other"
"""The service of an endpoint whose origin the operator has allowed."""

SERVICES = (*sorted({*HOSTS.values(), *PARENT_DOMAINS.values()}), OTHER)
"""Every service, as metrics name them."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_REST = r"(?P<rest>/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*)?)"
_PUBLIC = re.compile(rf"https://(?P<child>{_LABEL})\.(?P<parent>{_LABEL}(?:\.{_LABEL})+){_REST}")
_ANY = re.compile(rf"(?P<origin>https?://[^/?#]+){_REST}")
_ORIGIN = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:]+\])(?::(?P<port>[1-9]\d{{0,4}}))?"
)
_PORTS = {"http": 80, "https": 443}
_LAST_PORT = 65_535


class EndpointNotAllowedError(ValueError):
    """The endpoint is not one of a push service that is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint that is allowed."""

    url: str
    origin: str
    """Scheme, host and port: what a connection and a VAPID token belong to."""
    service: str
    """One of SERVICES."""

    @property
    def is_trusted(self) -> bool:
        """Whether the operator has named the origin, so that it may have a private address."""
        return self.service == OTHER


def read_endpoint(text: str, allowed_origins: Collection[str] = ()) -> Endpoint:
    """The endpoint in `text`. Raises EndpointNotAllowedError.

    `allowed_origins` are allowed beside the known push services.
    """
    if len(text) > MAX_LENGTH:
        raise EndpointNotAllowedError("too long")
    match = _ANY.fullmatch(text)
    if match is None:
        raise EndpointNotAllowedError("not an endpoint")
    if match["origin"] in allowed_origins:
        return Endpoint(url=text, origin=match["origin"], service=OTHER)
    public = _PUBLIC.fullmatch(text)
    service = public and _service_of(public["child"], public["parent"])
    if service is None:
        raise EndpointNotAllowedError("not a known push service")
    return Endpoint(url=text, origin=match["origin"], service=service)


def origin_of(endpoint_url: str) -> str:
    """Scheme, host and port of an endpoint that was accepted before."""
    return "/".join(endpoint_url.split("/", 3)[:3])


def address_of(origin: str) -> tuple[str, int]:
    """Host and port of an origin. Raises ValueError if it is not one, in a browser's spelling."""
    match = _ORIGIN.fullmatch(origin)
    port = match and int(match["port"] or _PORTS[match["scheme"]])
    if match is None or port is None or port > _LAST_PORT:
        raise ValueError("An origin is a scheme, a host and a port: https://push.example:8443.")
    return match["host"].strip("[]"), port


def service_of(host: str) -> str:
    """The service of a host, one of SERVICES."""
    child, _, parent = host.partition(".")
    return _service_of(child, parent) or OTHER


def digest_of(endpoint_url: str) -> str:
    """The SHA-256 of an endpoint, in hex: the key under which it is stored once."""
    return sha256(endpoint_url.encode()).hexdigest()


def _service_of(child: str, parent: str) -> str | None:
    if child.startswith("xn--"):
        return None
    return HOSTS.get(f"{child}.{parent}") or PARENT_DOMAINS.get(parent)
