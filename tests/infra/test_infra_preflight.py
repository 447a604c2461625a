"""What is said before a deploy when something is missing on the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from cloud.moto_server import serving_moto

from infra.settings import ROOT

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


def test_a_machine_without_node_is_told_so(tmp_path: Path) -> None:
    status, told = look("dev", PATH=str(tmp_path))
    assert status == 1
    assert told.startswith("not ready: npx is not found")


def test_a_machine_without_docker_is_told_so_only_where_images_are_built(tools: Path) -> None:
    assert "docker is not found" in try_to_deploy("dev", PATH=str(tools))[1]
    assert "docker" not in look("dev", PATH=str(tools))[1]


def test_a_docker_that_does_not_run_is_told_in_its_own_words(tools: Path) -> None:
    install(tools, "docker", "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    status, told = try_to_deploy("dev", PATH=str(tools))
    assert status == 1
    assert "docker does not work here: Cannot connect to the Docker daemon. The painter's image is built here" in told


def test_who_has_not_said_where_torch_for_the_cpu_is_hears_of_it_before_the_image_is_built(tools: Path) -> None:
    install(tools, "docker", FOUND)
    status, told = try_to_deploy("dev", PATH=str(tools))
    assert status == 1
    assert "where torch's CPU builds are is not said: make deploy STAGE=dev TORCH_CPU_INDEX=" in told


def test_somebody_who_is_not_logged_in_is_told_how(tools: Path) -> None:
    assert "no region is set" in look("dev", PATH=str(tools))[1]
    status, told = look("dev", PATH=str(tools), AWS_REGION="eu-central-1")
    assert status == 1
    assert "no credentials of AWS that work: Unable to locate credentials. Log in to the account" in told


def test_a_machine_that_is_ready_is_told_where_the_stage_goes(tools: Path) -> None:
    with serving_moto() as address:
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_ENDPOINT_URL": address}
        answer = look("dev", PATH=str(tools), AWS_REGION="eu-central-1", **keys)
    assert answer == (0, "aws://123456789012/eu-central-1\n")


def test_a_stage_that_is_not_there_is_told_first() -> None:
    assert look("nope", PATH=os.defpath) == (
        1,
        "not ready: there is no stage 'nope' in cdk.json; there are: dev, prod\n",
    )
