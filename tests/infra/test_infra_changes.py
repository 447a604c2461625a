"""Every change of a stage that the guide tells of can be deployed on a stack that stands."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from infra.app import make_app
from infra.settings import StageSettings, stage_settings

from .changes import refusals, removed, replaced
from .conftest import EVERYTHING, Synthesized

pytestmark = pytest.mark.xdist_group("infra")

LEAST: dict[str, Any] = {"removal_policy": "retain"}
CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/1a2c"
SWITCHES: dict[str, dict[str, Any]] = {
    "domain": {"domain_name": "art.example.com", "certificate_arn": CERTIFICATE},
    "gpu": {"gpu": True},
    "waf": {"waf": True},
    "alarm_email": {"alarm_email": "owner@example.com"},
    "budget": {"alarm_email": "owner@example.com", "monthly_budget_usd": 50.0},
    "removal_policy": {"removal_policy": "destroy"},
    "rest": {
        "account": "123456789012",
        "region": "eu-central-1",
        "allowed_origins": ["https://shop.example"],
        "api_concurrency": 20,
        "upload_days": 3,
    },
}
"""What can be switched on and off again, on a stage that has nothing else."""
VALUES: dict[str, dict[str, Any]] = {
    "functions": {
        "architecture": "arm64",
        "pip_extra_index_url": "https://mirror.example/cpu",
        "vgg19": False,
        "api_memory": 1024,
        "api_concurrency": 30,
        "painter_memory": 8192,
        "painter_timeout": 600,
        "painter_concurrency": 50,
    },
    "gpu_instance_type": {"gpu_instance_type": "ml.g6e.2xlarge"},
    "gpu_max_instances": {"gpu_max_instances": 5},
    "domain": {"domain_name": "paint.example.com"},
    "limits": {
        "rate_limit": 200.0,
        "burst_limit": 300,
        "key_rate_limit": 20.0,
        "key_burst_limit": 50,
        "key_daily_quota": 50,
        "queue_limit": 10,
        "waf_rate_limit": 100,
        "allowed_origins": ["*"],
        "certificate_arn": CERTIFICATE,
    },
    "lifetimes": {"log_days": 90, "result_days": 14, "upload_days": 7},
    "alarm_email": {"alarm_email": "other@example.com"},
    "monthly_budget_usd": {"monthly_budget_usd": 10.0},
}
"""Other values, on a stage that has everything."""
Template = dict[str, Any]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Template]:
    """The template of a stage that is called so, with settings that are changed."""

    @cache
    def made(settings: str, stage: str) -> Template:
        whole = stage_settings({stage: eval(settings)}, stage)  # noqa: S307 - our own repr, so that it can be cached
        (stack,) = make_app(whole, str(tmp_path_factory.mktemp("synth"))).synth().stacks
        result: Template = stack.template
        return result

    return lambda settings, stage="mine": made(repr(settings), stage)


@pytest.mark.parametrize("name", SWITCHES)
def test_switch_can_be_turned_on_and_off(template: Callable[..., Template], name: str) -> None:
    off, on = template(LEAST), template({**LEAST, **SWITCHES[name]})
    assert on != off
    assert refusals(off, on) == []
    assert refusals(on, off) == []


@pytest.mark.parametrize("name", VALUES)
def test_value_can_be_changed(template: Callable[..., Template], name: str) -> None:
    assert refusals(template(EVERYTHING), template({**EVERYTHING, **VALUES[name]})) == []


def test_stage_can_be_renamed_in_place(template: Callable[..., Template]) -> None:
    named = {**EVERYTHING, "name": "image-stylizer-mine"}
    assert refusals(template(named), template(named, "yours")) == []


def test_every_setting_has_a_change() -> None:
    # `region` and `account` name another place, where there is nothing yet; `name` is another stack.
    changed = {setting for changes in (SWITCHES, VALUES) for change in changes.values() for setting in change}
    assert set(StageSettings.model_fields) - changed <= {"stage", "name", "account", "region"}


def test_other_instance_type_is_another_endpoint(template: Callable[..., Template]) -> None:
    old, new = template(EVERYTHING), template({**EVERYTHING, "gpu_instance_type": "ml.g6.xlarge"})
    kinds = {old["Resources"][name]["Type"] for name in replaced(old, new)}
    assert {"AWS::SageMaker::Endpoint", "AWS::ApplicationAutoScaling::ScalableTarget"} <= kinds


def test_stage_in_two_regions_shares_no_name(everything: Synthesized) -> None:
    """What belongs to the account, whatever the region, has no name or one with the region in it."""
    assert "BudgetName" not in everything.one("Budgets::Budget")["Budget"]
    assert everything.one("CloudWatch::Dashboard")["DashboardName"].endswith(f"-{everything.settings.region}")
    assert all("RoleName" not in role for role in everything.all("IAM::Role").values())
    assert all("BucketName" not in bucket for bucket in everything.all("S3::Bucket").values())


def test_forbidden_changes_are_detected(template: Callable[..., Template]) -> None:
    before = template(EVERYTHING)
    after = copy.deepcopy(before)
    resources = after["Resources"]

    def one(kind: str) -> tuple[str, Any]:
        return next((name, each["Properties"]) for name, each in resources.items() if each["Type"] == kind)

    config, properties = one("AWS::SageMaker::EndpointConfig")
    properties["ProductionVariants"][0]["InstanceType"] = "ml.g6.xlarge"
    table, properties = one("AWS::DynamoDB::GlobalTable")
    properties["GlobalSecondaryIndexes"] = properties["GlobalSecondaryIndexes"][2:]
    properties["KeySchema"] = [{"AttributeName": "place", "KeyType": "HASH"}]
    target, properties = one("AWS::ApplicationAutoScaling::ScalableTarget")
    properties["ServiceNamespace"] = "ecs"
    secret, _ = one("AWS::SecretsManager::Secret")
    del resources[secret]
    budget, properties = one("AWS::Budgets::Budget")
    properties["NotificationsWithSubscribers"] = []
    for each in (before, after):
        each["Resources"][budget]["Properties"]["Budget"]["BudgetName"] = "mine"

    found = "; ".join(refusals(before, after))
    assert config in replaced(before, after)
    assert "in place of [('painter', 'ml.g5.xlarge')] while it is scaled" in found
    assert f"{table} would have 2 indexes made or removed at once" in found
    assert f"{table} holds data and would be replaced" in found
    assert f"{target} would be replaced by another of the same name" in found
    assert f"{budget} would be replaced by another of the same name" in found
    assert f"{secret} holds data and would go" in found
    assert removed(before, after) == {secret}
