"""Anything that the contract allows, and much that it does not: no crash, and no answer that it does not describe."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from stylizer_server.app_factory import create_local_app
from stylizer_service.adapters.local import open_local
from stylizer_service.settings import Settings

CONTRACT = json.loads((Path(__file__).parents[3] / "docs/openapi.json").read_text(encoding="utf-8"))
CALLS = [(path, method, call) for path, calls in CONTRACT["paths"].items() for method, call in calls.items()]
ALLOWED = [(path, method, GenerationMode.POSITIVE) for path, method, _ in CALLS]
# An id is any text: only bodies and queries can be wrong.
WRONG = [
    (path, method, GenerationMode.NEGATIVE)
    for path, method, call in CALLS
    if "requestBody" in call or any(parameter["in"] == "query" for parameter in call.get("parameters", ()))
]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 12


@pytest.fixture(scope="module")
def schema(
    settings_in: Callable[[Path], Settings],
    serve: Callable[[FastAPI], AbstractContextManager[httpx.Client]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """Of one server for all calls."""
    with (
        closing(open_local(settings_in(tmp_path_factory.mktemp("contract")))) as local,
        serve(create_local_app(local)) as client,
    ):
        yield schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")


@pytest.mark.parametrize(("path", "method", "mode"), ALLOWED + WRONG, ids=lambda value: getattr(value, "value", value))
def test_every_call_keeps_to_the_contract_whatever_comes(
    schema: Any, path: str, method: str, mode: GenerationMode
) -> None:
    operation = schema[path][method]

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def keeps(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS, allow_redirects=False)

    keeps()
