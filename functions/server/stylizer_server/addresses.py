"""IP addresses of callers."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
_SITE_BITS = 64  # prefix length that an IPv6 site has to itself


def parse(host: str) -> IPv4Address | IPv6Address | None:
    """Parse an IP address, IPv4-mapped ones as IPv4; None for any other text."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_loopback(host: str) -> bool:
    """Whether a host is a loopback address."""
    address = parse(host)
    return address is not None and address.is_loopback


def site(host: str) -> str:
    """Return the unit that limits apply to: an IPv4 address, or the /64 of an IPv6 address."""
    address = parse(host)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _SITE_BITS), strict=False))
    return str(address or host)
