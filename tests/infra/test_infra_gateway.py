"""What holds of the way in: the calls, who may make them, and what the gateway says by itself."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aws_cdk.aws_apigateway import ResponseType

from infra.gateway_responses import GATEWAY_RESPONSES
from infra.routes import ROUTES
from stylizer_api.app import create_app
from stylizer_service.adapters.aws.settings import ApiSettings
from stylizer_service.adapters.local import open_local
from stylizer_service.problems import KINDS, Problem
from stylizer_service.settings import Settings

from .conftest import Properties, Synthesized, render

pytestmark = pytest.mark.xdist_group("infra")

PAGES = {("GET", "/"), ("GET", "/docs"), ("GET", "/favicon.ico"), ("GET", "/openapi.json"), ("GET", "/page/{file+}")}
"""What is not in the contract, being for browsers, or is the contract."""
OWN = {"throttled", "quota-exceeded", "no-answer", "malformed-request"}
"""Problems that only the gateway has."""


def calls(stack: Synthesized) -> dict[tuple[str, str], Properties]:
    """Every method of the gateway by its verb and path."""
    resources = stack.all("ApiGateway::Resource")

    def path(reference: Any) -> str:
        name = reference.get("Ref")
        return f"{path(resources[name]['ParentId'])}/{resources[name]['PathPart']}" if name in resources else ""

    methods = stack.all("ApiGateway::Method").values()
    return {(method["HttpMethod"], path(method["ResourceId"]) or "/"): method for method in methods}


def test_routes_match_contract_and_pages(stack: Synthesized, tmp_path: Path) -> None:
    with closing(open_local(Settings(data_dir=tmp_path))) as local:
        contract = create_app(local.service, identify=str).openapi()["paths"]
    described = {(method.upper(), path) for path, operations in contract.items() for method in operations}
    passed = {call for call in calls(stack) if call[0] != "OPTIONS"}
    assert passed == described | PAGES
    assert len(ROUTES) == len(passed)


def test_only_get_and_post_reach_the_function(stack: Synthesized) -> None:
    for (verb, _), method in calls(stack).items():
        if verb in ("GET", "POST"):
            assert method["Integration"]["Type"] == "AWS_PROXY"
            assert render(method["Integration"]["Uri"]).endswith("/invocations")
        else:
            assert (verb, method["Integration"]["Type"]) == ("OPTIONS", "MOCK")


def test_api_routes_need_a_key_and_pages_do_not(stack: Synthesized) -> None:
    for (verb, path), method in calls(stack).items():
        if verb != "OPTIONS":
            assert method["ApiKeyRequired"] is path.startswith("/v1/")


def test_preflight_exists_where_origins_are_allowed(stack: Synthesized) -> None:
    asked = {path: method for (verb, path), method in calls(stack).items() if verb == "OPTIONS"}
    if not stack.settings.allowed_origins:
        assert not asked
        return
    assert set(asked) == {route.path for route in ROUTES}
    for path, method in asked.items():
        integration = method["Integration"]
        assert integration["ContentHandling"] == "CONVERT_TO_TEXT"  # or it fails, as all media types are binary
        (answer,) = integration["IntegrationResponses"]
        headers = {name.rpartition(".")[2]: value for name, value in answer["ResponseParameters"].items()}
        assert headers["Access-Control-Allow-Origin"] == f"'{stack.settings.allowed_origins[0]}'"
        assert {"X-Api-Key", "Content-Type", "Prefer"} <= set(
            headers["Access-Control-Allow-Headers"].strip("'").split(",")
        )
        verbs = {route.method for route in ROUTES if route.path == path}
        assert set(headers["Access-Control-Allow-Methods"].strip("'").split(",")) == verbs
        assert all(origin in str(answer["ResponseTemplates"]) for origin in stack.settings.allowed_origins[1:])


def test_gateway_response_types_exist() -> None:
    names = [name for name in dir(ResponseType) if name.isupper()]
    known = {getattr(ResponseType, name).response_type for name in names}
    assert {response.kind for response in GATEWAY_RESPONSES} <= known


def test_gateway_response_is_a_known_problem(stack: Synthesized) -> None:
    responses = stack.all("ApiGateway::GatewayResponse").values()
    assert {response["ResponseType"] for response in responses} == {each.kind for each in GATEWAY_RESPONSES}
    assert {"DEFAULT_4XX", "DEFAULT_5XX"} <= {response["ResponseType"] for response in responses}
    for response in responses:
        told = json.loads(response["ResponseTemplates"]["application/json"])
        problem = Problem.model_validate(told)
        assert set(told) == set(Problem.model_fields)
        assert str(problem.status) == response["StatusCode"]
        assert problem.request_id == "$context.requestId"
        if problem.code not in OWN:
            assert KINDS[problem.code] == (problem.status, problem.title)
        headers = {name.rpartition(".")[2]: value for name, value in response["ResponseParameters"].items()}
        assert headers["Content-Type"] == "'application/problem+json'"
        assert ("Access-Control-Allow-Origin" in headers) is bool(stack.settings.allowed_origins)


def test_retryable_gateway_responses_have_retry_after() -> None:
    told = {each.kind for each in GATEWAY_RESPONSES if "Retry-After" in each.headers}
    assert told == {each.kind for each in GATEWAY_RESPONSES if each.status in (429, 503, 504)}


def test_too_large_request_names_uploads_and_form_limit() -> None:
    (response,) = (each for each in GATEWAY_RESPONSES if each.kind == "REQUEST_TOO_LARGE")
    assert "POST /v1/uploads" in response.detail
    assert response.allowed == f"{ApiSettings.model_fields['form_bytes'].default} bytes"


def test_stage_is_throttled_traced_and_logs_json(stack: Synthesized) -> None:
    stage = stack.one("ApiGateway::Stage")
    (settings,) = stage["MethodSettings"]
    assert (settings["HttpMethod"], settings["ResourcePath"]) == ("*", "/*")
    assert settings["ThrottlingRateLimit"] == stack.settings.rate_limit
    assert settings["ThrottlingBurstLimit"] == stack.settings.burst_limit
    assert settings["DataTraceEnabled"] is False
    assert stage["TracingEnabled"] is True
    line = json.loads(stage["AccessLogSetting"]["Format"])
    assert {"request_id", "key_id", "status", "error"} <= set(line)
    assert not any("header" in str(value).lower() or "querystring" in str(value).lower() for value in line.values())


def test_usage_plan_has_rate_and_quota_per_key(stack: Synthesized) -> None:
    plan = stack.one("ApiGateway::UsagePlan")
    assert plan["Throttle"] == {
        "RateLimit": stack.settings.key_rate_limit,
        "BurstLimit": stack.settings.key_burst_limit,
    }
    assert plan["Quota"] == {"Limit": stack.settings.key_daily_quota, "Period": "DAY"}
    assert stack.one("ApiGateway::UsagePlanKey")["UsagePlanId"]["Ref"] in stack.all("ApiGateway::UsagePlan")


def test_binary_bodies_pass_unchanged(stack: Synthesized) -> None:
    assert stack.one("ApiGateway::RestApi")["BinaryMediaTypes"] == ["*/*"]


def test_only_the_stage_gateway_may_invoke_the_function(stack: Synthesized) -> None:
    (permission,) = (
        each for each in stack.all("Lambda::Permission").values() if each["Principal"] == "apigateway.amazonaws.com"
    )
    assert "${GatewayRestApi" in render(permission["SourceArn"])


def test_custom_domain_is_mapped(everything: Synthesized, least: Synthesized) -> None:
    domain = everything.one("ApiGateway::DomainName")
    assert domain["DomainName"] == everything.settings.domain_name
    assert domain["RegionalCertificateArn"] == everything.settings.certificate_arn
    assert domain["SecurityPolicy"] == "TLS_1_2"
    assert everything.template["Outputs"]["ApiUrl"]["Value"] == "https://art.example.com/"
    assert not least.all("ApiGateway::DomainName")


def test_gateway_logging_role_is_retained(stack: Synthesized) -> None:
    resources = stack.template["Resources"].values()
    account = next(each for each in resources if each["Type"] == "AWS::ApiGateway::Account")
    role = stack.template["Resources"][account["Properties"]["CloudWatchRoleArn"]["Fn::GetAtt"][0]]
    assert (account["DeletionPolicy"], role["DeletionPolicy"]) == ("Retain", "Retain")
