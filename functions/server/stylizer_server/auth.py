"""Access control of the local server: origin checks without keys, or API keys and rate limits."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stylizer_api.context import missing_key
from stylizer_api.problem_json import ProblemResponse
from stylizer_server.addresses import site
from stylizer_server.origin_guard import OriginGuard
from stylizer_server.rate_limits import TokenBuckets
from stylizer_service.adapters.local.intake import LOCAL_OWNER
from stylizer_service.adapters.local.keys import Keys
from stylizer_service.adapters.local.settings import LocalSettings
from stylizer_service.problems import Problem, problem

_API_PATH = re.compile(r"/v1(/.*)?", re.DOTALL)
_SIGNED_PATH = re.compile(r"/v1/files/.*|/v1/uploads/[^/]+/file", re.DOTALL)
"""Signed links and forms, which require no key, as with S3."""
_MINUTE = 60.0


class LocalOnlyMiddleware:
    """Serves this machine only, without keys.

    Args:
        app: The wrapped app.
        guard: Check of Host and Origin.
    """

    def __init__(self, app: ASGIApp, guard: OriginGuard):
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        client = scope["client"][0] if scope["client"] else ""
        refusal = self._guard.check(scope["method"], Headers(scope=scope), client)
        if refusal:
            await _send_problem(refusal, {}, scope, receive, send)
        else:
            scope["state"]["owner"] = LOCAL_OWNER
            await self._app(scope, receive, send)


class ApiKeyMiddleware:
    """Requires an API key for each API call, and limits rates.

    Host and Origin are not checked: other sites have no key, and cannot make a browser send one.

    Args:
        app: The wrapped app.
        keys: Store of the valid keys.
        settings: Rate limits of keys, addresses and unknown keys.
    """

    def __init__(self, app: ASGIApp, keys: Keys, settings: LocalSettings):
        self._app = app
        self._keys = keys
        self._key_limit = _RateLimit("key", settings.rate_limit, settings.rate_burst)
        self._address_limit = _RateLimit("address", settings.address_rate_limit, settings.address_rate_burst)
        self._guesses = TokenBuckets(settings.wrong_keys / _MINUTE, settings.wrong_keys)
        self._known: set[bytes] = set()  # digests of keys that were valid once, which are no guesses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        try:
            if _API_PATH.fullmatch(scope["path"]) and not _SIGNED_PATH.fullmatch(scope["path"]):
                owner = await self._authenticate(scope)
                headers = self._key_limit.count(owner)
                scope["state"]["owner"] = owner
            else:
                headers = self._address_limit.count(_client_site(scope))
        except _AccessDenied as denied:
            await _send_problem(denied.problem, denied.headers, scope, receive, send)
        else:
            await self._app(scope, receive, _with_headers(send, headers))

    async def _authenticate(self, scope: Scope) -> str:
        """Return the owner of the key. Raises `_AccessDenied` for an unknown key, or too many of them."""
        secret = Headers(scope=scope).get("x-api-key", "")
        if not secret:
            raise _AccessDenied(missing_key().problem)
        digest = hashlib.sha256(secret.encode()).digest()
        if digest not in self._known:
            grant = self._guesses.take(_client_site(scope))
            if not grant.is_granted:
                detail = "too many unknown keys came from this address; try again later"
                throttled = problem("throttled", detail, field="X-Api-Key")
                raise _AccessDenied(throttled, _retry_after(grant.retry_after))
        owner = await run_in_threadpool(self._keys.owner, secret)
        if owner is None:
            raise _AccessDenied(missing_key().problem)
        self._known.add(digest)
        return owner


class _RateLimit:
    """A rate limit with its response headers."""

    def __init__(self, name: str, rate: float, burst: int):
        self._name = name
        self._buckets = TokenBuckets(rate, burst) if rate else None

    def count(self, client: str) -> dict[str, str]:
        """Count a request, and return the headers of its response. Raises `_AccessDenied` above the limit."""
        if self._buckets is None:
            return {}
        rate, burst = self._buckets.rate, self._buckets.burst
        grant = self._buckets.take(client)
        # draft-ietf-httpapi-ratelimit-headers: of `q` requests in `w` seconds, `r` remain for the next `t`.
        headers = {
            "RateLimit-Policy": f'"{self._name}";q={burst};w={math.ceil(burst / rate)}',
            "RateLimit": f'"{self._name}";r={grant.remaining};t={math.ceil(grant.reset_after)}',
        }
        if not grant.is_granted:
            allowed = f"{burst} requests at once, and {rate:g} a second from then on"
            detail = f"the rate limit of this {self._name} is exceeded; try again in a moment"
            throttled = problem("throttled", detail, allowed=allowed)
            raise _AccessDenied(throttled, headers | _retry_after(grant.retry_after))
        return headers


class _AccessDenied(Exception):
    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None):
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = headers or {}


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


async def _send_problem(
    problem: Problem, headers: Mapping[str, str], scope: Scope, receive: Receive, send: Send
) -> None:
    await ProblemResponse(problem, scope["state"]["request_id"], headers)(scope, receive, send)


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] != HTTPStatus.NOT_MODIFIED:
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return send_with_headers if headers else send


def _client_site(scope: Scope) -> str:
    return site(scope["client"][0] if scope["client"] else "")
