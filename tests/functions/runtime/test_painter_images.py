"""The Dockerfile of the painter, as far as it can be checked without Docker: what it lays out, and what it runs."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import torch
from cloud.layouts import CHECKOUT, DOCKERFILE, Builder, Image, context_files, read_stages
from cloud.stage import Stage
from cloud.wheels import read_lock
from packaging.utils import canonicalize_name
from waiting import PATIENCE, wait_for


def run(stage: str) -> str:
    """The command that a stage runs."""
    (command,) = [rest for name, rest in read_stages()[stage][1] if name == "RUN"]
    return command


@pytest.mark.parametrize("name", ["lambda_image", "sagemaker_image"])
def test_image_holds_painter_weights_and_styles_only(name: str, request: pytest.FixtureRequest) -> None:
    image: Image = request.getfixturevalue(name)
    places = {
        "stylizer": CHECKOUT / "core/stylizer",
        "stylizer_service": CHECKOUT / "layers/service/python/stylizer_service",
        "stylizer_painter": CHECKOUT / "functions/painter/stylizer_painter",
    }
    expected = {
        Path(inside) / path.relative_to(outside)
        for inside, outside in places.items()
        for path in outside.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = {path.relative_to(image.folder) for path in image.folder.rglob("*") if path.is_file()}
    assert found == expected
    assert any(path.suffix == ".safetensors" for path in found)


def test_the_context_of_the_build_is_small() -> None:
    """Docker is sent all of it, and CDK hashes all of it to find out whether there is something new to build."""
    assert sum((CHECKOUT / path).stat().st_size for path in context_files()) < 25e6
    used = ("locks/", "core/stylizer/", "layers/service/", "functions/")
    own = {Path(".dockerignore"), DOCKERFILE.relative_to(CHECKOUT)}
    assert [path for path in context_files() if path not in own and not str(path).startswith(used)] == []


@pytest.mark.parametrize("name", ["painter", "torch-cpu", "torch-cuda", "vgg19"])
def test_dependencies_are_installed_from_the_locks(builder: Builder, name: str) -> None:
    folder = builder.build("dependencies").folder
    assert (folder / f"locks/{name}.txt").read_bytes() == (CHECKOUT / f"locks/{name}.txt").read_bytes()


@pytest.mark.parametrize(("wanted", "code"), [("false", 0), ("yes", 1)])
def test_vgg19_is_baked_in_only_where_that_is_asked_for(wanted: str, code: int, tmp_path: Path) -> None:
    command = run("vgg19").replace("/opt/weights", str(tmp_path / "weights"))
    environment = {"PATH": os.defpath, "VGG19": wanted}
    result = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == code
    assert result.stderr == ("VGG19 is 'yes'; allowed: true, false\n" if code else "")
    assert list((tmp_path / "weights").iterdir()) == []


def test_everything_starts_from_one_version_of_python() -> None:
    stages = read_stages()
    outside = {base for base, _ in stages.values() if base not in stages}
    assert len(outside) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", outside.pop())


def test_dockerfile_names_no_host_and_installs_only_locked() -> None:
    assert "://" not in DOCKERFILE.read_text()
    commands = [rest for _, lines in read_stages().values() for name, rest in lines if name == "RUN" and "pip " in rest]
    common = "--python /opt/venv/bin/python install --no-deps --only-binary :all:"
    steps = [" ".join(step.split()) for command in commands for step in re.split(r"&&|;;|\) ", command)]
    assert f"set -- {common}" in steps
    installing = [step.replace('"$@"', common) for step in steps if re.search(r'^pip ("\$@"|.* install )', step)]
    assert len(installing) == 3
    for step in installing:
        assert " install --no-deps --only-binary :all: " in step
        # pip demands hashes by itself of a file that has one, as that of torch's build for the CPU may.
        assert " --require-hashes --requirement locks/" in step or step.endswith(
            '--requirement "locks/torch-$TORCH.txt"'
        )


def test_image_distributions_are_locked_at_tested_versions(lambda_image: Image) -> None:
    locked = {name: pin[0] for lock in ("painter", "torch-cpu") for name, pin in read_lock(lock).items()}
    infos = [info.name.removesuffix(".dist-info") for info in lambda_image.at("/opt/venv").glob("*.dist-info")]
    installed = {canonicalize_name(name): version for name, _, version in (info.rpartition("-") for info in infos)}
    assert "torch" in installed
    for name, version in installed.items():
        assert locked[name].partition("+")[0] == version.partition("+")[0]


def test_the_endpoint_does_not_run_as_root(sagemaker_image: Image) -> None:
    assert sagemaker_image.user is not None
    assert sagemaker_image.user not in ("root", "0")


def test_each_image_refuses_the_torch_of_the_other() -> None:
    """Here one of the two is installed, and each of the checks is run as the build runs it."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    is_cuda = torch.version.cuda is not None
    for stage, passes in (("cpu-dependencies", not is_cuda), ("cuda-dependencies", is_cuda)):
        command = ["sh", "-c", run(stage)]
        result = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, timeout=PATIENCE)
        assert (result.returncode == 0) == passes, result.stderr
        if not passes:
            assert "--build-arg TORCH" in result.stderr
            assert "PIP_EXTRA_INDEX_URL" in result.stderr
            assert "docs/deployment.md" in result.stderr


def test_endpoint_starts_and_stops_as_sagemaker_does(
    sagemaker_image: Image, image_environment: Callable[[Image], dict[str, str]], stage: Stage, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = stage.environment | image_environment(sagemaker_image) | {"SAGEMAKER_BIND_TO_PORT": str(port)}
    with (tmp_path / "log").open("wb") as log:
        command = sagemaker_image.start("serve")
        server = subprocess.Popen(command, cwd=sagemaker_image.folder, env=environment, stdout=log, stderr=log)
    try:
        wait_for(lambda: answers(port), "an answer", process=server, log=(tmp_path / "log").read_text)
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE) == 0, (tmp_path / "log").read_text()
    finally:
        server.kill()
        server.wait(PATIENCE)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ping", timeout=PATIENCE).status_code == 200
    except httpx.TransportError:
        return False
