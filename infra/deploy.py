"""Puts a stage into the account that you are logged in to, or brings it up to date.

    python -m infra.deploy prod --cdk='npx --yes aws-cdk@2.1148.1' --flags='--require-approval never'

`make deploy STAGE=prod` is the same. A first create is made without protection from deletion, so that it can be rolled
back and repeated, and protected by a second deploy right after it.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence

from infra.preflight import NotReady, check_platforms, find_docker, find_environment, find_index, find_npx
from infra.quotas import UnknownQuotas, find_shortages
from infra.settings import FIRST_CREATE, ROOT, StageSettings, WrongSettings, find_settings
from infra.standing import Environment, StandingStack, index_steps, is_bootstrapped, unprotect
from infra.table import INDEXES

_AFTER_A_FAILURE = (
    "The first create failed, and CloudFormation has taken back what it had made. Mend what its events name, and "
    "run the same command again: it deletes the failed stack and starts over. docs/operations.md tells more"
)


def deploy(settings: StageSettings, environment: Environment, cdk: Sequence[str], flags: Sequence[str]) -> int:
    """Deploy a stage whose machine and quotas are in order.

    Args:
        settings: Of the stage.
        environment: Where it goes.
        cdk: The CDK's command line.
        flags: More for `cdk deploy`.

    Returns:
        The exit status of what the CDK's command line failed at, or 0.

    Raises:
        NotReady: The stack that stands cannot become this one in one step.
    """
    stack = StandingStack.find(environment, settings.name)
    _check_indexes(stack)
    if not is_bootstrapped(environment) and (status := _run([*cdk, "bootstrap", str(environment)])):
        return status
    if stack.has_failed and stack.is_protected:  # made by a version that protected it from the beginning
        unprotect(environment, settings)
    command = [*cdk, "deploy", "-c", f"stage={settings.stage}"]
    is_first = not stack.is_standing
    if is_first and settings.is_kept and (status := _run([*command, "-c", f"{FIRST_CREATE}=true", *flags])):
        _say(_AFTER_A_FAILURE)
        return status
    status = _run([*command, *flags])
    if status and is_first and not settings.is_kept:
        _say(_AFTER_A_FAILURE)
    return status


def _check_indexes(stack: StandingStack) -> None:
    if not stack.is_standing:
        return
    steps = index_steps(stack.indexes, frozenset(INDEXES.items()))
    if stack.indexes and steps > 1:
        raise NotReady(
            f"the table of the stack differs from this version by {steps} indexes to be made or removed, and DynamoDB "
            "does one in an update. Deploy the versions in between first, one after the other: `git log -p "
            "infra/table.py` names them"
        )


def _check_quotas(settings: StageSettings, environment: Environment) -> None:
    try:
        shortages = find_shortages(settings, environment)
    except UnknownQuotas as error:
        _say(f"quotas are not checked: {error}")
        return
    if shortages:
        advice = "SKIP_QUOTAS=1 deploys all the same; docs/operations.md tells how to raise them"
        raise NotReady("\n  ".join(["the account is not allowed what the stage needs:", *shortages, advice]))


def _run(command: Sequence[str]) -> int:
    _say(f"+ {shlex.join(command)}")
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> int:
    """Check the machine and the account, then deploy."""
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=main.__doc__)
    parser.add_argument("stage")
    parser.add_argument("--cdk", required=True, help="the CDK's command line")
    parser.add_argument("--skip-quotas", action="store_true", help="do not ask Service Quotas")
    parser.add_argument("--flags", default="", help="more for `cdk deploy`")
    given = parser.parse_args()
    try:
        settings = find_settings(given.stage, os.environ)
        find_npx()
        docker = find_docker()
        find_index(settings)
        check_platforms(settings, docker)
        environment = find_environment(settings)
        if not given.skip_quotas:
            _check_quotas(settings, environment)
        return deploy(settings, environment, shlex.split(given.cdk), shlex.split(given.flags))
    except (NotReady, WrongSettings) as error:
        _say(f"not ready: {error}")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
