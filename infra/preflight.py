"""Looks at this machine before a deploy, so that what is missing is said at once and in words.

    python -m infra.preflight dev

prints the account and region that the stage goes to, as the CDK's command line writes them. `infra.deploy` looks at
what building images takes, too, and at quotas.
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

from infra.settings import StageSettings, WrongSettings, find_settings
from infra.standing import Environment

_PATIENCE = 20  # seconds
_PLATFORMS = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}
_MACHINES = {"aarch64": "arm64", "AMD64": "x86_64"}  # as systems call them
_BINFMT = Path("/proc/sys/fs/binfmt_misc")


class NotReady(Exception):
    """Something is missing; the message says what to do."""


def main() -> None:
    """Print the environment, or say what is missing."""
    parser = argparse.ArgumentParser(prog="python -m infra.preflight", description=main.__doc__)
    parser.add_argument("stage")
    given = parser.parse_args()
    try:
        settings = find_settings(given.stage, os.environ)
        find_npx()
        environment = find_environment(settings)
    except (NotReady, WrongSettings) as error:
        sys.exit(f"not ready: {error}")
    sys.stdout.write(f"{environment}\n")


def find_npx() -> None:
    """Raise NotReady unless the CDK's command line can be run."""
    if shutil.which("npx") is None:
        raise NotReady("npx is not found. The CDK's command line needs Node.js 22 or newer, which brings it")


def find_index(settings: StageSettings) -> None:
    """Raise NotReady unless the painter's image will find torch's build for the CPU."""
    if settings.pip_extra_index_url is None:
        advice = f"make deploy STAGE={settings.stage} TORCH_CPU_INDEX=https://…, or pip_extra_index_url in cdk.json"
        raise NotReady(f"where torch's CPU builds are is not said: {advice}. docs/operations.md tells where to find it")


def find_docker() -> str:
    """The program that builds images: Docker, or what CDK_DOCKER names, as the CDK's command line does it.

    Raises:
        NotReady: It is not there, or does not work.
    """
    name = os.environ.get("CDK_DOCKER") or "docker"
    advice = f"The painter's image is built here: install Docker, start it, and see that `{name} info` works"
    if (docker := shutil.which(name)) is None:
        raise NotReady(f"{name} is not found. {advice}, or name another such program by CDK_DOCKER")
    try:
        done = subprocess.run([docker, "info"], capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise NotReady(f"{name} does not answer. {advice}") from None
    if done.returncode:
        reason = done.stderr.strip().splitlines()
        raise NotReady(f"{name} does not work here: {reason[-1] if reason else 'it does not say why'}. {advice}")
    return docker


def check_platforms(settings: StageSettings, docker: str) -> None:
    """Raise NotReady unless images for the machines of the stage can be built here."""
    own = _PLATFORMS[settings.architecture]
    needed = {own, *(["linux/amd64"] if settings.gpu else [])}
    for name in sorted(needed - find_platforms(docker)):
        machine = name.removeprefix("linux/")
        run = f"{Path(docker).name} run --privileged --rm tonistiigi/binfmt --install {machine}"
        cures = f"have it emulate one: {run}"
        if name == own:
            other = "x86_64" if machine == "arm64" else "arm64"
            cures += f'; or set "architecture": "{other}" for the stage in cdk.json, and its functions run on that'
        raise NotReady(f"this machine builds no images for {name}, which the stage needs: {cures}")


def find_platforms(docker: str) -> set[str]:
    """What images can be built for here: the machine's own platform, and those that it emulates."""
    machine = _MACHINES.get(platform.machine(), platform.machine())
    found = {_PLATFORMS[machine]} if machine in _PLATFORMS else set()
    command = [docker, "buildx", "inspect"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise NotReady(f"`{docker} buildx inspect` does not answer") from None
    for line in done.stdout.splitlines():
        if line.startswith("Platforms:"):
            found |= {name.strip().rstrip("*") for name in line.removeprefix("Platforms:").split(",")}
    # podman and finch have no buildx to ask: on Linux the kernel knows, and elsewhere their virtual machine emulates.
    if sys.platform != "linux":
        return found | set(_PLATFORMS.values()) if done.returncode else found
    emulated = {"linux/arm64": "qemu-aarch64", "linux/amd64": "qemu-x86_64"}
    return found | {name for name, handler in emulated.items() if (_BINFMT / handler).exists()}


def find_environment(settings: StageSettings) -> Environment:
    """Where the stage goes to.

    Raises:
        NotReady: There are no credentials, they are not accepted or are those of another account, or no region is set.
    """
    session = boto3.Session()
    region = settings.region or os.environ.get("AWS_REGION") or session.region_name
    if region is None:
        raise NotReady("no region is set. Set AWS_REGION, one in your profile (aws configure), or `region` in cdk.json")
    config = Config(connect_timeout=5, read_timeout=_PATIENCE, retries={"total_max_attempts": 2})
    try:
        account = session.client("sts", region_name=region, config=config).get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        advice = "Log in to the account that is to have it (aws sso login, aws configure, or AWS_PROFILE)"
        raise NotReady(f"no credentials of AWS that work: {error}. {advice}") from None
    if settings.account not in (None, account):
        raise NotReady(
            f"stage {settings.stage} goes to account {settings.account}, and the credentials are of {account}"
        )
    return Environment(account=account, region=region)


if __name__ == "__main__":
    main()
