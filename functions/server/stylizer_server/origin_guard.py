"""Protection of a server without keys against cross-origin requests and DNS rebinding.

Browsers let any site send requests to this machine. The `Origin` header names the sending site, and the `Host` header
shows the name of a site that resolves to this machine (DNS rebinding).
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from stylizer_server.addresses import is_loopback
from stylizer_service.problems import Problem, problem

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


class OriginGuard:
    """Checks client address, Host and Origin.

    Args:
        allowed: Allowed Host headers besides the names of this machine, such as that of a proxy or a tunnel.
    """

    def __init__(self, allowed: Collection[str] = ()):
        self._allowed = {name.lower() for name in allowed}

    def check(self, method: str, headers: Headers, client: str) -> Problem | None:
        """Return the reason to refuse a request, or None.

        Args:
            method: Method of the request.
            headers: Headers of the request.
            client: Address of the client, from X-Forwarded-For behind a proxy on this machine.
        """
        host = headers.get("host")
        if not is_loopback(client) and _hostname(host or "") not in self._allowed:
            # A proxy may rewrite Host to a local name, and still forward the client's address.
            return problem(
                "foreign-site",
                f"this server serves this machine only, not {client}; --require-keys serves other machines",
                field="X-Forwarded-For",
            )
        if host is not None and not self._is_allowed(_hostname(host)):
            return problem(
                "foreign-site",
                f"host is {host!r}; this server serves this machine only, under its own names",
                field="Host",
                allowed=[*_LOCAL_NAMES, *sorted(self._allowed)],
            )
        origin = headers.get("origin")
        if method not in _SAFE_METHODS and origin is not None and not self._is_same_origin(origin, host):
            return problem(
                "foreign-site",
                f"cross-origin request refused: a page of {origin!r} may not change data here",
                field="Origin",
                allowed="pages of this server, and programs, which send no Origin",
            )
        return None

    def _is_allowed(self, name: str) -> bool:
        is_local = name == "localhost" or name.endswith(".localhost") or is_loopback(name)
        return is_local or name in self._allowed

    def _is_same_origin(self, origin: str, host: str | None) -> bool:
        authority = origin.partition("://")[2].lower()
        return bool(authority) and (authority == (host or "").lower() or _hostname(authority) in self._allowed)


def _hostname(host: str) -> str:
    """Return the name in a Host header, without port or brackets; empty for an invalid one."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
