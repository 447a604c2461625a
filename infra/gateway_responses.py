"""Responses that API Gateway generates itself, as problem details (RFC 9457).

Codes that the API has as well have the same text here (tested); the others exist at the gateway only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NamedTuple

_CALLS = "there is no such call; GET /openapi.json lists the calls"
_FAILED = "the service failed to process this request; see its log"


HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
}
"""Security headers of every response, equal to those of the API (tested)."""


class GatewayResponse(NamedTuple):
    """A gateway response.

    Attributes:
        kind: Response type of API Gateway.
        status: The HTTP status.
        code: The last part of the problem's type.
        title: Kind of failure.
        detail: What happened, in words.
        field: Input at fault.
        allowed: What is accepted.
        headers: In addition to `HEADERS`.
    """

    kind: str
    status: int
    code: str
    title: str
    detail: str
    field: str | None = None
    allowed: str | None = None
    headers: Mapping[str, str] = {}

    def body(self) -> str:
        """Return the body template, into which the gateway inserts the request id."""
        return json.dumps(
            {
                "type": f"/problems/{self.code}",
                "title": self.title,
                "status": self.status,
                "detail": self.detail,
                "field": self.field,
                "allowed": self.allowed,
                "request_id": "$context.requestId",
            }
        )


def _not_found(kind: str) -> GatewayResponse:
    return GatewayResponse(kind, 404, "not-found", "The resource does not exist", _CALLS)


def _forbidden(kind: str, detail: str) -> GatewayResponse:
    return GatewayResponse(kind, 403, "forbidden", "Access denied", detail)


def _internal(kind: str) -> GatewayResponse:
    return GatewayResponse(kind, 500, "internal", "Internal server error", _FAILED)


GATEWAY_RESPONSES: Final = (
    # Unknown path or method.
    _not_found("MISSING_AUTHENTICATION_TOKEN"),
    _not_found("RESOURCE_NOT_FOUND"),
    GatewayResponse(
        "INVALID_API_KEY",
        403,
        "missing-api-key",
        "An API key is required",
        "this call requires an API key",
        field="X-Api-Key",
        allowed="a valid key",
    ),
    _forbidden("ACCESS_DENIED", "access denied"),
    _forbidden("EXPIRED_TOKEN", "the signature of this request has expired; this service needs none"),
    _forbidden("INVALID_SIGNATURE", "the signature of this request is wrong; this service needs none"),
    _forbidden("WAF_FILTERED", "the firewall of this service blocked this request"),
    GatewayResponse(
        "THROTTLED",
        429,
        "throttled",
        "Too many requests",
        "too many requests with this key, or to the service; try again in a second",
        headers={"Retry-After": "1"},
    ),
    GatewayResponse(
        "QUOTA_EXCEEDED",
        429,
        "quota-exceeded",
        "Too many requests today",
        "this key has used its daily quota; it is renewed at midnight UTC",
        field="X-Api-Key",
        headers={"Retry-After": "3600"},  # the gateway knows no time of day
    ),
    GatewayResponse(
        "REQUEST_TOO_LARGE",
        413,
        "too-large",
        "The request is too large",
        "the request is too long: send larger files by POST /v1/uploads, and pass their ids",
        allowed="4400000 bytes",
    ),
    GatewayResponse(
        "UNSUPPORTED_MEDIA_TYPE",
        415,
        "unsupported-media-type",
        "The media type of the body is not supported",
        "the media type of the body is not supported",
    ),
    GatewayResponse(
        "INTEGRATION_TIMEOUT",
        504,
        "no-answer",
        "The service took too long to respond",
        "the service did not respond within 29 seconds; the request may still be processed",
        headers={"Retry-After": "5"},
    ),
    _internal("INTEGRATION_FAILURE"),
    _internal("API_CONFIGURATION_ERROR"),
    # Everything else.
    GatewayResponse(
        "DEFAULT_4XX", 400, "malformed-request", "The request cannot be parsed", "the gateway cannot parse this request"
    ),
    _internal("DEFAULT_5XX"),
)
