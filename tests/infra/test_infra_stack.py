"""The stack as a whole: cdk-nag, cfn-lint, outputs, tags and limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, cast

import pytest
from aws_cdk import Acknowledgment
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from cfnlint.api import ManualArgs, lint
from constructs import Construct, IConstruct

from infra.app import make_app
from infra.settings import stage_settings

from .conftest import STAGES, Synthesized

pytestmark = pytest.mark.xdist_group("infra")


class Recorder:
    """Fake `Validations` that records acknowledgments, so that cdk-nag reports every finding."""

    made: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, path: str):
        self._path = path

    @classmethod
    def of(cls, scope: IConstruct) -> Recorder:
        return cls(scope.node.path)

    def acknowledge(self, given: Acknowledgment) -> None:
        self.made.append((self._path, given.id))


@pytest.mark.parametrize("stage", ["everything", "least"])
def test_every_acknowledgment_matches_a_finding(stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.constructs.common.Validations", Recorder)
    monkeypatch.setattr(Recorder, "made", [])
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        make_app(stage_settings(STAGES, stage), str(tmp_path)).synth()
    report = json.loads((tmp_path / "validation-report.json").read_text())
    found = {
        (f"{construct['constructPath']}/", violation["ruleName"])
        for pack in report["pluginReports"]
        for violation in pack["violations"]
        for construct in violation["violatingConstructs"]
    }

    def is_needed(path: str, rule: str) -> bool:
        return any(place.startswith(f"{path}/") and rule == name for place, name in found)

    assert [made for made in Recorder.made if not is_needed(*made)] == []


def test_synth_has_no_warnings(stack: Synthesized) -> None:
    assert stack.warnings == []


def test_cdk_nag_finding_fails_the_synth(tmp_path: Path) -> None:
    app = make_app(stage_settings(STAGES, "least"), str(tmp_path))
    stack = cast(Construct, app.node.find_child("image-stylizer-least"))
    sqs.Queue(stack, "Forgetful")
    role = iam.Role(stack, "Careless", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    role.add_to_policy(iam.PolicyStatement(actions=["s3:*"], resources=["*"]))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    report = (tmp_path / "validation-report.json").read_text()
    assert "AwsSolutions-IAM5[Action::s3:*]" in report
    assert "Serverless-SQSRedrivePolicy" in report


def test_template_passes_cfn_lint(stack: Synthesized) -> None:
    """cfn-lint checks names, types and enumerations against the resource schemas."""
    found = lint(json.dumps(stack.template), config=ManualArgs(regions=[stack.settings.region or "eu-central-1"]))
    # Not that something waits explicitly for what it waits for anyway, which is how the CDK writes it.
    assert [str(match) for match in found if match.rule.id != "W3005"] == []


def test_stack_has_the_documented_outputs(stack: Synthesized) -> None:
    told = set(stack.template["Outputs"])
    assert {"ApiUrl", "ApiKeyId", "UploadsBucket", "ResultsBucket", "PaintQueue", "DeadLetters", "Dashboard"} <= told
    assert ("EndpointName" in told) is stack.settings.gpu
    assert ("DomainTarget" in told) is (stack.settings.domain_name is not None)


def test_resources_are_tagged_with_the_stage(stack: Synthesized) -> None:
    for bucket in stack.all("S3::Bucket").values():
        assert {"Key": "stage", "Value": stack.settings.stage} in bucket["Tags"]


def test_disabled_features_have_no_resources(everything: Synthesized, least: Synthesized) -> None:
    for kind in ("WAFv2::WebACL", "Budgets::Budget", "SageMaker::Endpoint", "ApiGateway::DomainName"):
        assert len(everything.all(kind)) == 1
        assert not least.all(kind)


def test_template_is_within_cloudformation_limits(stack: Synthesized) -> None:
    assert len(stack.template["Resources"]) < 450  # of 500
    assert len(json.dumps(stack.template)) < 900_000  # of a million bytes
