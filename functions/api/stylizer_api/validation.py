"""Turn pydantic's errors for a request into one problem that names the field and what is allowed.

The allowed values come from the contract (OpenAPI), so that errors and documentation always agree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from stylizer_service.problems import Problem, problem

_SHOWN = 80  # maximum characters of a wrong value that an error repeats

# As loosely typed as JSON; this is the only module that reads JSON Schema.
Schema = Mapping[str, Any]


def from_validation(errors: Sequence[Mapping[str, Any]], operation: Schema, openapi: Schema) -> Problem:
    """Return the problem for the first validation error.

    Args:
        errors: From pydantic; locations start with "body", "query" or "path", as FastAPI has them.
        operation: The call, as the contract describes it.
        openapi: The whole contract.
    """
    error = errors[0]
    kind, context = error["type"], error.get("ctx", {})
    if kind == "json_invalid":
        return problem("malformed-json", f"the body is not valid JSON: {context.get('error')}", allowed="JSON")
    where, *path = error["loc"]
    root = _root(where, operation)
    field = _name(path)
    if kind == "extra_forbidden":
        names = list(_walk(root, path[:-1], openapi).get("properties", {}))
        return problem("invalid-request", f"there is no {_noun(where)} {field!r}", field=field, allowed=names)
    allowed = _allowed(_walk(root, path, openapi), openapi)
    must = f"; it must be {_words(allowed)}" if allowed else f": {error['msg']}"
    is_missing = kind == "missing" or (not path and error["input"] is None)
    came = "missing" if is_missing else _shown(error["input"])
    return problem("invalid-request", f"{field or 'the body'} is {came}{must}", field=field, allowed=allowed)


def _noun(where: str) -> str:
    return "query parameter" if where == "query" else "field"


def _root(where: str, operation: Schema) -> Schema:
    """Return the schema of the body, or of all parameters of a kind as if they were one object."""
    if where == "body":
        schema: Schema = operation["requestBody"]["content"]["application/json"]["schema"]
        return schema
    parameters = [p for p in operation.get("parameters", ()) if p["in"] == where]
    return {"type": "object", "properties": {p["name"]: p["schema"] for p in parameters}}


def _walk(schema: Schema, path: Sequence[str | int], openapi: Schema) -> Schema:
    """Return the schema at a location such as ("styles", 0, "weight"); empty if there is none."""
    schema = _resolved(schema, openapi)
    for step in path:
        inner = schema.get("items") if isinstance(step, int) else schema.get("properties", {}).get(step)
        schema = _resolved(inner or {}, openapi)
    return schema


def _resolved(schema: Schema, openapi: Schema) -> Schema:
    """Return a schema with references resolved and the null alternative removed."""
    if "$ref" in schema:
        return _resolved(openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]], openapi)
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    return _resolved(choices[0], openapi) if len(choices) == 1 else schema


def _name(path: Sequence[str | int]) -> str | None:
    """Format a location for users: ("styles", 0, "weight") is "styles[0].weight"."""
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return name.removeprefix(".") or None


def _allowed(schema: Schema, openapi: Schema) -> str | list[str] | None:
    """Return what a schema allows: its choices, or a short description."""
    if "enum" in schema or "const" in schema:
        return [str(choice) for choice in schema.get("enum", [schema.get("const")])]
    if "anyOf" in schema:
        alternatives = (_allowed(choice, openapi) for choice in schema["anyOf"])
        return ", or ".join(" or ".join(each) if isinstance(each, list) else str(each) for each in alternatives)
    match schema.get("type"):
        case "integer":
            return f"a whole number{_range(schema)}"
        case "number":
            return f"a number{_range(schema)}"
        case "boolean":
            return "true or false"
        case "string":
            return _text(schema)
        case "array":
            return f"a list of {schema.get('minItems', 0)} to {schema.get('maxItems', 'any number of')} entries"
        case "object":
            return f"an object with {', '.join(_resolved(schema, openapi).get('properties', {}))}"
    return None


def _range(schema: Schema) -> str:
    if "exclusiveMinimum" in schema:
        return f" above {schema['exclusiveMinimum']:g}, at most {schema['maximum']:g}"
    # Not :g, which would write a seed's maximum as 4.29497e+09.
    return f" from {schema['minimum']} to {schema['maximum']}" if "minimum" in schema else ""


def _text(schema: Schema) -> str:
    if "upl_" in schema.get("pattern", ""):
        return "the id of an upload, as POST /v1/uploads gives it"
    if "maxLength" in schema:
        return f"text of {schema.get('minLength', 0)} to {schema['maxLength']} characters"
    return "text"


def _words(allowed: str | Sequence[str]) -> str:
    return allowed if isinstance(allowed, str) else f"one of {', '.join(allowed)}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
