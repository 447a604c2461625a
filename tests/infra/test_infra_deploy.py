"""`make deploy`: first create, repetition after a failed create, and update."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.backends import get_backend

from infra.app import make_app
from infra.deploy import deploy, main
from infra.existing_stack import Environment
from infra.preflight import NotReady
from infra.settings import StageSettings, stage_settings

from .accounts import ACCOUNT, REGION, an_account
from .conftest import STAGES

pytestmark = pytest.mark.xdist_group("infra")

NAME = "image-stylizer-mine"
KEPT = stage_settings({"mine": {"removal_policy": "retain"}}, "mine")
DISPOSABLE = stage_settings({"mine": {"removal_policy": "destroy"}}, "mine")
FIRST = ["deploy", "-c", "stage=mine", "-c", "first_create=true", "--quiet"]
UPDATE = ["deploy", "-c", "stage=mine", "--quiet"]


class Cdk:
    """Fake CDK CLI: records its calls and fails at a given argument."""

    def __init__(self, folder: Path):
        self._calls = folder / "calls"
        self._fails_at = folder / "fails-at"
        self.program = folder / "cdk"
        self.program.write_text(
            f"#!{sys.executable}\nimport json, pathlib, sys\n"
            f"with open({str(self._calls)!r}, 'a') as calls: calls.write(json.dumps(sys.argv[1:]) + '\\n')\n"
            f"at = pathlib.Path({str(self._fails_at)!r})\n"
            "sys.exit(3 if at.exists() and at.read_text() in sys.argv else 0)\n"
        )
        self.program.chmod(0o755)

    def fail_at(self, argument: str) -> None:
        self._fails_at.write_text(argument)

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self._calls.read_text().splitlines()] if self._calls.exists() else []


@pytest.fixture
def cdk(tmp_path: Path) -> Cdk:
    return Cdk(tmp_path)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """A bootstrapped account."""
    with an_account(monkeypatch) as environment:
        parameter = "/cdk-bootstrap/hnb659fds/version"
        environment.client("ssm").put_parameter(Name=parameter, Value="30", Type="String")
        yield environment


def put_stack(environment: Environment, status: str, *, protected: bool = False, indexes: int = 0) -> None:
    """Create a stack in a state that moto cannot reach by itself."""
    keys = [{"AttributeName": "a", "KeyType": "HASH"}]
    table = {"GlobalSecondaryIndexes": [{"IndexName": f"i{number}", "KeySchema": keys} for number in range(indexes)]}
    resources: dict[str, Any] = {"Topic": {"Type": "AWS::SNS::Topic"}}
    if indexes:
        # A template alone: no table is made of it.
        resources["Table"] = {"Type": "AWS::DynamoDB::GlobalTable", "Properties": table}
    environment.client("cloudformation").create_stack(
        StackName=NAME,
        TemplateBody=json.dumps({"Resources": {"Topic": resources["Topic"]}}),
        EnableTerminationProtection=protected,
    )
    (stack,) = get_backend("cloudformation")[ACCOUNT][REGION].stacks.values()
    stack.status = status
    stack.template = json.dumps({"Resources": resources})


def run(settings: StageSettings, environment: Environment, cdk: Cdk) -> int:
    return deploy(settings, environment, [str(cdk.program)], ["--quiet"])


def test_first_create_is_protected_afterwards(environment: Environment, cdk: Cdk) -> None:
    assert run(KEPT, environment, cdk) == 0
    assert cdk.calls == [FIRST, UPDATE]


def test_stage_without_protection_is_deployed_once(environment: Environment, cdk: Cdk) -> None:
    assert run(DISPOSABLE, environment, cdk) == 0
    assert cdk.calls == [UPDATE]


def test_existing_stack_is_updated_in_one_deploy(environment: Environment, cdk: Cdk) -> None:
    put_stack(environment, "UPDATE_ROLLBACK_COMPLETE", protected=True)
    assert run(KEPT, environment, cdk) == 0
    assert cdk.calls == [UPDATE]


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS"])
def test_failed_create_is_repeated(
    environment: Environment, cdk: Cdk, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    unprotected = list[str]()  # moto cannot switch the protection off
    monkeypatch.setattr("infra.deploy.unprotect", lambda _, settings: unprotected.append(settings.name))
    put_stack(environment, status, protected=True)
    assert run(KEPT, environment, cdk) == 0
    assert unprotected == [NAME]  # or the CDK could not delete it
    assert cdk.calls == [FIRST, UPDATE]


def test_failed_first_create_is_not_protected(
    environment: Environment, cdk: Cdk, capsys: pytest.CaptureFixture[str]
) -> None:
    cdk.fail_at("first_create=true")
    assert run(KEPT, environment, cdk) == 3
    assert cdk.calls == [FIRST]
    assert "run the same command again" in capsys.readouterr().err


@pytest.mark.usefixtures("environment")
def test_new_region_is_bootstrapped(cdk: Cdk) -> None:
    elsewhere = Environment(account=ACCOUNT, region="eu-west-1")
    assert run(DISPOSABLE, elsewhere, cdk) == 0
    assert cdk.calls == [["bootstrap", f"aws://{ACCOUNT}/eu-west-1"], UPDATE]


def test_outdated_bootstrap_is_upgraded(environment: Environment, cdk: Cdk) -> None:
    parameter = "/cdk-bootstrap/hnb659fds/version"
    environment.client("ssm").put_parameter(Name=parameter, Value="5", Type="String", Overwrite=True)
    assert run(DISPOSABLE, environment, cdk) == 0
    assert [call[0] for call in cdk.calls] == ["bootstrap", "deploy"]


@pytest.mark.usefixtures("environment")
def test_failed_bootstrap_ends_the_deploy(cdk: Cdk) -> None:
    cdk.fail_at("bootstrap")
    assert run(KEPT, Environment(account=ACCOUNT, region="eu-west-1"), cdk) == 3
    assert [call[0] for call in cdk.calls] == ["bootstrap"]


def test_two_index_changes_at_once_are_refused(environment: Environment, cdk: Cdk) -> None:
    put_stack(environment, "UPDATE_COMPLETE", indexes=2)
    with pytest.raises(NotReady, match="adds or removes 6 indexes"):
        run(KEPT, environment, cdk)
    assert cdk.calls == []


def test_quota_shortage_fails_before_any_change(
    monkeypatch: pytest.MonkeyPatch, cdk: Cdk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "npx").symlink_to(cdk.program)
    (tmp_path / "docker").write_text("#!/bin/sh\necho 'Platforms: linux/amd64, linux/arm64'\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TORCH_CPU_INDEX", "https://wheels.example/cpu")
    arguments = ["infra.deploy", "prod", "--cdk", str(cdk.program)]
    with an_account(monkeypatch, {"L-B99A9384": 10}):
        monkeypatch.setattr(sys, "argv", arguments)
        assert main() == 1
        assert "painter_memory is 8192" in capsys.readouterr().err
        assert cdk.calls == []
        monkeypatch.setattr(sys, "argv", [*arguments, "--skip-quotas", "--flags=--quiet"])
        assert main() == 0
    assert [call[-1] for call in cdk.calls if call[0] == "deploy"] == ["--quiet", "--quiet"]


def of_type(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each for each in template["Resources"].values() if each["Type"] == kind]


@pytest.mark.parametrize("stage", ["everything", "least"])
def test_first_create_can_be_rolled_back_completely(tmp_path: Path, stage: str) -> None:
    assembly = make_app(stage_settings(STAGES, stage), str(tmp_path), exists=False).synth()
    (stack,) = assembly.stacks
    assert not stack.termination_protection
    kept = {
        (each["Type"], name)
        for name, each in stack.template["Resources"].items()
        if each.get("DeletionPolicy") == "Retain"
    }
    # The role by which every gateway of the region writes its logs: other stacks may have come to need it by then.
    assert {kind for kind, _ in kept} == {"AWS::IAM::Role", "AWS::ApiGateway::Account"}
    for table in of_type(stack.template, "AWS::DynamoDB::GlobalTable"):
        assert not table["Properties"]["Replicas"][0].get("DeletionProtectionEnabled")
