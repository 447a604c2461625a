"""What is said before a deploy when something is missing on the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cloud.moto_server import serving_moto

from infra.preflight import NotReady, check_platforms
from infra.settings import ROOT, stage_settings

FOUND = "#!/bin/sh\nexit 0\n"


def look(*arguments: str, module: str = "infra.preflight", **environment: str) -> tuple[int, str]:
    """Run it; gives the status and what it says."""
    given: Mapping[str, str] = {"HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true", **environment}
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def try_to_deploy(stage: str, **environment: str) -> tuple[int, str]:
    return look(stage, "--cdk", "npx aws-cdk", module="infra.deploy", **environment)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder of programs, with npx in it."""
    install(tmp_path, "npx", FOUND)
    return tmp_path


def install(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def test_missing_node_is_reported(tmp_path: Path) -> None:
    status, told = look("dev", PATH=str(tmp_path))
    assert status == 1
    assert told.startswith("not ready: npx is not found")


def test_missing_docker_fails_deploy_but_not_diff(tools: Path) -> None:
    assert "docker is not found" in try_to_deploy("dev", PATH=str(tools))[1]
    assert "docker" not in look("dev", PATH=str(tools))[1]


def test_broken_docker_is_reported_with_its_message(tools: Path) -> None:
    install(tools, "docker", "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    status, told = try_to_deploy("dev", PATH=str(tools))
    assert status == 1
    assert "docker does not work: Cannot connect to the Docker daemon. The painter's image is built" in told


def test_missing_torch_index_fails_before_the_build(tools: Path) -> None:
    install(tools, "docker", FOUND)
    status, told = try_to_deploy("dev", PATH=str(tools))
    assert status == 1
    assert "no package index with CPU builds of torch is set: make deploy STAGE=dev TORCH_CPU_INDEX=" in told


def test_missing_credentials_are_reported(tools: Path) -> None:
    assert "no region is set" in look("dev", PATH=str(tools))[1]
    status, told = look("dev", PATH=str(tools), AWS_REGION="eu-central-1")
    assert status == 1
    assert "no valid AWS credentials: Unable to locate credentials. Log in to the target account" in told


def test_ready_machine_prints_account_and_region(tools: Path) -> None:
    with serving_moto() as address:
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_ENDPOINT_URL": address}
        answer = look("dev", PATH=str(tools), AWS_REGION="eu-central-1", **keys)
    assert answer == (0, "aws://123456789012/eu-central-1\n")


def test_unknown_stage_is_reported_first() -> None:
    assert look("nope", PATH=os.defpath) == (
        1,
        "not ready: there is no stage 'nope' in cdk.json; there are: dev, prod\n",
    )


@pytest.mark.parametrize(
    ("machine", "told", "stage", "emulated", "ready"),
    [
        ("x86_64", "linux/amd64, linux/386", {}, (), False),
        ("x86_64", "linux/amd64*, linux/arm64", {}, (), True),
        ("x86_64", None, {}, ("qemu-aarch64",), True),
        ("x86_64", None, {}, (), False),
        ("x86_64", None, {"architecture": "x86_64"}, (), True),
        ("aarch64", None, {}, (), True),
        ("aarch64", None, {"gpu": True}, (), False),
    ],
)
def test_image_of_another_platform_needs_emulation(
    tools: Path,
    monkeypatch: pytest.MonkeyPatch,
    machine: str,
    told: str | None,
    stage: dict[str, Any],
    emulated: tuple[str, ...],
    ready: bool,
) -> None:
    install(tools, "docker", f"#!/bin/sh\necho 'Platforms: {told}'\n" if told else "#!/bin/sh\nexit 1\n")
    for handler in emulated:
        (tools / handler).touch()
    monkeypatch.setattr("infra.preflight.platform.machine", lambda: machine)
    monkeypatch.setattr("infra.preflight._BINFMT", tools)
    monkeypatch.setattr("infra.preflight.sys.platform", "linux")
    settings = stage_settings({"mine": stage}, "mine")
    if ready:
        check_platforms(settings, str(tools / "docker"))
        return
    with pytest.raises(NotReady) as caught:
        check_platforms(settings, str(tools / "docker"))
    missing, other = ("amd64", None) if settings.gpu else ("arm64", "x86_64")
    assert f"cannot build images for linux/{missing}" in str(caught.value)
    assert f"docker run --privileged --rm tonistiigi/binfmt --install {missing}" in str(caught.value)
    assert (f'"architecture": "{other}"' in str(caught.value)) is (other is not None)


def test_program_named_by_cdk_docker_builds_the_images(tools: Path) -> None:
    assert "podman is not found" in try_to_deploy("dev", PATH=str(tools), CDK_DOCKER="podman")[1]
    install(tools, "podman", "#!/bin/sh\necho 'no machine is running' >&2\nexit 1\n")
    told = try_to_deploy("dev", PATH=str(tools), CDK_DOCKER="podman")[1]
    assert "podman does not work: no machine is running" in told
