"""Fetching a picture from a URL that a caller gave: bounded in bytes, in time and in redirects.

Every hop is checked like the first address: https, a public host by its spelling, and public by every address it
resolves to, so that a redirect leads nowhere that the URL itself could not.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from stylizer_service.outbound.addresses import Address, is_public, why_refused
from stylizer_service.outbound.https import (
    Connector,
    Deadline,
    NotPublic,
    Resolve,
    TooManyBytes,
    request_target,
    resolve,
)
from stylizer_service.problems import ProblemError, failure

MAX_REDIRECTS = 3

_HEADERS = {"User-Agent": "Image-Stylizer/1", "Accept": "image/*", "Accept-Encoding": "identity", "Connection": "close"}
_HEAD_BYTES = 64 * 1024
"""Bytes read beyond those of the file: TLS certificates, status and headers."""
_REDIRECTS = (301, 302, 303, 307, 308)


class Fetcher(Protocol):
    """Downloads pictures, from public addresses only."""

    def fetch(self, url: str, *, field: str) -> bytes:
        """Return the file at a URL. Raises `ProblemError`, which names the field."""


class HttpsFetcher:
    """`Fetcher` over HTTPS. Thread-safe.

    Args:
        timeout: Total time for one file with all redirects, seconds.
        max_bytes: Maximum size of a file.
        is_allowed: Returns whether requests may be sent to an address.
        resolve: Resolves a host name to addresses.
        context: TLS context; defaults to the system's certificate authorities.
    """

    def __init__(
        self,
        timeout: float,
        max_bytes: int,
        *,
        is_allowed: Callable[[Address], bool] = is_public,
        resolve: Resolve = resolve,
        context: ssl.SSLContext | None = None,
    ):
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._connector = Connector(is_allowed=is_allowed, resolve=resolve, context=context)

    def fetch(self, url: str, *, field: str) -> bytes:
        """Return the file at a URL.

        Raises:
            ProblemError: `unfetchable-url`, with a detail that shows no internal address, or `image-too-large`.
        """
        deadline = Deadline(self._timeout)
        for _ in range(MAX_REDIRECTS + 1):
            found = self._get(url, deadline, field)
            if isinstance(found, bytes):
                return found
            url = urljoin(url, found).partition("#")[0]
        raise _unfetchable(field, f"redirects more than {MAX_REDIRECTS} times")

    def _get(self, url: str, deadline: Deadline, field: str) -> bytes | str:
        """Return the body, or the location of a redirect."""
        why = why_refused(url)
        if why is not None:
            raise _unfetchable(field, f"leads to an address that {why}")
        try:
            return self._request(url, deadline, field)
        except NotPublic as error:
            raise _unfetchable(field, "is at a host that is not public") from error
        except TooManyBytes as error:
            raise self._too_large(field) from error
        except TimeoutError as error:
            raise _unfetchable(field, f"was not sent within {self._timeout:g} s") from error
        except ssl.SSLError as error:
            raise _unfetchable(field, "is at a host without a valid certificate") from error
        except (OSError, UnicodeError) as error:
            raise _unfetchable(field, "is at a host that cannot be reached") from error
        except http.client.IncompleteRead as error:
            raise _unfetchable(field, "broke off before the end of the file") from error
        except (ValueError, http.client.HTTPException) as error:
            raise _unfetchable(field, "is at a host that does not speak HTTP") from error

    def _request(self, url: str, deadline: Deadline, field: str) -> bytes | str:
        parts = urlsplit(url)
        connection = http.client.HTTPSConnection(parts.netloc, context=self._connector.context)
        host, port = parts.hostname or "", parts.port or 443
        with self._connector.connect(host, port, deadline, self._max_bytes + _HEAD_BYTES) as connection.sock:
            connection.request("GET", request_target(parts), headers=_HEADERS)
            with connection.getresponse() as answer:
                location = answer.headers.get("Location")
                if answer.status in _REDIRECTS and location:
                    return location
                if answer.status != http.HTTPStatus.OK:
                    raise _unfetchable(field, f"was answered with status {answer.status}")
                return self._body(answer, field)

    def _body(self, answer: http.client.HTTPResponse, field: str) -> bytes:
        if answer.length is not None and answer.length > self._max_bytes:
            raise self._too_large(field)
        declared = answer.length
        body = answer.read(self._max_bytes + 1)
        if len(body) > self._max_bytes:
            raise self._too_large(field)
        if declared is not None and len(body) != declared:
            raise _unfetchable(field, "broke off before the end of the file")
        return body

    def _too_large(self, field: str) -> ProblemError:
        allowed = f"at most {self._max_bytes:,} bytes"
        detail = f"{field} leads to a longer file; allowed: {allowed}"
        return failure("image-too-large", detail, field=field, allowed=allowed)


def _unfetchable(field: str, why: str) -> ProblemError:
    allowed = "an https address of a public host that answers with a picture"
    return failure("unfetchable-url", f"{field} {why}", field=field, allowed=allowed)
