"""State of the target account: CDK bootstrap and the existing stack of a stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.settings import StageSettings

_BOOTSTRAP_VERSION = "/cdk-bootstrap/hnb659fds/version"
_BOOTSTRAP_NEEDED: Final = 6
"""Minimum version, as in the rule CheckBootstrapVersion of each template."""
_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3})
_FAILED_CREATES: Final = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS")
"""States of a stack whose first create failed; it can only be deleted."""

Index = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Target account and region.

    Attributes:
        account: Twelve digits.
        region: Such as "eu-central-1".
    """

    account: str
    region: str

    def __str__(self) -> str:
        """Return it in the notation of the CDK CLI."""
        return f"aws://{self.account}/{self.region}"

    def client(self, service: str) -> Any:
        """Return a boto3 client for a service in this region."""
        return boto3.client(service, region_name=self.region, config=_CONFIG)  # type: ignore[call-overload]


def is_bootstrapped(environment: Environment) -> bool:
    """Return whether the account and region are bootstrapped, in a sufficient version.

    Credentials without permission to read the version count as bootstrapped: they are limited to assuming the CDK's own
    roles, which therefore exist, and `cdk deploy` checks the version itself.
    """
    try:
        found = environment.client("ssm").get_parameter(Name=_BOOTSTRAP_VERSION)["Parameter"]["Value"]
    except ClientError as error:
        return _code(error) != "ParameterNotFound"
    return int(found) >= _BOOTSTRAP_NEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingStack:
    """Stack of a stage as CloudFormation reports it.

    Attributes:
        status: Such as "UPDATE_COMPLETE"; None if there is no such stack.
        is_protected: Whether termination protection is on.
        indexes: Global secondary indexes of its table: name and keys.
    """

    status: str | None
    is_protected: bool = False
    indexes: frozenset[Index] = frozenset()

    @classmethod
    def find(cls, environment: Environment, name: str) -> Self:
        """Return the stack of a name."""
        cloudformation = environment.client("cloudformation")
        try:
            (found,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return cls(status=None)
            raise
        template = cloudformation.get_template(StackName=name)["TemplateBody"]
        return cls(
            status=found["StackStatus"],
            is_protected=bool(found.get("EnableTerminationProtection")),
            indexes=indexes_of(template if isinstance(template, dict) else {}),
        )

    @property
    def create_failed(self) -> bool:
        """Whether the first create failed; the next deploy deletes the stack and starts over."""
        return self.status in _FAILED_CREATES

    @property
    def exists(self) -> bool:
        """Whether it was ever created completely."""
        return self.status not in (None, "DELETE_COMPLETE", *_FAILED_CREATES)


def unprotect(environment: Environment, settings: StageSettings) -> None:
    """Turn termination protection of the stack off. Its resources keep their own protection."""
    environment.client("cloudformation").update_termination_protection(
        StackName=settings.name, EnableTerminationProtection=False
    )


def indexes_of(template: dict[str, Any]) -> frozenset[Index]:
    """Return the global secondary indexes of the table in a template."""
    tables = [each for each in template.get("Resources", {}).values() if each["Type"] == "AWS::DynamoDB::GlobalTable"]
    return frozenset(
        (index["IndexName"], tuple(key["AttributeName"] for key in index["KeySchema"]))
        for table in tables
        for index in table["Properties"].get("GlobalSecondaryIndexes", ())
    )


def index_steps(before: frozenset[Index], after: frozenset[Index]) -> int:
    """Return the number of index creations and removals. DynamoDB allows one per stack update.

    An index with changed keys counts twice: it has to be removed and created.
    """
    return len(before ^ after)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
