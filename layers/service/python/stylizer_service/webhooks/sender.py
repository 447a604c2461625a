"""HTTPS sender for webhooks: public addresses only, no redirects, one overall deadline."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from stylizer_service.outbound.addresses import Address, is_public
from stylizer_service.outbound.https import Connector, Deadline, Resolve, request_target, resolve
from stylizer_service.webhooks.delivery import NotSent

_HEADERS = {"User-Agent": "Image-Stylizer-Webhooks/1", "Connection": "close"}
_ANSWER_BYTES = 64 * 1024
"""Maximum bytes read of a response: its status and headers; the body is not used."""


class HttpsSender:
    """`Sender` over HTTPS. Thread-safe.

    Args:
        timeout: Total time for one request, from name resolution to the response headers, seconds.
        is_allowed: Returns whether requests may be sent to an address.
        resolve: Resolves a host name to addresses.
        context: TLS context; defaults to the system's certificate authorities.
    """

    def __init__(
        self,
        timeout: float,
        *,
        is_allowed: Callable[[Address], bool] = is_public,
        resolve: Resolve = resolve,
        context: ssl.SSLContext | None = None,
    ):
        self._timeout = timeout
        self._connector = Connector(is_allowed=is_allowed, resolve=resolve, context=context)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Return the response status. Raises `NotSent`."""
        deadline = Deadline(self._timeout)
        try:
            parts = urlsplit(url)
            connection = http.client.HTTPSConnection(parts.netloc, context=self._connector.context)
            host, port = parts.hostname or "", parts.port or 443
            with self._connector.connect(host, port, deadline, _ANSWER_BYTES) as connection.sock:
                connection.request("POST", request_target(parts), body, {**headers, **_HEADERS})
                with connection.getresponse() as answer:
                    return answer.status
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NotSent(f"{type(error).__name__}: {error}") from error
