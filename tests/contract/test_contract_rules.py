"""What generators of clients need of the contract, whichever they are; `test_generated_clients.py` runs some."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CONTRACT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs/openapi.json").read_text(encoding="utf-8"))
CALLS = {call["operationId"]: (path, call) for path, calls in CONTRACT["paths"].items() for call in calls.values()}


def is_nullable(schema: dict[str, Any]) -> bool:
    choices = [schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    return any(choice.get("type") == "null" or "null" in as_list(choice.get("type")) for choice in choices)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def parameters() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, (_, call) in CALLS.items():
        for parameter in call.get("parameters", ()):
            yield name, parameter


def test_parameters_are_not_nullable_and_of_one_value() -> None:
    for call, parameter in parameters():
        where = f"{call} {parameter['name']}"
        assert not is_nullable(parameter["schema"]), where
        assert parameter["schema"]["type"] in ("string", "integer"), where


def test_form_fields_have_one_type_each() -> None:
    """A choice of types is written as the text of an object, and a null as "None"."""
    body = CALLS["create_stylization"][1]["requestBody"]["content"]["multipart/form-data"]["schema"]
    for name, schema in body["properties"].items():
        assert isinstance(schema["type"], str), name
        assert "anyOf" not in schema, name
    files = {name for name, schema in body["properties"].items() if schema.get("format") == "binary"}
    assert files == {"content", "mask", "content_mask", *(f"styles[{index}].mask" for index in range(4))}


def test_webhook_shares_no_tag_with_a_call() -> None:
    of_calls = {tag for _, call in CALLS.values() for tag in call["tags"]}
    (webhook,) = (calls["post"] for calls in CONTRACT["webhooks"].values())
    assert webhook["tags"]
    assert not of_calls & set(webhook["tags"])
    assert {tag["name"] for tag in CONTRACT["tags"]} == of_calls | set(webhook["tags"])
    assert webhook["operationId"] not in CALLS


def test_every_operation_states_its_security() -> None:
    assert CALLS["get_health"][1]["security"] == []
    keyed = {name for name, (path, call) in CALLS.items() if call["security"] == [{"ApiKey": []}]}
    assert keyed == {name for name, (path, _) in CALLS.items() if path.startswith("/v1/")}


def test_servers_are_given_with_their_variables() -> None:
    (server,) = CONTRACT["servers"]
    assert server["url"].startswith("https://")
    assert set(server["variables"]) == {part.split("}")[0] for part in server["url"].split("{")[1:]}


@pytest.mark.parametrize("name", ["get_stylization_image", "get_stylization_preview", "get_style_image"])
def test_image_has_a_type_for_clients_that_follow(name: str) -> None:
    answers = CALLS[name][1]["responses"]
    assert "303" in answers
    for media_type, content in answers["200"]["content"].items():
        assert media_type.startswith(("image/", "video/"))
        assert content["schema"] == {"type": "string", "format": "binary"}
