"""Whom a server without keys serves: pages of this machine and programs on it, and no page of another site.

A browser lets any site send requests to this machine. It tells which site sends them (`Origin`), and a site that makes
its own name lead here (DNS rebinding) is betrayed by that name (`Host`).
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from stylizer_server.addresses import is_loopback
from stylizer_service.problems import Problem, problem

_SAFE = ("GET", "HEAD", "OPTIONS")
_THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")


class Hosts:
    """Refuses what another site has a browser send.

    Args:
        allowed: Names besides those of this machine, such as the one a proxy or a tunnel is reached by.
    """

    def __init__(self, allowed: Collection[str] = ()):
        self._allowed = {name.lower() for name in allowed}

    def refusal(self, method: str, headers: Headers, client: str) -> Problem | None:
        """Why a request is not served, or None.

        Args:
            method: Of the request.
            headers: Of the request.
            client: Who has sent it, as far as a proxy on this machine tells.
        """
        host = headers.get("host")
        if not is_loopback(client) and _name(host or "") not in self._allowed:
            # A proxy may give the request a name of this machine, and still tell where it came from.
            return problem(
                "foreign-site",
                f"this server serves this machine only, and {client} is another; with --require-keys it serves others",
                field="X-Forwarded-For",
            )
        if host is not None and not self._is_ours(_name(host)):
            return problem(
                "foreign-site",
                f"this server is not {host!r}: it serves this machine only, under its own names",
                field="Host",
                allowed=[*_THIS_MACHINE, *sorted(self._allowed)],
            )
        origin = headers.get("origin")
        if method not in _SAFE and origin is not None and not self._is_same(origin, host):
            return problem(
                "foreign-site",
                f"a page of {origin!r} may change nothing here",
                field="Origin",
                allowed="pages of this server, and programs, which send no Origin",
            )
        return None

    def _is_ours(self, name: str) -> bool:
        is_local = name == "localhost" or name.endswith(".localhost") or is_loopback(name)
        return is_local or name in self._allowed

    def _is_same(self, origin: str, host: str | None) -> bool:
        place = origin.partition("://")[2].lower()
        return bool(place) and (place == (host or "").lower() or _name(place) in self._allowed)


def _name(host: str) -> str:
    """The name in a Host header, without its port and without the brackets of an IPv6 address."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
