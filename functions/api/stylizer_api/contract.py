"""Complete the generated OpenAPI document with the API's own problems and with the body that is parsed by hand."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from stylizer_api import openapi_problems, openapi_successes
from stylizer_api.request_body import request_schema, without_null
from stylizer_service.problems import Problem
from stylizer_service.webhooks.delivery import Event

_WITH_KEY = "/v1/"
_SUMMARY = "Pick a style, upload a photo, get it back painted."
_DESCRIPTION = """\
A painting is a job: `POST /v1/stylizations` creates it, `GET /v1/stylizations/{id}` returns its status, and
`GET /v1/stylizations/{id}/image` redirects to the file.

Errors are `application/problem+json` (RFC 9457): `type` identifies the kind of error for programs, `detail` explains it
to people, `field` and `allowed` say what to correct, and `request_id` identifies the request in the log.
"""
_GATEWAY = """
On AWS, the gateway in front of the service responds to some requests itself, in the same format: 429 `quota-exceeded`,
413 `too-large`, 403 `forbidden`, 504 `no-answer`.
"""
_TAGS = [
    {"name": "Stylizations", "description": "Create, poll, download, cancel and delete paintings."},
    {"name": "Styles", "description": "The catalog of built-in styles, and your own styles."},
    {"name": "Uploads", "description": "Upload large files, and files to use more than once."},
    {"name": "Webhooks", "description": "Get notified when a stylization ends, and verify the sender."},
    {"name": "Health", "description": "For load balancers."},
    # Webhooks and calls share no tag: client generators make one class per tag, and would treat a webhook as a call.
    {"name": "Events", "description": "Requests that this service sends to your webhook."},
]
_SERVERS = [
    {
        "url": "https://{api}.execute-api.{region}.amazonaws.com/{stage}",
        "description": "A stage on AWS, at the URL in its output ApiUrl",
        "variables": {
            "api": {"default": "a1b2c3d4e5", "description": "Id of the REST API"},
            "region": {"default": "eu-central-1", "description": "Region of the stage"},
            "stage": {"default": "dev", "description": "Name of the stage"},
        },
    }
]
_HERE = [{"url": "/", "description": "The server of this document"}]
_WEBHOOKS = {
    "stylization": {
        "post": {
            "operationId": "receive_event",
            "tags": ["Events"],
            "security": [],
            "summary": "Receive the result of a stylization",
            "description": "Sent to the `webhook` of a stylization when it ends, signed as in Standard Webhooks "
            "(`webhook-id`, `webhook-timestamp`, `webhook-signature`) with the secret from `GET /v1/webhook-secret`. "
            "It is retried for some hours, with the same `webhook-id`, until the response is 2xx.",
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}},
            },
            "responses": {
                "2XX": {"description": "Delivered."},
                "410": {"description": "Not delivered; no more retries."},
                "default": {"description": "Not delivered, retried later; redirects are not followed."},
            },
        }
    }
}


def describe(app: FastAPI, *, needs_key: bool) -> None:
    """Replace the contract that FastAPI generates with the completed one."""
    app.openapi = lambda: _contract(app, needs_key)  # type: ignore[method-assign]


def _contract(app: FastAPI, needs_key: bool) -> dict[str, Any]:
    if not app.openapi_schema:
        contract = get_openapi(
            title=app.title,
            version=app.version,
            summary=_SUMMARY,
            description=_DESCRIPTION + (_GATEWAY if needs_key else ""),
            tags=_TAGS,
            license_info={"name": "MIT", "identifier": "MIT"},
            servers=_SERVERS if needs_key else _HERE,
            routes=app.routes,
        )
        _add_schemas(contract["components"]["schemas"])
        contract["components"]["headers"] = openapi_successes.headers()
        for path, calls in contract["paths"].items():
            for call in calls.values():
                _complete(call, needs_key=needs_key, is_keyed=needs_key and path.startswith(_WITH_KEY))
        if needs_key:
            key = {
                "type": "apiKey",
                "in": "header",
                "name": "X-Api-Key",
                "description": "Issued by the operator of the service.",
            }
            contract["components"]["securitySchemes"] = {"ApiKey": key}
        contract["webhooks"] = _WEBHOOKS
        app.openapi_schema = contract
    return app.openapi_schema


def _complete(call: dict[str, Any], *, needs_key: bool, is_keyed: bool) -> None:
    """Add every response that a call can give."""
    operation, responses = call["operationId"], call["responses"]
    responses.pop("422", None)  # FastAPI's default has another shape
    for status, response in responses.items():
        if response["description"] == "Successful Response":
            response["description"] = "Success."
        openapi_successes.complete(operation, status, response)
    access = openapi_problems.WITHOUT_KEYS
    if needs_key:
        access = openapi_problems.WITH_KEY if is_keyed else openapi_problems.PUBLIC
    responses |= openapi_problems.responses(operation, openapi_problems.kinds_of(operation, access))
    call["security"] = [{"ApiKey": []}] if is_keyed else []
    for parameter in call.get("parameters", ()):
        # An optional header or query parameter is omitted, never null: neither has a way to write null.
        parameter["schema"] = _one_value(without_null(parameter["schema"]))


def _one_value(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a repeatable header (`Prefer`) as the single string that clients send."""
    if schema.get("type") != "array":
        return schema
    return {**{name: value for name, value in schema.items() if name != "items"}, **schema["items"]}


def _add_schemas(schemas: dict[str, Any]) -> None:
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    event = Event.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    del event["$defs"]  # the contract already describes the stylization
    for name, schema in (("StylizationRequest", request_schema()), ("Event", event), ("Problem", problem)):
        schemas |= schema.pop("$defs", {})
        schemas[name] = schema
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
