"""What an IP address tells of who calls."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
_SITE = 64  # bits of an IPv6 address that one site has to itself


def parse(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a text is, if it is one; an IPv4 one in IPv6 clothes as what it is."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_loopback(host: str) -> bool:
    """Whether it leads to this machine, and from nowhere else to it."""
    address = parse(host)
    return address is not None and address.is_loopback


def site(host: str) -> str:
    """Whom it belongs to: an IPv6 site can call from as many addresses as it likes."""
    address = parse(host)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _SITE), strict=False))
    return str(address or host)
