"""Deploy a stage to the current AWS account.

    python -m infra.deploy prod --cdk='npx --yes aws-cdk@2.1148.1' --flags='--require-approval never'

`make deploy STAGE=prod` is the same. The first create is without deletion protection, so that it can be rolled back and
repeated; a second deploy right after it adds the protection.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence

from infra.existing_stack import Environment, ExistingStack, index_steps, is_bootstrapped, unprotect
from infra.preflight import NotReady, check_npx, check_platforms, check_torch_index, find_docker, find_environment
from infra.quotas import UnknownQuotas, find_shortages
from infra.settings import FIRST_CREATE, ROOT, InvalidSettings, StageSettings, find_settings
from infra.table import INDEXES

_CREATE_FAILED = (
    "The first create failed, and CloudFormation rolled it back. Fix the error in its events and run the same command "
    "again, which deletes the failed stack and starts over; see docs/deployment.md"
)


def deploy(settings: StageSettings, environment: Environment, cdk: Sequence[str], flags: Sequence[str]) -> int:
    """Deploy a stage after preflight and quota checks have passed.

    Args:
        settings: Settings of the stage.
        environment: Target account and region.
        cdk: Command line of the CDK CLI.
        flags: Additional arguments of `cdk deploy`.

    Returns:
        Exit status of the first failing CDK command, or 0.

    Raises:
        NotReady: The existing stack cannot be updated to this version in one deploy.
    """
    stack = ExistingStack.find(environment, settings.name)
    _check_indexes(stack)
    if not is_bootstrapped(environment) and (status := _run([*cdk, "bootstrap", str(environment)])):
        return status
    if stack.create_failed and stack.is_protected:  # created by a version that protected it from the start
        unprotect(environment, settings)
    command = [*cdk, "deploy", "-c", f"stage={settings.stage}"]
    is_first = not stack.exists
    if is_first and settings.retain_data and (status := _run([*command, "-c", f"{FIRST_CREATE}=true", *flags])):
        _say(_CREATE_FAILED)
        return status
    status = _run([*command, *flags])
    if status and is_first and not settings.retain_data:
        _say(_CREATE_FAILED)
    return status


def _check_indexes(stack: ExistingStack) -> None:
    if not stack.exists:
        return
    steps = index_steps(stack.indexes, frozenset(INDEXES.items()))
    if stack.indexes and steps > 1:
        raise NotReady(
            f"this version adds or removes {steps} indexes of the table; DynamoDB allows one per update. Deploy the "
            "versions in between first, one after the other; `git log -p infra/table.py` lists them"
        )


def _check_quotas(settings: StageSettings, environment: Environment) -> None:
    try:
        shortages = find_shortages(settings, environment)
    except UnknownQuotas as error:
        _say(f"quotas were not checked: {error}")
        return
    if shortages:
        advice = "SKIP_QUOTAS=1 deploys anyway; docs/deployment.md explains how to raise them"
        raise NotReady("\n  ".join(["service quotas of the account are too low for the stage:", *shortages, advice]))


def _run(command: Sequence[str]) -> int:
    _say(f"+ {shlex.join(command)}")
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> int:
    """Check the machine and the account, then deploy."""
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=main.__doc__)
    parser.add_argument("stage")
    parser.add_argument("--cdk", required=True, help="command of the CDK CLI")
    parser.add_argument("--skip-quotas", action="store_true", help="do not check service quotas")
    parser.add_argument("--flags", default="", help="additional arguments of `cdk deploy`")
    args = parser.parse_args()
    try:
        settings = find_settings(args.stage, os.environ)
        check_npx()
        docker = find_docker()
        check_torch_index(settings)
        check_platforms(settings, docker)
        environment = find_environment(settings)
        if not args.skip_quotas:
            _check_quotas(settings, environment)
        return deploy(settings, environment, shlex.split(args.cdk), shlex.split(args.flags))
    except (NotReady, InvalidSettings) as error:
        _say(f"not ready: {error}")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
