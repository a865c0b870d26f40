"""Which addresses a push service may have: only global ones, by the registries of IANA.

The tables are here, and not `ipaddress.is_global`: its answers differ between versions of Python,
also for IPv6 addresses that contain an IPv4 address.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_NOT_GLOBAL_V4 = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by the customers of a provider
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata services of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_UNICAST_V6 = IPv6Network("2000::/3")
"""The only part of IPv6 that is assigned to hosts of the internet. Mapped addresses, NAT64, unique
local and link-local ones are outside."""
_NOT_GLOBAL_V6 = tuple(
    ip_network(text)
    for text in (
        "2001::/23",  # protocols: Teredo, benchmarks, ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4 contains an IPv4 address
        "2620:4f:8000::/48",
        "3ffe::/16",
        "3fff::/20",
    )
)


def is_global(text: str) -> bool:
    """Whether the text is an address of the public internet; False if it is no address."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_GLOBAL_V4)
    return _is_global_v6(address)


def _is_global_v6(address: IPv6Address) -> bool:
    if address.scope_id is not None or address not in _UNICAST_V6:
        return False
    return not any(address in network for network in _NOT_GLOBAL_V6)
