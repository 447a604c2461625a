"""Synthesized stages: those of cdk.json, one with every feature, and one with the fewest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import pytest

from infra.app import make_app
from infra.settings import StageSettings, read_context, stage_settings

Properties = Mapping[str, Any]

EVERYTHING: Final = {
    "account": "123456789012",
    "region": "eu-central-1",
    "removal_policy": "retain",
    "architecture": "x86_64",
    "pip_extra_index_url": "https://wheels.example/cpu",
    "vgg19": True,
    "api_concurrency": 20,
    "gpu": True,
    "gpu_max_instances": 3,
    "result_days": 7,
    "upload_days": 2,
    "allowed_origins": ["https://shop.example", "https://lab.example:8443"],
    "domain_name": "art.example.com",
    "certificate_arn": "arn:aws:acm:eu-central-1:123456789012:certificate/0f2b",
    "waf": True,
    "waf_rate_limit": 500,
    "alarm_email": "owner@example.com",
    "monthly_budget_usd": 250.0,
}
STAGES: Final = {**read_context()["stages"], "everything": EVERYTHING, "least": {"removal_policy": "destroy"}}


@dataclass(frozen=True, kw_only=True)
class Synthesized:
    """Synthesized stack of a stage.

    Attributes:
        settings: Its settings.
        template: CloudFormation template.
        warnings: Warnings and errors of the CDK.
        folder: Cloud assembly.
    """

    settings: StageSettings
    template: dict[str, Any]
    warnings: list[str]
    folder: str

    def all(self, kind: str) -> dict[str, Properties]:
        """Return the properties of all resources of a type by logical id."""
        found = self.template["Resources"].items()
        return {name: each.get("Properties", {}) for name, each in found if each["Type"] == f"AWS::{kind}"}

    def one(self, kind: str, starts: str = "") -> Properties:
        """Return the properties of the only resource of a type with a logical id prefix."""
        (properties,) = (each for name, each in self.all(kind).items() if name.startswith(starts))
        return properties

    @property
    def functions(self) -> dict[str, Properties]:
        """Lambda functions by folder, without custom resource handlers of the CDK."""
        return {key.lower(): self.one("Lambda::Function", key) for key in ("Api", "Painter", "Reconciler")}


def render(value: Any) -> str:
    """Return a value as text, with references as ${Name} or ${Name.Attribute}."""
    match value:
        case {"Ref": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Join": [str(glue), list(parts)]}:
            return glue.join(map(render, parts))
        case {"Fn::Sub": str(text)}:
            return text
    return str(value)


def as_list(value: Any) -> list[Any]:
    """Return a value that IAM writes as scalar or list as a list."""
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Synthesized]:
    """Return a function that synthesizes a stage once."""

    @cache
    def make(stage: str) -> Synthesized:
        settings = stage_settings(STAGES, stage)
        assembly = make_app(settings, str(tmp_path_factory.mktemp(stage))).synth()
        (stack,) = assembly.stacks
        warnings = [str(message.entry.data) for message in stack.messages if message.level.name != "INFO"]
        return Synthesized(settings=settings, template=stack.template, warnings=warnings, folder=assembly.directory)

    return make


@pytest.fixture(params=list(STAGES))
def stack(request: pytest.FixtureRequest, synthesize: Callable[[str], Synthesized]) -> Synthesized:
    """Each stage."""
    return synthesize(request.param)


@pytest.fixture
def everything(synthesize: Callable[[str], Synthesized]) -> Synthesized:
    """Stage with every feature."""
    return synthesize("everything")


@pytest.fixture
def least(synthesize: Callable[[str], Synthesized]) -> Synthesized:
    """Stage with the fewest features."""
    return synthesize("least")
