"""Validation of addresses given by callers, to prevent server-side request forgery (SSRF).

A host is checked twice: its spelling when the address is given, and at each attempt every address it resolves to at
that moment (`https`), because a DNS name can be repointed at any time.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from stylizer_service.problems import invalid

Address = IPv4Address | IPv6Address

ALLOWED = "an https address of a public host, without a user name and a fragment, such as https://example.com/painted"

_VISIBLE = re.compile(r"[!-~]{1,2000}")
_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{1,63}")
_INSIDE = (".localhost", ".localdomain", ".local", ".internal")
_NUMBER = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)")

# The special-purpose address registries (RFC 6890) in full, because `is_global` differs between Python versions.
_SPECIAL_V4 = [
    ip_network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; metadata service of some clouds
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # public, but Azure's platform service inside its virtual machines
        "169.254.0.0/16",  # link-local; metadata service of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
]
_GLOBAL_V6 = ip_network("2000::/3")  # all allocated unicast; excludes loopback, private, link-local, multicast
_SPECIAL_V6 = [
    ip_network(block)
    for block in (
        "2001::/23",  # protocol assignments, including Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which can reach any IPv4 address
        "3fff::/20",  # documentation
    )
]
_NAT64 = ip_network("64:ff9b::/96")


def check_address(url: str, field: str = "webhook") -> None:
    """Raise a `ProblemError` that names the field unless `why_refused` has no objection to the URL."""
    why = why_refused(url)
    if why is not None:
        address = url.partition("?")[0]  # queries may have secrets, and problems go to the log
        shown = address if len(address) <= 80 else f"{address[:80]}…"
        raise invalid(field, f"{field} is {shown!r}, which {why}", ALLOWED)


def why_refused(url: str) -> str | None:
    """Return why no request may be sent to the URL, as far as can be told without DNS; None if one may."""
    if not _VISIBLE.fullmatch(url):
        return "has characters that an address must write with %, or more than 2000"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        return f"cannot be read: {error}"
    if parts.scheme != "https":
        return "does not start with https://"
    if "@" in parts.netloc:
        return "has a user name or password"
    if "#" in url:
        return "has a fragment"
    if not host:
        return "has no host"
    if port == 0:
        return "has port 0"
    if not _is_public_host(host):
        return f"has the host {host!r}, which is not a public one"
    return None


def is_public(address: Address) -> bool:
    """Return whether an address is globally routable: not private, local, shared, reserved, or mapped to such."""
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _SPECIAL_V4)
    if address.ipv4_mapped:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _GLOBAL_V6 and not any(address in block for block in _SPECIAL_V6)


def _is_public_host(host: str) -> bool:
    try:
        return is_public(ip_address(host))
    except ValueError:
        pass
    # A name ending in a number is a legacy IPv4 spelling (127.1, 0x7f000001), which no public host needs.
    return bool(_NAME.fullmatch(host)) and not host.endswith(_INSIDE) and not _NUMBER.fullmatch(host)
