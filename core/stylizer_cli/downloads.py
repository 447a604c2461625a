"""Downloads of pictures given by URL, for painting on this machine: bounded in bytes, time and redirects."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from http import HTTPStatus

import httpx

from stylizer.errors import ImageTooLarge, UnreadableImage
from stylizer.images.limits import DEFAULT_LIMITS, noun

MAX_BYTES = DEFAULT_LIMITS.max_bytes
MAX_REDIRECTS = 3
TIMEOUT = 60.0
"""Total time for one picture with all redirects, seconds."""

_HEADERS = {"User-Agent": "Image-Stylizer/1", "Accept": "image/*", "Accept-Encoding": "identity"}


def download(url: str, field: str) -> bytes:
    """Download a picture.

    Args:
        url: An https URL.
        field: Input it belongs to, for errors.

    Raises:
        UnreadableImage: There is no picture at the URL, or it does not arrive in time.
        ImageTooLarge: The file has more bytes than a picture may have.
    """
    return asyncio.run(_download(url, field))


@lru_cache(maxsize=8)
def download_style(url: str) -> bytes:
    """Download the picture of a style, once for all photos. Raises as `download` does."""
    return download(url, "style")


async def _download(url: str, field: str) -> bytes:
    try:
        # The timeouts of httpx start again with each read.
        async with asyncio.timeout(TIMEOUT):
            return await _get(url, field)
    except TimeoutError as error:
        raise _unreadable(url, field, f"was not sent within {TIMEOUT:g} s") from error
    except httpx.TooManyRedirects as error:
        raise _unreadable(url, field, f"redirects more than {MAX_REDIRECTS} times") from error
    except httpx.UnsupportedProtocol as error:
        raise _unreadable(url, field, "redirects to an address that is not https") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _unreadable(url, field, f"cannot be downloaded: {error}") from error


async def _get(url: str, field: str) -> bytes:
    client = httpx.AsyncClient(
        headers=_HEADERS,
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        timeout=TIMEOUT,
        event_hooks={"request": [_require_https]},
    )
    async with client, client.stream("GET", url) as response:
        if response.status_code != HTTPStatus.OK:
            raise _unreadable(url, field, f"was answered with {response.status_code} {response.reason_phrase}")
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind in ("text/html", "application/xhtml+xml"):
            raise _unreadable(url, field, f"is a web page ({kind}), not a picture")
        return await _read(response, url, field)


async def _read(response: httpx.Response, url: str, field: str) -> bytes:
    content = bytearray()
    declared = response.headers.get("Content-Length", "")
    is_too_large = declared.isdecimal() and int(declared) > MAX_BYTES
    if not is_too_large:
        async for chunk in response.aiter_raw(64 * 1024):
            content += chunk
            if len(content) > MAX_BYTES:
                is_too_large = True
                break
    if is_too_large:
        allowed = f"at most {MAX_BYTES:,} bytes"
        detail = f"{noun(field)} {_shown(url)!r} has more bytes; allowed: {allowed}"
        raise ImageTooLarge(detail, field=field, allowed=allowed)
    return bytes(content)


async def _require_https(request: httpx.Request) -> None:
    """Refuse a redirect to another scheme."""
    if request.url.scheme != "https":
        raise httpx.UnsupportedProtocol("not https", request=request)


def _unreadable(url: str, field: str, why: str) -> UnreadableImage:
    return UnreadableImage(f"{noun(field)} {_shown(url)!r} {why}", field=field)


def _shown(url: str) -> str:
    return url.partition("?")[0]  # queries may have secrets
