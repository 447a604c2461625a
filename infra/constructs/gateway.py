"""REST API: routes, API keys, throttling, gateway responses, custom domain."""

from __future__ import annotations

import json

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.api import GATEWAY_TIMEOUT
from infra.constructs.common import acknowledge, make_logs
from infra.gateway_responses import GATEWAY_RESPONSES, HEADERS, GatewayResponse
from infra.routes import ROUTES, Route
from infra.settings import StageSettings

_HEADERS = ["Content-Type", "Idempotency-Key", "Prefer", "X-Api-Key"]
_LOG_LINE = {
    "request_id": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "key_id": "$context.identity.apiKeyId",
    "address": "$context.identity.sourceIp",
    "user_agent": "$context.identity.userAgent",
    "method": "$context.httpMethod",
    "resource": "$context.resourcePath",  # the path has ids of jobs in it, and the query would have more
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "milliseconds": "$context.responseLatency",
    "function_status": "$context.integration.status",
    "function_milliseconds": "$context.integration.latency",
    "error": "$context.error.responseType",
    "firewall": "$context.wafResponseCode",
    "trace": "$context.xrayTraceId",
}


class Gateway(Construct):
    """REST API in front of the function, with a usage plan and a first API key.

    Attributes:
        rest_api: The gateway.
        key: First API key. Further callers get keys of their own in the usage plan.
        usage_plan: Rate, burst and daily quota of each key.
        access_logs: One JSON line per request.
        domain: Custom domain, or None.
    """

    def __init__(self, scope: Construct, id: str, *, settings: StageSettings, function: lambda_.IFunction):  # noqa: A002
        super().__init__(scope, id)
        self._settings = settings
        self.access_logs = make_logs(self, "AccessLogs", settings)
        self.rest_api = self._make_rest_api()
        self._keep_execution_logs()
        integration = apigateway.LambdaIntegration(function, timeout=GATEWAY_TIMEOUT, scope_permission_to_method=False)
        for route in ROUTES:
            self._add_route(route, integration)
        if settings.allowed_origins:
            for path in dict.fromkeys(route.path for route in ROUTES):
                self._add_preflight(path)
        for response in GATEWAY_RESPONSES:
            self._add_response(response)
        self.usage_plan, self.key = self._make_key()
        self.domain = self._make_domain()
        self._acknowledge()

    @property
    def url(self) -> str:
        """Base URL of the API, with a trailing slash."""
        return f"https://{self._settings.domain_name}/" if self.domain else self.rest_api.url

    @property
    def origins(self) -> list[str]:
        """Origins that serve the page."""
        stack = Stack.of(self)
        own = f"https://{self.rest_api.rest_api_id}.execute-api.{stack.region}.{stack.url_suffix}"
        return [own, f"https://{self._settings.domain_name}"] if self.domain else [own]

    def _make_rest_api(self) -> apigateway.RestApi:
        settings = self._settings
        return apigateway.RestApi(
            self,
            "RestApi",
            rest_api_name=settings.name,
            description="Pick a style, upload a photo, get it back painted",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            binary_media_types=["*/*"],  # forms and pictures are binary, regardless of the Accept header
            # All stages of an account share this role, so it is retained when a stage is destroyed.
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN,
            deploy_options=apigateway.StageOptions(
                stage_name=settings.stage,
                tracing_enabled=True,
                throttling_rate_limit=settings.rate_limit,
                throttling_burst_limit=settings.burst_limit,
                access_log_destination=apigateway.LogGroupLogDestination(self.access_logs),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(_LOG_LINE)),
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,  # would log bodies
            ),
        )

    def _keep_execution_logs(self) -> None:
        """Create the log group with retention that the gateway would otherwise create without."""
        name = f"API-Gateway-Execution-Logs_{self.rest_api.rest_api_id}/{self._settings.stage}"
        self.rest_api.deployment_stage.node.add_dependency(make_logs(self, "ExecutionLogs", self._settings, name))

    def _add_route(self, route: Route, integration: apigateway.LambdaIntegration) -> None:
        resource = self.rest_api.root.resource_for_path(route.path)
        method = resource.add_method(route.method, integration, api_key_required=not route.is_public)
        reason = (
            "A page or a description of the service, which is public."
            if route.is_public
            else "Callers are programs with an API key each, and see only their own resources."
        )
        acknowledge(method, "AwsSolutions-APIG4", reason)
        acknowledge(method, "AwsSolutions-COG4", reason)

    def _add_preflight(self, path: str) -> None:
        """Add the CORS preflight response of a path."""
        methods = [route.method for route in ROUTES if route.path == path]
        preflight = self.rest_api.root.resource_for_path(path).add_cors_preflight(
            allow_origins=self._settings.allowed_origins, allow_methods=methods, allow_headers=_HEADERS
        )
        # The template is text, which the gateway would treat as binary by binary_media_types.
        preflight.node.default_child.add_property_override("Integration.ContentHandling", "CONVERT_TO_TEXT")  # type: ignore[union-attr]

    def _add_response(self, response: GatewayResponse) -> None:
        # Any origin may read errors: they contain no caller data.
        cors = {"Access-Control-Allow-Origin": "*"} if self._settings.allowed_origins else {}
        fixed = {"Content-Type": "application/problem+json", **HEADERS, **cors, **response.headers}
        self.rest_api.add_gateway_response(
            response.kind,
            type=apigateway.ResponseType.of(response.kind),
            status_code=str(response.status),
            response_headers={
                "X-Request-Id": "context.requestId",
                **{name: f"'{value}'" for name, value in fixed.items()},
            },
            templates={"application/json": response.body()},
        )

    def _make_key(self) -> tuple[apigateway.UsagePlan, apigateway.IApiKey]:
        settings = self._settings
        plan = self.rest_api.add_usage_plan(
            "UsagePlan",
            name=settings.name,
            throttle=apigateway.ThrottleSettings(
                rate_limit=settings.key_rate_limit, burst_limit=settings.key_burst_limit
            ),
            quota=apigateway.QuotaSettings(limit=settings.key_daily_quota, period=apigateway.Period.DAY),
            api_stages=[apigateway.UsagePlanPerApiStage(api=self.rest_api, stage=self.rest_api.deployment_stage)],
        )
        key = self.rest_api.add_api_key("Key", description=f"The first key of {settings.name}")
        plan.add_api_key(key)
        return plan, key

    def _make_domain(self) -> apigateway.DomainName | None:
        settings = self._settings
        if settings.domain_name is None or settings.certificate_arn is None:
            return None
        return self.rest_api.add_domain_name(
            "Domain",
            domain_name=settings.domain_name,
            certificate=certificates.Certificate.from_certificate_arn(self, "Certificate", settings.certificate_arn),
            endpoint_type=apigateway.EndpointType.REGIONAL,
            security_policy=apigateway.SecurityPolicy.TLS_1_2,
        )

    def _acknowledge(self) -> None:
        acknowledge(
            self.rest_api,
            "AwsSolutions-APIG2",
            "The API validates each request itself, and its problems name the field and what is allowed.",
        )
        acknowledge(
            self.rest_api,
            "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]",
            "The gateway writes the logs of all APIs of the account with one role, whose policy AWS maintains.",
        )
        if not self._settings.waf:
            acknowledge(
                self.rest_api.deployment_stage,
                "AwsSolutions-APIG3",
                "This stage has no firewall (waf in cdk.json): its calls need a key, and all are throttled.",
            )
