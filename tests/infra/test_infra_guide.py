"""Every `aws` command of the operator guides exists with its options, by the service models of botocore."""

from __future__ import annotations

import re
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = "\n".join((DOCS / name).read_text() for name in ("deployment.md", "operations.md"))
GLOBAL_OPTIONS = {"output", "query"}
RENAMED_OPTIONS = {("sns", "subscribe", "notification-endpoint"): "endpoint"}
"""Options that the AWS CLI gives another name than the API, since it has a global --endpoint-url."""
CUSTOM_COMMANDS = {("s3", "rm"): {"recursive"}, ("configure", "sso"): set[str]()}
"""Commands of the AWS CLI that are no API operations, with their options."""


def commands() -> list[tuple[str, str, frozenset[str]]]:
    """Return service, operation and options of each command, in code blocks and inline code."""
    code = re.findall(r"^ *```(?:sh)?\n(.*?)```", GUIDE, flags=re.M | re.S)
    without_blocks = re.sub(r"^ *```.*?```", "", GUIDE, flags=re.M | re.S)
    code += [" ".join(text.split()) for text in re.findall(r"`(aws\s[^`]+)`", without_blocks)]
    lines = "\n".join(code).replace("\\\n", " ").splitlines()
    found = set()
    for line in lines:
        for part in re.split(r"(?=\baws [a-z])", line)[1:]:
            words = re.match(r"aws ([a-z0-9-]+)(?: ([a-z0-9-]+))?(?: ([a-z0-9-]+))?", part)
            assert words
            service, operation = words[1], words[2] or ""
            if operation == "wait":
                operation = f"wait {words[3]}"
            found.add((service, operation, frozenset(re.findall(r"(?<= )--([a-z-]+)", part))))
    return sorted((each for each in found if each[1]), key=str)


@pytest.mark.parametrize("command", commands(), ids=lambda command: "-".join(command[:2]).replace(" ", "-"))
def test_aws_command_of_the_guide_exists(command: tuple[str, str, frozenset[str]]) -> None:
    service, operation, given = command
    options = {RENAMED_OPTIONS.get((service, operation, option), option) for option in given}
    if (service, operation) in CUSTOM_COMMANDS:
        assert options <= CUSTOM_COMMANDS[service, operation]
        return
    session = botocore.session.Session()
    if operation.startswith("wait "):
        waiters = session.get_waiter_model(service)
        names = {xform_name(name, "-"): name for name in waiters.waiter_names}
        api_name = waiters.get_waiter(names[operation.removeprefix("wait ")]).operation
    else:
        names = {xform_name(name, "-"): name for name in session.get_service_model(service).operation_names}
        assert operation in names
        api_name = names[operation]
    shape = session.get_service_model(service).operation_model(api_name).input_shape
    assert shape is not None or not options - GLOBAL_OPTIONS
    members = shape.members if shape else {}
    allowed = {xform_name(name, "-") for name in members}
    booleans = {f"no-{xform_name(name, '-')}" for name, member in members.items() if member.type_name == "boolean"}
    assert options <= allowed | booleans | GLOBAL_OPTIONS


def test_guide_commands_are_found() -> None:
    assert len(commands()) >= 20
