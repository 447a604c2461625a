"""Routes of the API; the gateway passes no others. Equal to the OpenAPI contract (tested)."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple


class Route(NamedTuple):
    """One route.

    Attributes:
        method: The API has GET and POST only.
        path: Parameters in braces; a trailing plus sign makes a parameter greedy.
        is_public: Whether it works without an API key.
    """

    method: Literal["GET", "POST"]
    path: str
    is_public: bool = False


ROUTES: Final = (
    Route("GET", "/", is_public=True),
    Route("GET", "/docs", is_public=True),
    Route("GET", "/favicon.ico", is_public=True),
    Route("GET", "/healthz", is_public=True),
    Route("GET", "/openapi.json", is_public=True),
    Route("GET", "/page/{file+}", is_public=True),
    Route("GET", "/v1/styles"),
    Route("POST", "/v1/styles"),
    Route("GET", "/v1/styles/{id}"),
    Route("GET", "/v1/styles/{id}/image"),
    Route("POST", "/v1/styles/{id}/delete"),
    Route("GET", "/v1/stylizations"),
    Route("POST", "/v1/stylizations"),
    Route("GET", "/v1/stylizations/{id}"),
    Route("GET", "/v1/stylizations/{id}/image"),
    Route("GET", "/v1/stylizations/{id}/preview"),
    Route("POST", "/v1/stylizations/{id}/cancel"),
    Route("POST", "/v1/stylizations/{id}/delete"),
    Route("POST", "/v1/uploads"),
    Route("POST", "/v1/uploads/{id}/delete"),
    Route("GET", "/v1/webhook-secret"),
)
