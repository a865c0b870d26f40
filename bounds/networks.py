"""Networks of clients: what one household or machine has to itself, and what one customer has."""

import ipaddress

UNKNOWN = "unknown"
"""The network of a client without an address: that of a server on a Unix socket, for example."""


def network_of(address: str) -> str:
    """The IPv4 address itself, or the /64 of an IPv6 address; UNKNOWN for any other text."""
    return _network(address, ipv4_bits=32, ipv6_bits=64).removesuffix("/32")


def range_of(address: str) -> str:
    """The IPv4 /24 or the IPv6 /48: the most that one customer usually has; else UNKNOWN."""
    return _network(address, ipv4_bits=24, ipv6_bits=48)


def _network(text: str, *, ipv4_bits: int, ipv6_bits: int) -> str:
    try:
        address = ipaddress.ip_address(_address_in(text))
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, ipv6_bits), strict=False))
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((address, ipv4_bits), strict=False))


def _address_in(text: str) -> str:
    """The address alone: some proxies add a port, and brackets or a zone to one of IPv6."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return text.partition("%")[0]
