"""Check this machine and its credentials before a deploy, and report what is missing.

    python -m infra.preflight dev

prints the target account and region in the notation of the CDK CLI. `infra.deploy` also checks the container builder
and the service quotas.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.existing_stack import Environment
from infra.settings import InvalidSettings, StageSettings, find_settings

_TIMEOUT = 20  # s
_PLATFORMS = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}
_MACHINES = {"aarch64": "arm64", "AMD64": "x86_64"}  # `platform.machine()` to Lambda's architecture
_BINFMT = Path("/proc/sys/fs/binfmt_misc")


class NotReady(Exception):
    """A prerequisite is missing; the message says what to do."""


def main() -> None:
    """Print the target environment, or exit with what is missing."""
    parser = argparse.ArgumentParser(prog="python -m infra.preflight", description=main.__doc__)
    parser.add_argument("stage")
    args = parser.parse_args()
    try:
        settings = find_settings(args.stage, os.environ)
        check_npx()
        environment = find_environment(settings)
    except (NotReady, InvalidSettings) as error:
        sys.exit(f"not ready: {error}")
    sys.stdout.write(f"{environment}\n")


def check_npx() -> None:
    """Raise NotReady unless npx is on the PATH."""
    if shutil.which("npx") is None:
        raise NotReady("npx is not found; install Node.js 22 or newer, which the CDK CLI needs")


def check_torch_index(settings: StageSettings) -> None:
    """Raise NotReady unless a package index with CPU builds of torch is configured."""
    if settings.pip_extra_index_url is None:
        advice = f"make deploy STAGE={settings.stage} TORCH_CPU_INDEX=https://…, or pip_extra_index_url in cdk.json"
        raise NotReady(f"no package index with CPU builds of torch is set: {advice}; see docs/deployment.md")


def find_docker() -> str:
    """Return the path of the container builder: Docker, or the program named by CDK_DOCKER, as in the CDK CLI.

    Raises:
        NotReady: The builder is missing or does not work.
    """
    name = os.environ.get("CDK_DOCKER") or "docker"
    advice = f"The painter's image is built on this machine: install and start Docker, and check it with `{name} info`"
    if (docker := shutil.which(name)) is None:
        raise NotReady(f"{name} is not found. {advice}, or set CDK_DOCKER to another container builder")
    try:
        done = subprocess.run([docker, "info"], capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise NotReady(f"{name} does not answer. {advice}") from None
    if done.returncode:
        reason = done.stderr.strip().splitlines()
        raise NotReady(f"{name} does not work: {reason[-1] if reason else 'no error message'}. {advice}")
    return docker


def check_platforms(settings: StageSettings, docker: str) -> None:
    """Raise NotReady unless this machine can build images for the platforms of the stage."""
    own = _PLATFORMS[settings.architecture]
    needed = {own, *(["linux/amd64"] if settings.gpu else [])}
    for name in sorted(needed - find_platforms(docker)):
        machine = name.removeprefix("linux/")
        run = f"{Path(docker).name} run --privileged --rm tonistiigi/binfmt --install {machine}"
        remedy = f"emulate it: {run}"
        if name == own:
            other = "x86_64" if machine == "arm64" else "arm64"
            remedy += f'; or set "architecture": "{other}" for the stage in cdk.json'
        raise NotReady(f"this machine cannot build images for {name}, which the stage needs: {remedy}")


def find_platforms(docker: str) -> set[str]:
    """Return the platforms for which images can be built: the native one and emulated ones."""
    machine = _MACHINES.get(platform.machine(), platform.machine())
    found = {_PLATFORMS[machine]} if machine in _PLATFORMS else set()
    command = [docker, "buildx", "inspect"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise NotReady(f"`{docker} buildx inspect` does not answer") from None
    for line in done.stdout.splitlines():
        if line.startswith("Platforms:"):
            found |= {name.strip().rstrip("*") for name in line.removeprefix("Platforms:").split(",")}
    # podman and finch have no buildx. On Linux, binfmt_misc lists the emulators; elsewhere their VM has all of them.
    if sys.platform != "linux":
        return found | set(_PLATFORMS.values()) if done.returncode else found
    emulated = {"linux/arm64": "qemu-aarch64", "linux/amd64": "qemu-x86_64"}
    return found | {name for name, handler in emulated.items() if (_BINFMT / handler).exists()}


def find_environment(settings: StageSettings) -> Environment:
    """Return the target account and region.

    Raises:
        NotReady: Credentials are missing, rejected or of another account, or no region is set.
    """
    session = boto3.Session()
    region = settings.region or os.environ.get("AWS_REGION") or session.region_name
    if region is None:
        raise NotReady("no region is set. Set AWS_REGION, one in your profile (aws configure), or `region` in cdk.json")
    config = Config(connect_timeout=5, read_timeout=_TIMEOUT, retries={"total_max_attempts": 2})
    try:
        account = session.client("sts", region_name=region, config=config).get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        advice = "Log in to the target account (aws sso login, aws configure, or AWS_PROFILE)"
        raise NotReady(f"no valid AWS credentials: {error}. {advice}") from None
    if settings.account not in (None, account):
        raise NotReady(
            f"stage {settings.stage} is for account {settings.account}, but the credentials are for account {account}"
        )
    return Environment(account=account, region=region)


if __name__ == "__main__":
    main()
