"""What holds of the functions of every stage, and of the endpoint where there is one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.app import make_app
from infra.settings import PAINTER_MARGIN, ROOT, stage_settings
from stylizer_service.adapters.aws.settings import ApiSettings, AwsSettings, PainterSettings, ReconcilerSettings

from .conftest import Properties, Synthesized, as_list, render

pytestmark = pytest.mark.xdist_group("infra")

MODELS: dict[str, type[AwsSettings]] = {
    "api": ApiSettings,
    "painter": PainterSettings,
    "reconciler": ReconcilerSettings,
}
WITHOUT_RESOURCES = {
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
"""Actions that know no resource to name."""


def role_of(stack: Synthesized, function: Properties) -> Properties:
    return stack.one("IAM::Role", function["Role"]["Fn::GetAtt"][0])


def statements(role: Properties) -> Iterator[tuple[set[str], list[str]]]:
    """The actions of each statement, and the resources as text."""
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            yield set(as_list(statement["Action"])), [render(each) for each in as_list(statement["Resource"])]


def painter_roles(stack: Synthesized) -> list[Properties]:
    roles = [role_of(stack, function) for function in stack.functions.values()]
    return [*roles, *(role for name, role in stack.all("IAM::Role").items() if name.startswith("Gpu"))]


def test_function_is_traced_and_has_log_retention(stack: Synthesized) -> None:
    # The CDK brings one more, to empty the buckets of a stage that goes.
    assert len([name for name in stack.all("Lambda::Function") if not name.startswith("Custom")]) == len(MODELS)
    for function in stack.functions.values():
        assert function["TracingConfig"] == {"Mode": "Active"}
        log_group = stack.one("Logs::LogGroup", function["LoggingConfig"]["LogGroup"]["Ref"])
        assert log_group["RetentionInDays"] == stack.settings.log_days
        assert function["Architectures"] == [stack.settings.architecture]
        assert function["MemorySize"] >= 512


def test_function_log_group_has_retention(stack: Synthesized) -> None:
    """Those that the CDK brings to empty buckets, too."""
    groups = stack.all("Logs::LogGroup")
    for function in stack.all("Lambda::Function").values():
        assert groups[function["LoggingConfig"]["LogGroup"]["Ref"]]["RetentionInDays"] == stack.settings.log_days


def test_every_log_group_has_retention(stack: Synthesized) -> None:
    groups = stack.all("Logs::LogGroup")
    assert {group.get("RetentionInDays") for group in groups.values()} == {stack.settings.log_days}
    names = [render(group.get("LogGroupName", "")) for group in groups.values()]
    # Those that AWS would make by itself otherwise, and keep for ever.
    assert any(re.fullmatch(rf"API-Gateway-Execution-Logs_\$\{{.+\}}/{stack.settings.stage}", name) for name in names)
    # One that is named goes with the stack: no stack of that name could be made otherwise.
    for group in stack.template["Resources"].values():
        if group["Type"] == "AWS::Logs::LogGroup":
            goes = "LogGroupName" in group["Properties"] or stack.settings.removal_policy == "destroy"
            assert group["DeletionPolicy"] == ("Delete" if goes else "RetainExceptOnCreate")
    if stack.settings.gpu:
        assert f"/aws/sagemaker/Endpoints/{stack.settings.endpoint_name}" in names


def test_role_names_actions_and_resources(stack: Synthesized) -> None:
    for role in painter_roles(stack):
        assert "ManagedPolicyArns" not in role
        for actions, resources in statements(role):
            assert not any("*" in action for action in actions)
            if "*" in resources:
                assert actions <= WITHOUT_RESOURCES
            else:
                # Of files, those in a folder of a bucket; of everything else, exactly one.
                assert all(re.fullmatch(r"[^*]+|\$\{Storage\w+\.Arn\}/\w+/\*", resource) for resource in resources)


def test_role_belongs_to_one_function_and_is_fixed(stack: Synthesized) -> None:
    used = [function["Role"]["Fn::GetAtt"][0] for function in stack.functions.values()]
    assert len(set(used)) == len(used)
    attached = [render(role) for policy in stack.all("IAM::Policy").values() for role in policy["Roles"]]
    assert not {f"${{{name}}}" for name in used} & set(attached)


def test_painter_has_no_access_to_uploads_or_secret(stack: Synthesized) -> None:
    for name, role in stack.all("IAM::Role").items():
        if name.startswith(("Painter", "Gpu")):
            named = json.dumps(role["Policies"])
            assert "StorageUploads" not in named
            assert "WebhookSecret" not in named


def environment(properties: Properties) -> dict[str, str]:
    return {name: render(value) for name, value in properties["Environment"]["Variables"].items()}


@pytest.mark.parametrize("name", MODELS)
def test_function_environment_matches_its_settings(
    stack: Synthesized, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = environment(stack.functions[name])
    ours = {variable for variable in given if variable.startswith("STYLIZER_")}
    model = MODELS[name]
    assert ours <= {f"STYLIZER_{field.upper()}" for field in model.model_fields}
    assert set(given) - ours == {"POWERTOOLS_METRICS_NAMESPACE"}
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    settings = model()
    assert settings.result_ttl.days == stack.settings.result_days
    if isinstance(settings, ApiSettings):
        assert settings.upload_ttl.days == stack.settings.upload_days
        assert settings.painter_memory == stack.functions["painter"]["MemorySize"]
        assert settings.painter_seconds == stack.functions["painter"]["Timeout"] - PAINTER_MARGIN
        assert settings.gpu is stack.settings.gpu
        assert list(settings.allowed_origins) == stack.settings.allowed_origins
        assert settings.queue_limit == stack.settings.queue_limit
    if not isinstance(settings, PainterSettings):
        assert settings.endpoint_name == stack.settings.endpoint_name
        assert settings.model_dump()["webhook_secret_id"].startswith("${JobsWebhookSecret")


def test_painter_margin_matches_the_service() -> None:
    assert PainterSettings.model_fields["painter_margin"].default == PAINTER_MARGIN


def test_sagemaker_environment_matches_its_settings(everything: Synthesized, monkeypatch: pytest.MonkeyPatch) -> None:
    container = everything.one("SageMaker::Model")["PrimaryContainer"]
    for variable, value in container["Environment"].items():
        monkeypatch.setenv(variable, render(value))
    assert PainterSettings().endpoint_name == everything.settings.endpoint_name


def test_handler_of_each_function_exists(stack: Synthesized) -> None:
    handlers = {function["Handler"] for function in stack.functions.values() if "Handler" in function}
    assert handlers == {"stylizer_api.lambda_handler.handler", "stylizer_reconciler.lambda_handler.handler"}
    for handler in handlers:
        module, _, function = handler.rpartition(".")
        folder = ROOT / "functions" / module.partition(".")[0].removeprefix("stylizer_")
        assert f"def {function}(" in (folder / module.replace(".", "/")).with_suffix(".py").read_text()


def images(stack: Synthesized) -> dict[str, dict[str, Any]]:
    """What Docker is asked to build, by the target."""
    assets = json.loads((Path(stack.folder) / f"{stack.settings.name}.assets.json").read_text())
    return {image["source"]["dockerBuildTarget"]: image["source"] for image in assets["dockerImages"].values()}


def test_image_context_has_what_the_dockerfile_copies(stack: Synthesized) -> None:
    found = images(stack)
    assert set(found) == {"lambda", "sagemaker"} if stack.settings.gpu else {"lambda"}
    for target, source in found.items():
        context = Path(stack.folder) / source["directory"]
        dockerfile = (context / source["dockerFile"]).read_text()
        assert re.search(rf"^FROM \S+ AS {target}$", dockerfile, re.MULTILINE)
        for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
            assert all(list(context.glob(pattern)) for pattern in copied.split())


def test_image_platform_matches_the_architecture(stack: Synthesized) -> None:
    machine = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}[stack.settings.architecture]
    for target, source in images(stack).items():
        assert source["platform"] == ("linux/amd64" if target == "sagemaker" else machine)
        arguments = dict(source["dockerBuildArgs"])
        assert arguments.pop("VGG19") == str(stack.settings.vgg19).lower()
        # torch's build for the CPU, and the index that has it, are not for the image with CUDA.
        index = stack.settings.pip_extra_index_url
        for_lambda = {"TORCH": "cpu"} | ({"PIP_EXTRA_INDEX_URL": index} if index else {})
        assert arguments == (for_lambda if target == "lambda" else {})


def test_index_address_does_not_change_the_image_hash(tmp_path: Path) -> None:
    """A mirror must not have every painter deployed again."""

    def names(place: str, **stage: Any) -> set[str]:
        settings = stage_settings({"mine": {"gpu": True, **stage}}, "mine")
        assembly = make_app(settings, str(tmp_path / place)).synth()
        (manifest,) = Path(assembly.directory).glob("*.assets.json")
        return set(json.loads(manifest.read_text())["dockerImages"])

    first = names("a", pip_extra_index_url="https://wheels.example/cpu")
    assert first == names("b", pip_extra_index_url="https://mirror.example/cpu/")
    assert not first & names("c", vgg19=True)


def test_sagemaker_image_is_a_docker_manifest(everything: Synthesized) -> None:
    assert images(everything)["sagemaker"]["dockerOutputs"] == ["type=docker"]


def test_endpoint_scales_to_zero_and_back(everything: Synthesized) -> None:
    target = everything.one("ApplicationAutoScaling::ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, everything.settings.gpu_max_instances)
    variant = everything.one("SageMaker::EndpointConfig")["ProductionVariants"][0]["VariantName"]
    assert target["ResourceId"] == f"endpoint/{everything.settings.endpoint_name}/variant/{variant}"
    policies = everything.all("ApplicationAutoScaling::ScalingPolicy")
    by_type = {policy["PolicyType"]: (name, policy) for name, policy in policies.items()}
    _, tracking = by_type["TargetTrackingScaling"]
    name, step = by_type["StepScaling"]
    metric = tracking["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"]
    assert metric["MetricName"] == "ApproximateBacklogSizePerInstance"
    assert step["StepScalingPolicyConfiguration"]["StepAdjustments"][0]["ScalingAdjustment"] == 1
    alarms = everything.all("CloudWatch::Alarm").values()
    (alarm,) = (each for each in alarms if each["AlarmActions"] == [{"Ref": name}])
    assert alarm["MetricName"] == "HasBacklogWithoutCapacity"
    for dimensions in (metric["Dimensions"], alarm["Dimensions"]):
        assert dimensions == [{"Name": "EndpointName", "Value": everything.settings.endpoint_name}]


def test_reconciler_subscribes_to_success_and_error_topics(everything: Synthesized) -> None:
    config = everything.one("SageMaker::EndpointConfig")["AsyncInferenceConfig"]
    told = config["OutputConfig"]["NotificationConfig"]
    heard = [each["TopicArn"] for each in everything.all("SNS::Subscription").values() if each["Protocol"] == "lambda"]
    assert sorted(map(render, told.values())) == sorted(map(render, heard))
    assert len(heard) == 2
    assert config["ClientConfig"] == {"MaxConcurrentInvocationsPerInstance": 1}


def test_topics_are_encrypted(stack: Synthesized) -> None:
    assert all("KmsMasterKeyId" in topic for topic in stack.all("SNS::Topic").values())


def test_stage_without_gpu_has_no_sagemaker_resources(least: Synthesized) -> None:
    assert "sagemaker" not in json.dumps({**least.template["Resources"]}).lower().replace('"sagemaker/"', "")
