"""Makes the OpenAPI document say what this API really does: its own problems, and the body read by hand."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from functions.api.intake import request_schema
from functions.api.problem_json import MEDIA_TYPE
from stylizer_service.problems import Problem
from stylizer_service.webhooks import Event

_SUMMARY = "Pick a style, upload a photo, get it back painted."
_DESCRIPTION = """\
A painting is a job: `POST /v1/stylizations` accepts it, `GET /v1/stylizations/{id}` tells how it is, and
`GET /v1/stylizations/{id}/image` leads to the file.

Everything wrong is answered with `application/problem+json` (RFC 9457): `type` names the kind of failure for
programs, `detail` says it to a person, `field` and `allowed` tell what to mend, and `request_id` finds it in
the log.
"""
_TAGS = [
    {"name": "Stylizations", "description": "Paintings, from the wish to the file."},
    {"name": "Styles", "description": "What to paint in: the catalog, and styles of your own."},
    {"name": "Uploads", "description": "Large files, and files used more than once."},
    {"name": "Webhooks", "description": "Be told when a painting has ended, and check who says so."},
    {"name": "Health", "description": "For load balancers."},
]
_WEBHOOKS = {
    "stylization": {
        "post": {
            "tags": ["Webhooks"],
            "summary": "A painting has ended",
            "description": "Sent to the `webhook` of a stylization, signed by the rules of Standard Webhooks "
            "(`webhook-id`, `webhook-timestamp`, `webhook-signature`) with the secret that `GET /v1/webhook-secret` "
            "gives. It is sent again, for some hours and with the same `webhook-id`, until it is answered with 2xx.",
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}},
            },
            "responses": {
                "2XX": {"description": "Heard."},
                "410": {"description": "Never to be sent again."},
                "default": {"description": "Not heard; redirects are not followed."},
            },
        }
    }
}


def describe(app: FastAPI, *, needs_key: bool) -> None:
    """Replace the contract that FastAPI makes with the finished one."""
    app.openapi = lambda: _contract(app, needs_key)  # type: ignore[method-assign]


def _contract(app: FastAPI, needs_key: bool) -> dict[str, Any]:
    if not app.openapi_schema:
        contract = get_openapi(
            title=app.title,
            version=app.version,
            summary=_SUMMARY,
            description=_DESCRIPTION,
            tags=_TAGS,
            routes=app.routes,
        )
        _add_schemas(contract["components"]["schemas"])
        for calls in contract["paths"].values():
            for call in calls.values():
                call["responses"].pop("422", None)
                for response in call["responses"].values():
                    if response["description"] == "Successful Response":
                        response["description"] = "Success."
                call["responses"]["default"] = {
                    "description": "What went wrong.",
                    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
        if needs_key:
            _add_key(contract)
        contract["webhooks"] = _WEBHOOKS
        app.openapi_schema = contract
    return app.openapi_schema


def _add_key(contract: dict[str, Any]) -> None:
    contract["components"]["securitySchemes"] = {"ApiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}}
    for path, calls in contract["paths"].items():
        for call in calls.values():
            if path.startswith("/v1/"):
                call["security"] = [{"ApiKey": []}]


def _add_schemas(schemas: dict[str, Any]) -> None:
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    event = Event.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    del event["$defs"]  # the stylization is described already
    for name, schema in (("StylizationRequest", request_schema()), ("Event", event), ("Problem", problem)):
        schemas |= schema.pop("$defs", {})
        schemas[name] = schema
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
