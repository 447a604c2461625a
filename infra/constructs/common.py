"""What the constructs share: roles that can do what is written down and no more, logs that end, reasons given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aws_cdk import Acknowledgment, RemovalPolicy, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct, IConstruct

from infra.settings import StageSettings


def allow(*actions: str, on: Iterable[str]) -> iam.PolicyStatement:
    """A statement that allows actions on resources, which are ARNs."""
    return iam.PolicyStatement(actions=list(actions), resources=list(on))


def removal(settings: StageSettings) -> RemovalPolicy:
    """What becomes of what holds data when the stack goes."""
    return RemovalPolicy.RETAIN if settings.is_kept else RemovalPolicy.DESTROY


def make_logs(scope: Construct, id: str, settings: StageSettings, name: str | None = None) -> logs.LogGroup:  # noqa: A002
    """A log group of its own, so that logs end when the stage says, and a role can be held to them."""
    days = logs.RetentionDays[_RETENTION[settings.log_days]]
    # Encrypted by CloudWatch with keys of its own, which costs nothing; a key of the account's would.
    return logs.LogGroup(scope, id, log_group_name=name, retention=days, removal_policy=removal(settings))


def make_function_role(
    scope: Construct, log_group: logs.LogGroup, statements: Sequence[iam.PolicyStatement]
) -> iam.IRole:
    """The role of a Lambda function: it writes its own log and traces, and may do what the statements say.

    Nothing in the CDK adds to it.
    """
    own = [
        allow("logs:CreateLogStream", "logs:PutLogEvents", on=[log_group.log_group_arn]),
        allow("xray:PutTraceSegments", "xray:PutTelemetryRecords", on=["*"]),
    ]
    role = iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        inline_policies={"Calls": iam.PolicyDocument(statements=[*own, *statements])},
    )
    acknowledge(role, "AwsSolutions-IAM5[Resource::*]", "X-Ray knows no resources to name.")
    stack = Stack.of(scope)
    streams = f"<{stack.get_logical_id(log_group.node.default_child)}.Arn>"  # type: ignore[arg-type]
    acknowledge(role, f"AwsSolutions-IAM5[Resource::{streams}]", "The ARN of a log group ends in a star: its streams.")
    return role.without_policy_updates()


def acknowledge(scope: IConstruct, rule: str, reason: str) -> None:
    """Say why a finding of cdk-nag is as it should be."""
    Validations.of(scope).acknowledge(Acknowledgment(id=rule, reason=reason))


def acknowledge_folders(scope: Construct, bucket: s3.Bucket, *folders: str) -> None:
    """Say why a role names folders of a bucket, and not the files in them."""
    name = Stack.of(scope).get_logical_id(bucket.node.default_child)  # type: ignore[arg-type]
    for folder in folders:
        reason = f"Files are named as jobs and uploads come; whoever works with {folder} needs all that are there."
        acknowledge(scope, f"AwsSolutions-IAM5[Resource::<{name}.Arn>/{folder}*]", reason)


_RETENTION = {
    1: "ONE_DAY",
    3: "THREE_DAYS",
    5: "FIVE_DAYS",
    7: "ONE_WEEK",
    14: "TWO_WEEKS",
    30: "ONE_MONTH",
    60: "TWO_MONTHS",
    90: "THREE_MONTHS",
    120: "FOUR_MONTHS",
    150: "FIVE_MONTHS",
    180: "SIX_MONTHS",
    365: "ONE_YEAR",
    400: "THIRTEEN_MONTHS",
    545: "EIGHTEEN_MONTHS",
    731: "TWO_YEARS",
    1096: "THREE_YEARS",
    1827: "FIVE_YEARS",
}
