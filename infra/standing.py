"""What stands in the account already: whether it is ready for the CDK, and the stack of a stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.settings import StageSettings

_BOOTSTRAP_VERSION = "/cdk-bootstrap/hnb659fds/version"
_BOOTSTRAP_NEEDED: Final = 6
"""The version that the stack's own rule (CheckBootstrapVersion) asks for."""
_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3})
_FAILED_CREATES: Final = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS")
"""States of a stack whose first create never ended well; it can only be deleted."""

Index = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where a stage goes.

    Attributes:
        account: Twelve digits.
        region: Such as "eu-central-1".
    """

    account: str
    region: str

    def __str__(self) -> str:
        """As the CDK's command line writes it."""
        return f"aws://{self.account}/{self.region}"

    def client(self, service: str) -> Any:
        """A client of boto3 for a service in this region."""
        return boto3.client(service, region_name=self.region, config=_CONFIG)  # type: ignore[call-overload]


def is_bootstrapped(environment: Environment) -> bool:
    """Whether `cdk bootstrap` has prepared the account and region, in a version that is new enough.

    Credentials that may not read this, because only the CDK's own roles may, count as those of a prepared account:
    whoever limited them had those roles made, and `cdk deploy` checks the version by itself.
    """
    try:
        found = environment.client("ssm").get_parameter(Name=_BOOTSTRAP_VERSION)["Parameter"]["Value"]
    except ClientError as error:
        return _code(error) != "ParameterNotFound"
    return int(found) >= _BOOTSTRAP_NEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingStack:
    """The stack of a stage as CloudFormation has it.

    Attributes:
        status: Such as "UPDATE_COMPLETE"; None where there is no such stack.
        is_protected: Whether it refuses to be deleted.
        indexes: The global secondary indexes of its table, by name, with their keys.
    """

    status: str | None
    is_protected: bool = False
    indexes: frozenset[Index] = frozenset()

    @classmethod
    def find(cls, environment: Environment, name: str) -> Self:
        """Ask CloudFormation."""
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
    def has_failed(self) -> bool:
        """Whether its first create failed: the next deploy deletes it and starts over."""
        return self.status in _FAILED_CREATES

    @property
    def is_standing(self) -> bool:
        """Whether it has ever been made to the end."""
        return self.status not in (None, "DELETE_COMPLETE", *_FAILED_CREATES)


def unprotect(environment: Environment, settings: StageSettings) -> None:
    """Let the stack be deleted. Its resources keep the protection that they have themselves."""
    environment.client("cloudformation").update_termination_protection(
        StackName=settings.name, EnableTerminationProtection=False
    )


def indexes_of(template: dict[str, Any]) -> frozenset[Index]:
    """The global secondary indexes of the table in a template."""
    tables = [each for each in template.get("Resources", {}).values() if each["Type"] == "AWS::DynamoDB::GlobalTable"]
    return frozenset(
        (index["IndexName"], tuple(key["AttributeName"] for key in index["KeySchema"]))
        for table in tables
        for index in table["Properties"].get("GlobalSecondaryIndexes", ())
    )


def index_steps(before: frozenset[Index], after: frozenset[Index]) -> int:
    """How many indexes would be made or removed. DynamoDB does one of them in one update of a stack.

    An index whose keys differ counts twice: it can only be removed and made again.
    """
    return len(before ^ after)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
