"""Parse a body into a `StylizationRequest`: JSON that references uploads, or a form that carries the files."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import JsonValue, ValidationError

from stylizer_api.context import is_form, is_json, unsupported
from stylizer_api.forms import MaxBytes, read_form
from stylizer_service.files import SentFile
from stylizer_service.models import STYLE_MASK_FIELDS, PaintingOptions, StylizationRequest, style_mask_field
from stylizer_service.problems import invalid

FILES = {
    "content": "The photo or clip: a file, or an upload id as text.",
    "style": "The id of a built-in style, of your own style or of an upload, or a file. Alternatively, pass `styles`.",
    "mask": "Paint only where this is white; same width and height as the photo. A file, or an upload id as text.",
    "content_mask": "Methods neighbor, feedforward and texture: white preserves the photo's structure, black may "
    "become pure style. A file, or an upload id as text.",
    **{
        name: f"The mask of entry {index} of `styles`, as a file. Same width and height as the photo."
        for name, index in STYLE_MASK_FIELDS.items()
    },
}
"""Form fields that may be a file."""


def request_schema() -> dict[str, Any]:
    """Return the JSON Schema of the body, inputs first and controls after them."""
    schema = StylizationRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    properties = sorted(schema["properties"].items(), key=lambda item: item[0] in PaintingOptions.model_fields)
    return {**schema, "properties": dict(properties)}


_PROPERTIES: dict[str, dict[str, JsonValue]] = request_schema()["properties"]


def without_null(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return a schema without its null alternative, keeping everything else."""
    choices = schema.get("anyOf")
    if not isinstance(choices, list) or {"type": "null"} not in choices:
        return schema
    (choice,) = (each for each in choices if isinstance(each, dict) and each.get("type") != "null")
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    return {**choice, **rest}


def _one_type(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return a schema with its first alternative only: generators of clients cannot express a choice in a form."""
    choices = schema.get("anyOf")
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        return schema
    return {**choices[0], **{name: value for name, value in schema.items() if name != "anyOf"}}


def _form_schema() -> JsonValue:
    """Return the schema of the form: the same fields as in JSON, some of them files, a blend encoded as JSON.

    Each field has one type, and none is nullable, since a form cannot encode null: for a union of file and text, or for
    a nullable field, client generators produce calls that fail.
    """
    own: dict[str, dict[str, JsonValue]] = {
        name: {"type": "string", "format": "binary", "description": description} for name, description in FILES.items()
    }
    del own["style"]["format"]
    own["styles"] = {
        "type": "string",
        "contentMediaType": "application/json",
        "description": "A weighted blend, or a style for each region, as JSON. Pass this or `style`.",
        "examples": ['[{"style": "woodcut", "weight": 2}, {"style": "mosaic"}]'],
    }
    properties = {name: _one_type(without_null(schema)) for name, schema in _PROPERTIES.items()} | own
    return cast(JsonValue, {"type": "object", "properties": properties})


BODY: dict[str, JsonValue] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/StylizationRequest"}},
            "multipart/form-data": {"schema": _form_schema()},
        },
    }
}
"""Request body of the contract."""


@asynccontextmanager
async def read_request(
    request: Request, *, max_bytes: MaxBytes
) -> AsyncIterator[tuple[StylizationRequest, Sequence[SentFile]]]:
    """Parse and validate the body of `POST /v1/stylizations`; give the request and the files that came with it.

    Args:
        request: The HTTP request.
        max_bytes: Maximum size of a file; see `read_form`.

    Raises:
        ProblemError: The form is rejected. Its files are not looked into here.
        RequestValidationError: A value is invalid.
    """
    if is_json(request.headers):
        yield _validated(await _json(request), strict=True), ()
    elif is_form(request.headers):
        async with read_form(request, fields=[*_PROPERTIES, *STYLE_MASK_FIELDS], max_bytes=max_bytes) as form:
            yield _from_form(form), [value for value in form.values() if isinstance(value, SentFile)]
    else:
        raise unsupported(request, "application/json", "multipart/form-data")


async def _json(request: Request) -> JsonValue:
    try:
        return cast(JsonValue, json.loads(await request.body()))
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise RequestValidationError([{"type": "json_invalid", "loc": ("body",), "ctx": {"error": reason}}]) from error


def _from_form(form: Mapping[str, str | SentFile]) -> StylizationRequest:
    for name, value in form.items():
        if isinstance(value, SentFile) and name not in FILES:
            raise invalid(name, f"{name} is a file; it must be text", "text")
    values: dict[str, Any] = {name: value for name, value in form.items() if name not in STYLE_MASK_FIELDS}
    if isinstance(styles := form.get("styles"), str):
        values["styles"] = _blend(styles)
    for name, index in STYLE_MASK_FIELDS.items():
        if name in form:
            _set_mask(values.get("styles"), index, form[name])
    return _validated(values, strict=False)


def _set_mask(styles: object, index: int, mask: str | SentFile) -> None:
    """Set the mask of an entry of the blend, which the form has in a field of its own."""
    name = style_mask_field(index)
    entry = styles[index] if isinstance(styles, list) and index < len(styles) else None
    if not isinstance(entry, dict):
        raise invalid(name, f"{name} is a mask, but styles has no entry {index}", "the mask of an entry of styles")
    if entry.get("mask") is not None:
        raise invalid(name, f"{name} was given twice: in styles too", f"{name} once")
    entry["mask"] = mask


def _blend(text: str) -> JsonValue:
    try:
        return cast(JsonValue, json.loads(text))
    except (ValueError, RecursionError) as error:
        allowed = 'JSON such as [{"style": "woodcut", "weight": 1}]'
        raise invalid("styles", f"styles is not valid JSON: {error}", allowed) from error


def _validated(values: object, *, strict: bool) -> StylizationRequest:
    """Validate values: strictly in JSON, leniently in a form, where every value is text."""
    try:
        return StylizationRequest.model_validate(values, strict=strict)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "value_error":  # a rule between fields
            field, detail, allowed = first["ctx"]["error"].args
            raise invalid(field, detail, allowed) from error
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in error.errors()]) from error
