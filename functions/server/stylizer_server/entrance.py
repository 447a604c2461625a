"""What every request to this server has to pass: whose it is, and whether it may come so often."""

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
from stylizer_server.hosts import Hosts
from stylizer_server.rates import Buckets
from stylizer_service.adapters.local.intake import LOCAL_OWNER
from stylizer_service.adapters.local.keys import Keys
from stylizer_service.adapters.local.settings import LocalSettings
from stylizer_service.problems import Problem, problem

_KEYED = re.compile(r"/v1(/.*)?", re.DOTALL)
_SIGNED = re.compile(r"/v1/files/.*|/v1/uploads/[^/]+/file", re.DOTALL)
"""What is behind links and forms that carry a signature instead, as with S3."""
_MINUTE = 60.0


class OneCaller:
    """The entrance of a server that only this machine reaches: no key is asked for.

    Args:
        app: What is inside.
        hosts: Which names this machine has.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts):
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        client = scope["client"][0] if scope["client"] else ""
        refusal = self._hosts.refusal(scope["method"], Headers(scope=scope), client)
        if refusal:
            await _refuse(refusal, {}, scope, receive, send)
        else:
            scope["state"]["owner"] = LOCAL_OWNER
            await self._app(scope, receive, send)


class WithKeys:
    """The entrance of a server that others reach: each call of the API takes a key.

    A page of another site has no key, and cannot make a browser send one: names and origins are left open.

    Args:
        app: What is inside.
        keys: Those that are valid.
        settings: How often a key may come, and how often one that is not known.
    """

    def __init__(self, app: ASGIApp, keys: Keys, settings: LocalSettings):
        self._app = app
        self._keys = keys
        self._keyed = _Meter("key", settings.rate_limit, settings.rate_burst)
        self._open = _Meter("address", settings.address_rate_limit, settings.address_rate_burst)
        self._guesses = Buckets(settings.wrong_keys / _MINUTE, settings.wrong_keys)
        self._known: set[bytes] = set()  # digests of keys that were right once: they are no guesses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        try:
            if _KEYED.fullmatch(scope["path"]) and not _SIGNED.fullmatch(scope["path"]):
                owner = await self._owner(scope)
                headers = self._keyed.count(owner)
                scope["state"]["owner"] = owner
            else:
                headers = self._open.count(_caller(scope))
        except _Refused as refused:
            await _refuse(refused.problem, refused.headers, scope, receive, send)
        else:
            await self._app(scope, receive, _with_headers(send, headers))

    async def _owner(self, scope: Scope) -> str:
        secret = Headers(scope=scope).get("x-api-key", "")
        if not secret:
            raise _Refused(missing_key().problem)
        digest = hashlib.sha256(secret.encode()).digest()
        if digest not in self._known:
            grant = self._guesses.take(_caller(scope))
            if not grant.is_given:
                detail = "too many keys that are not known came from this address; try again later"
                raise _Refused(problem("throttled", detail, field="X-Api-Key"), _retry_after(grant.wait))
        owner = await run_in_threadpool(self._keys.owner, secret)
        if owner is None:
            raise _Refused(missing_key().problem)
        self._known.add(digest)
        return owner


class _Meter:
    """Counts requests, and says in the answers how many more there may be."""

    def __init__(self, name: str, rate: float, burst: int):
        self._name = name
        self._buckets = Buckets(rate, burst) if rate else None

    def count(self, whose: str) -> dict[str, str]:
        """Count a request; gives the headers that tell of it. Raises `_Refused` where it is one too many."""
        if self._buckets is None:
            return {}
        rate, burst = self._buckets.rate, self._buckets.burst
        grant = self._buckets.take(whose)
        # As in draft-ietf-httpapi-ratelimit-headers: of `q` requests in `w` seconds, `r` are left for the next `t`.
        headers = {
            "RateLimit-Policy": f'"{self._name}";q={burst};w={math.ceil(burst / rate)}',
            "RateLimit": f'"{self._name}";r={grant.left};t={math.ceil(grant.full)}',
        }
        if not grant.is_given:
            allowed = f"{burst} requests at once, and {rate:g} a second from then on"
            detail = f"there are more requests at a time than this {self._name} may make; try again in a moment"
            raise _Refused(problem("throttled", detail, allowed=allowed), headers | _retry_after(grant.wait))
        return headers


class _Refused(Exception):
    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None):
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = headers or {}


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


async def _refuse(problem: Problem, headers: Mapping[str, str], scope: Scope, receive: Receive, send: Send) -> None:
    await ProblemResponse(problem, scope["state"]["request_id"], headers)(scope, receive, send)


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] != HTTPStatus.NOT_MODIFIED:
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return send_with_headers if headers else send


def _caller(scope: Scope) -> str:
    return site(scope["client"][0] if scope["client"] else "")
