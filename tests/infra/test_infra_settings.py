"""What cdk.json may say of a stage, and what is said to those who get it wrong."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from infra.settings import ROOT, InvalidSettings, StageSettings, read_context, stage_settings

CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/0f2b"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"painter_memory": 512}, "painter_memory is 512: Input should be greater than or equal to 2048"),
        ({"painter_memory": "4096"}, 'painter_memory is "4096": Input should be a valid integer'),
        ({"log_days": 8}, "log_days is 8: Input should be 1, 3, 5, 7, "),
        ({"architecture": "arm"}, "architecture is \"arm\": Input should be 'arm64' or 'x86_64'"),
        ({"colour": "red"}, "colour: there is no such setting; there are: account, alarm_email, "),
        ({"allowed_origins": ["https://a.example/"]}, 'allowed_origins.0 is "https://a.example/": '),
        ({"allowed_origins": ["*", "https://a.example"]}, '"*" stands alone in allowed_origins'),
        ({"domain_name": "art.example.com"}, "domain_name and certificate_arn go together"),
        ({"certificate_arn": CERTIFICATE}, "domain_name and certificate_arn go together"),
        (
            {"domain_name": "art.example.com", "certificate_arn": CERTIFICATE, "region": "us-east-1"},
            "the certificate is to be in us-east-1",
        ),
        ({"pip_extra_index_url": "wheels.example"}, 'pip_extra_index_url is "wheels.example": String should match'),
        ({"monthly_budget_usd": 10.0}, "monthly_budget_usd needs alarm_email"),
        ({"key_rate_limit": 60.0}, "key_rate_limit is more than rate_limit"),
        ({"key_burst_limit": 500}, "key_burst_limit is more than burst_limit"),
        ({"gpu": True, "gpu_instance_type": "ml.p3.2xlarge"}, "gpu_instance_type is ml.p3.2xlarge, whose GPUs CUDA 13"),
        ({"gpu": True, "gpu_instance_type": "ml.p2.xlarge"}, "gpu_instance_type is ml.p2.xlarge, whose GPUs CUDA 13"),
        (
            {"gpu": True, "gpu_instance_type": "ml.p10de.24xlarge", "name": "x" * 41},
            "-painter-p10de-24xlarge, and SageMaker takes 63",
        ),
        ({"gpu_max_instances": 2}, "gpu_max_instances is given, but gpu is false"),
        ({"waf_rate_limit": 100}, "waf_rate_limit is given, but waf is false"),
    ],
)
def test_invalid_setting_is_named_with_value_and_range(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        stage_settings({"mine": given}, "mine")
    assert str(caught.value).startswith("cdk.json, stages.mine:\n")
    assert told in str(caught.value)


def test_all_invalid_settings_are_reported_at_once() -> None:
    with pytest.raises(InvalidSettings) as caught:
        stage_settings({"mine": {"painter_memory": 1, "painter_timeout": 1, "gpu": "yes"}}, "mine")
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize("name", ["Prod", "1st", "a stage", "x" * 40])
def test_stage_name_unfit_for_a_url_is_refused(name: str) -> None:
    with pytest.raises(InvalidSettings, match="small letters, digits and hyphens"):
        stage_settings({name: {}}, name)


def test_torch_index_of_stage_precedes_environment() -> None:
    stages = {"mine": {}, "other": {"pip_extra_index_url": "https://other.example/cpu"}}
    for stage, index in (("mine", "https://wheels.example/cpu"), ("other", "https://other.example/cpu")):
        settings = stage_settings(stages, stage, pip_extra_index_url="https://wheels.example/cpu")
        assert settings.pip_extra_index_url == index
    assert stage_settings(stages, "mine").pip_extra_index_url is None


def test_stage_needs_only_a_name() -> None:
    settings = stage_settings({"mine": {}}, "mine")
    assert settings.name == "image-stylizer-mine"
    assert settings.retain_data


def test_dev_is_disposable_and_prod_is_protected() -> None:
    stages = read_context()["stages"]
    assert stage_settings(stages, "dev").removal_policy == "destroy"
    prod = stage_settings(stages, "prod")
    assert (prod.removal_policy, prod.waf, prod.gpu) == ("retain", True, False)


def test_every_setting_is_documented() -> None:
    described = {line.split(":")[0].strip() for line in (StageSettings.__doc__ or "").splitlines() if ": " in line}
    assert set(StageSettings.model_fields) <= described


def test_unknown_stage_fails_synth_and_lists_stages() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "infra.app"],
        cwd=ROOT,
        env={"STAGE": "production", "PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.endswith("there is no stage 'production' in cdk.json; there are: dev, prod\n")
