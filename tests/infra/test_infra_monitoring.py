"""What owners hear of: each alarm, each figure on the dashboard, and what the guide for operations says of them."""

from __future__ import annotations

import io
import json
import re
from contextlib import closing
from typing import Any

import anyio
import httpx
import pytest
from pictures import slope
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uploads import store_upload

from infra.constructs.environment import METRICS_NAMESPACE
from infra.constructs.monitoring import GUIDE, SERVICE_FAULTS
from infra.constructs.waf import COUNTED_RULES
from infra.settings import ROOT
from stylizer.capabilities import METHODS
from stylizer.options import FeaturesName, MethodName, Quality
from stylizer_api import access_log
from stylizer_painter.metrics import count, count_failed_message
from stylizer_reconciler import metrics as reconciler_metrics
from stylizer_service.adapters.aws import metrics
from stylizer_service.adapters.local import open_local
from stylizer_service.jobs.leases import claim
from stylizer_service.models import StylizationRequest
from stylizer_service.problems import KINDS, ProblemError, problem
from stylizer_service.routing import COSTS, Capacity, select_backend
from stylizer_service.settings import Settings

from .conftest import Properties, Synthesized, as_list, render

pytestmark = pytest.mark.xdist_group("infra")

Told = set[tuple[str, frozenset[str]]]
"""Metrics that were told: the name of each, and the names of its dimensions."""

OWN = "image-stylizer-everything"
LOGS_INSIGHTS = {
    "and",
    "as",
    "asc",
    "bin",
    "by",
    "count",
    "desc",
    "fields",
    "filter",
    "ispresent",
    "like",
    "or",
    "sort",
    "stats",
    "h",
}
SEARCH = re.compile(r"""SEARCH\('\{(.*?)\} MetricName="(\w+)"', '\w+', \d+\)""")


@pytest.fixture
def dashboard(everything: Synthesized) -> dict[str, Any]:
    """What the dashboard shows."""
    body: dict[str, Any] = json.loads(render(everything.one("CloudWatch::Dashboard")["DashboardBody"]))
    return body


@pytest.fixture
def guide() -> str:
    return "\n".join((ROOT / page).read_text() for page in (GUIDE, "docs/deployment.md"))


@pytest.fixture
def told(tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]) -> Told:
    """Everything that the functions tell, told once by the code that tells it."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"))
    with closing(open_local(settings)) as local:
        ports = local.service.ports
        for ending in ("succeeded", "failed"):
            content = store_upload(local.service, slope())
            fields = StylizationRequest.model_validate({"content": content, "style": content})
            job_id = local.service.create_stylization("ann", fields)[0].id
            lease = claim(ports, settings, job_id)
            assert lease is not None
            if ending == "succeeded":
                lease.succeed(b"painting", preview=b"preview", width=96, height=64)
                count(ports, job_id, "succeeded")
            else:
                lease.fail(problem("internal", "it broke"))
                count(ports, job_id, "failed")
        reconciler_metrics.count_reconciled(ports, [], ports.clock.now())
    count_failed_message()
    reconciler_metrics.count_failure("painting-failed")
    reconciler_metrics.count_dead_letter()
    reconciler_metrics.count_endpoint_failure()
    reconciler_metrics.count_webhook("delivered")
    ask_the_api()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    directives = [directive for line in lines for directive in line["_aws"]["CloudWatchMetrics"]]
    assert {directive["Namespace"] for directive in directives} == {metrics.NAMESPACE}
    return {
        (metric["Name"], frozenset(dimensions))
        for directive in directives
        for metric in directive["Metrics"]
        for dimensions in directive["Dimensions"]
    }


def ask_the_api() -> None:
    """Have the API's observer see one request, of which it has everything to tell."""

    async def accept(request: Request) -> Response:
        request.state.accepted, request.state.job_id, request.state.problem = "texture", "stz_one", "not-found"
        return Response()

    app = access_log.AccessLogMiddleware(Starlette(routes=[Route("/", accept)]))

    async def begin(scope: Any, receive: Any, send: Any) -> None:
        context = type("Context", (), {"aws_request_id": "one"})
        await app(scope | {"state": {"request_id": "one", "owner": "ann"}, "aws.context": context}, receive, send)

    async def ask() -> None:
        transport = httpx.ASGITransport(app=begin)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            assert (await client.get("/")).status_code == 200

    anyio.run(ask)


def alarms(stack: Synthesized) -> dict[str, Properties]:
    """Each alarm that is meant for a person, by its name."""
    found = stack.all("CloudWatch::Alarm").values()
    return {alarm["AlarmName"]: alarm for alarm in found if "AlarmName" in alarm}


def own_of_alarm(alarm: Properties) -> Told:
    """The metrics of an alarm that functions have to tell."""
    single = [alarm] if "MetricName" in alarm else []
    looked_at = [*single, *(part["MetricStat"]["Metric"] for part in alarm.get("Metrics", []) if "MetricStat" in part)]
    return {
        (metric["MetricName"], frozenset(dimension["Name"] for dimension in metric["Dimensions"]))
        for metric in looked_at
        if metric["Namespace"] == OWN
    }


def own_of_dashboard(dashboard: dict[str, Any]) -> Told:
    """The same of the dashboard, what it searches for included."""
    shown: Told = set()
    for widget in dashboard["widgets"]:
        for entry in widget["properties"].get("metrics", []):
            if entry[0] == OWN:
                shown.add((entry[1], frozenset(part for part in entry[2::2] if isinstance(part, str))))
            elif isinstance(entry[0], dict) and "SEARCH" in entry[0]["expression"]:
                search = SEARCH.fullmatch(entry[0]["expression"])
                assert search is not None, entry
                namespace, *dimensions = [part.strip('"') for part in search[1].split(",")]
                assert namespace == OWN
                shown.add((search[2], frozenset(dimensions)))
                assert re.findall(r"PROP\('Dim\.(\w+)'\)", entry[0]["label"])[0] in dimensions
    return shown


def sections(guide: str) -> set[str]:
    """What a link into the guide can lead to."""
    titles = re.findall(r"^#{1,6} (.+)$", re.sub(r"^ *```.*?^ *```", "", guide, flags=re.M | re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_alarm_notifies_owner_and_links_the_guide(everything: Synthesized, guide: str) -> None:
    found = alarms(everything)
    (topic,) = {render(action) for alarm in found.values() for action in alarm["AlarmActions"]}
    assert topic.strip("${}") in everything.all("SNS::Topic")
    for name, alarm in found.items():
        section = name.removeprefix(f"{OWN}-")
        assert alarm["AlarmDescription"].endswith(f" What to do: {GUIDE}#{section}")
        assert section in sections(guide)


def test_guide_lists_existing_alarms_only(everything: Synthesized, guide: str) -> None:
    chapter = guide.partition("\n## Alarms\n")[2].partition("\n## ")[0]
    named = re.findall(r"^### (.+)$", chapter, flags=re.M)
    assert sorted(f"{OWN}-{name}" for name in named) == sorted(alarms(everything))


def test_alarm_without_notification_scales_the_endpoint(everything: Synthesized) -> None:
    others = [alarm for alarm in everything.all("CloudWatch::Alarm").values() if "AlarmName" not in alarm]
    (policy,) = {render(action) for alarm in others for action in alarm["AlarmActions"]}
    assert policy.strip("${}") in everything.all("ApplicationAutoScaling::ScalingPolicy")


def test_missing_data_breaches_only_reconciler_not_running(everything: Synthesized) -> None:
    missing = {name: alarm["TreatMissingData"] for name, alarm in alarms(everything).items()}
    assert missing.pop(f"{OWN}-reconciler-not-running") == "breaching"
    assert set(missing.values()) == {"notBreaching"}


def test_alarms_and_dashboard_cover_all_emitted_metrics(
    everything: Synthesized, dashboard: dict[str, Any], told: Told
) -> None:
    assert own_of_dashboard(dashboard) == told
    for name, alarm in alarms(everything).items():
        assert own_of_alarm(alarm) <= told, name


def test_dashboard_shows_endpoint_instances(everything: Synthesized, dashboard: dict[str, Any]) -> None:
    (variant,) = everything.one("SageMaker::EndpointConfig")["ProductionVariants"]
    shown = [entry for widget in dashboard["widgets"] for entry in widget["properties"].get("metrics", [])]
    (instances,) = [entry for entry in shown if entry[0] == "/aws/sagemaker/Endpoints"]
    endpoint = everything.settings.endpoint_name
    assert instances[2:6] == ["EndpointName", endpoint, "VariantName", variant["VariantName"]]


def test_metrics_namespace_matches_the_dashboard(everything: Synthesized) -> None:
    environments = [function["Environment"]["Variables"] for function in everything.functions.values()]
    environments.append(everything.one("SageMaker::Model")["PrimaryContainer"]["Environment"])
    assert [environment[METRICS_NAMESPACE] for environment in environments] == [OWN] * 4


def test_service_faults_are_known_job_problems() -> None:
    of_jobs = ("too-slow", "not-painted", "painting-failed", "painter-died", "internal")
    assert sorted(SERVICE_FAULTS) == sorted(code for code in of_jobs if KINDS[code][0] >= 500)


def test_alarm_topic_is_encrypted_and_account_only(everything: Synthesized) -> None:
    topic = everything.one("SNS::Topic", "Monitoring")
    key = everything.one("KMS::Key", "Monitoring")
    (key_id,) = (name for name in everything.all("KMS::Key") if f"${{{name}.Arn}}" == render(topic["KmsMasterKeyId"]))
    assert everything.all("KMS::Key")[key_id]["EnableKeyRotation"] is True
    statements = everything.one("SNS::TopicPolicy", "Monitoring")["PolicyDocument"]["Statement"]
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    assert [statement["Condition"] for statement in statements if statement["Effect"] == "Deny"] == [plain]
    for allowed_by, action in ((statements, "sns:Publish"), (key["KeyPolicy"]["Statement"], "kms:GenerateDataKey*")):
        (statement,) = [each for each in allowed_by if each["Principal"] == {"Service": "cloudwatch.amazonaws.com"}]
        assert action in as_list(statement["Action"])
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": everything.settings.account}}


def test_alarm_email_is_subscribed(everything: Synthesized) -> None:
    mails = [each for each in everything.all("SNS::Subscription").values() if each["Protocol"] == "email"]
    assert [mail["Endpoint"] for mail in mails] == [everything.settings.alarm_email]


def test_firewall_blocks_floods_and_bad_input_not_photos(everything: Synthesized) -> None:
    rules = {rule["Name"]: rule for rule in everything.one("WAFv2::WebACL")["Rules"]}
    flood = rules.pop("RateOfOneAddress")
    assert flood["Action"] == {"Block": {}}
    assert flood["Statement"]["RateBasedStatement"]["Limit"] == everything.settings.waf_rate_limit
    groups = {name: rule["Statement"]["ManagedRuleGroupStatement"] for name, rule in rules.items()}
    assert set(groups) == {
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
    }
    overrides = [each for group in groups.values() for each in group.get("RuleActionOverrides", [])]
    assert {each["Name"]: each["ActionToUse"] for each in overrides} == {name: {"Count": {}} for name in COUNTED_RULES}
    assert [rule["OverrideAction"] for rule in rules.values()] == [{"None": {}}] * 3


COMMON_RULES = {
    *(f"SizeRestrictions_{part}" for part in ("QUERYSTRING", "Cookie_HEADER", "BODY", "URIPATH")),
    *(f"EC2MetaDataSSRF_{part}" for part in ("BODY", "COOKIE", "URIPATH", "QUERYARGUMENTS")),
    *(f"GenericLFI_{part}" for part in ("QUERYARGUMENTS", "URIPATH", "BODY")),
    *(f"GenericRFI_{part}" for part in ("QUERYARGUMENTS", "BODY", "URIPATH")),
    *(f"CrossSiteScripting_{part}" for part in ("COOKIE", "QUERYARGUMENTS", "BODY", "URIPATH")),
    *(f"RestrictedExtensions_{part}" for part in ("URIPATH", "QUERYARGUMENTS")),
    *("NoUserAgent_HEADER", "UserAgent_BadBots_HEADER"),
}
"""AWSManagedRulesCommonRuleSet, as the guide of AWS WAF lists it. An override of another name would do nothing."""


def test_firewall_counts_rules_that_block_legal_requests(everything: Synthesized) -> None:
    rules = {rule["Name"]: rule["Statement"] for rule in everything.one("WAFv2::WebACL")["Rules"]}
    overrides = rules["AWSManagedRulesCommonRuleSet"]["ManagedRuleGroupStatement"]["RuleActionOverrides"]
    counted = {each["Name"] for each in overrides if each["ActionToUse"] == {"Count": {}}}
    # Callers without User-Agent; and bodies, which are pictures, or JSON with a webhook at an IP address.
    assert counted == {"NoUserAgent_HEADER", *(rule for rule in COMMON_RULES if rule.endswith("_BODY"))}
    assert counted <= COMMON_RULES
    assert all(reason.endswith(".") for reason in COUNTED_RULES.values())


def test_firewall_is_associated_with_the_gateway_stage(everything: Synthesized) -> None:
    (stage,) = everything.all("ApiGateway::Stage")
    association = everything.one("WAFv2::WebACLAssociation")
    assert render(association["ResourceArn"]).endswith(f"/stages/${{{stage}}}")


def test_firewall_log_redacts_keys(everything: Synthesized) -> None:
    logging = everything.one("WAFv2::LoggingConfiguration")
    assert {"SingleHeader": {"Name": "x-api-key"}} in logging["RedactedFields"]
    (destination,) = logging["LogDestinationConfigs"]
    assert render(destination).endswith(f":log-group:aws-waf-logs-{OWN}")
    assert f"aws-waf-logs-{OWN}" in [group.get("LogGroupName") for group in everything.all("Logs::LogGroup").values()]
    acl = everything.one("WAFv2::WebACL")
    visible = [part["VisibilityConfig"] for part in (acl, *acl["Rules"])]
    assert {each["SampledRequestsEnabled"] for each in visible} == {False}


def test_least_stage_has_no_gpu_firewall_or_email(least: Synthesized) -> None:
    assert f"{least.settings.name}-gpu-unavailable" not in alarms(least)
    assert "SageMaker" not in render(least.one("CloudWatch::Dashboard")["DashboardBody"])
    assert least.all("WAFv2::WebACL") == {}
    assert [each for each in least.all("SNS::Subscription").values() if each["Protocol"] == "email"] == []


def test_links_within_the_guide_resolve(guide: str) -> None:
    links = set(re.findall(r"\]\(#([^)]+)\)", guide))
    assert links
    assert links <= sections(guide)


def test_make_targets_of_the_guide_exist(guide: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    named = set(re.findall(r"(?:^|`) *make ([a-z-]+)", guide, flags=re.M))
    assert {"synth", "diff", "deploy", "destroy"} <= named <= targets


def test_guide_lists_every_stack_output(everything: Synthesized, guide: str) -> None:
    outputs = {name for name in everything.template["Outputs"] if not name.startswith("Gateway")}  # the CDK adds one
    table = guide.partition("| output | value |")[2].partition("\n\n")[0]
    named = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    assert set(re.findall(r"`(\w+)`", " ".join(named))) == outputs
    asked = set(re.findall(r"\$\(output (\w+)\)", guide))
    assert asked
    assert asked <= outputs


def test_guide_queries_use_logged_fields(guide: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(access_log.log.registered_handler, "stream", out)
    ask_the_api()
    logged = {*json.loads(out.getvalue()), "outcome"}  # the last is the painter's
    queries = re.findall(r"^ *```\n *((?:filter|fields) .*?)```", guide, flags=re.M | re.S)
    assert len(queries) >= 5
    for query in queries:
        bare = re.sub(r'"[^"]*"|/[^/]*/', "", query)
        asked = set(re.findall(r"(?<![@\w.])[a-z_]+(?!\w)", bare)) - LOGS_INSIGHTS
        assert asked <= logged, query


def test_guide_sizes_match_routing(guide: str) -> None:
    rows = re.findall(
        r"^\| (\w+)(?: \((\w+)\))? \| ([a-z, ]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", guide, flags=re.M
    )
    written = {
        (method, features or None, quality): [int(size.replace(",", "")) for size in sizes]
        for method, features, qualities, *sizes in rows
        for quality in qualities.split(", ")
    }
    reckoned = {
        (method, features, quality): [
            *(largest(method, features, quality, memory) for memory in (3008, 8192)),
            METHODS[method].sizes[features].size,
        ]
        for (method, features), by_quality in COSTS.items()
        for quality in by_quality
    }
    assert written == reckoned


def largest(method: MethodName, features: FeaturesName | None, quality: Quality, memory: int) -> int:
    """The largest size that such a painter takes, which is what the refusal of a larger one says."""
    most = METHODS[method].sizes[features].size
    try:
        select_backend(method, most, quality, Capacity(870, memory), features=features)
    except ProblemError as error:
        return int(str(error.problem.allowed).split()[2])
    return most
