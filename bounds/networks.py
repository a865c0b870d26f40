"""Networks of clients: what one household or machine has to itself."""

import ipaddress


def network_of(address: str) -> str:
    """The IPv4 address itself, or the /64 of an IPv6 address; `unknown` for any other text."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
