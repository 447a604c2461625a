"""Helpers shared by the constructs: least-privilege roles, log groups, cdk-nag acknowledgments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aws_cdk import Acknowledgment, RemovalPolicy, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

from infra.settings import StageSettings


def allow(*actions: str, on: Iterable[str]) -> iam.PolicyStatement:
    """Return a statement that allows actions on resources, given by ARN."""
    return iam.PolicyStatement(actions=list(actions), resources=list(on))


def architecture(settings: StageSettings) -> lambda_.Architecture:
    """Return the architecture of all functions."""
    return lambda_.Architecture.ARM_64 if settings.architecture == "arm64" else lambda_.Architecture.X86_64


def removal(settings: StageSettings) -> RemovalPolicy:
    """Return the removal policy of a resource that holds data.

    With "retain", a resource from a failed first create is deleted all the same: it is empty and would be orphaned.
    """
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if settings.retain_data else RemovalPolicy.DESTROY


def retention(settings: StageSettings) -> logs.RetentionDays:
    """Return the log retention."""
    return logs.RetentionDays[_RETENTION[settings.log_days]]


def make_logs(scope: Construct, id: str, settings: StageSettings, name: str | None = None) -> logs.LogGroup:  # noqa: A002
    """Return a log group with the retention of the stage, to which a role can be limited.

    A group with a fixed name is destroyed with the stack: retained, it would block creating the stack again.
    """
    return logs.LogGroup(
        scope,
        id,
        # Encrypted with a key of CloudWatch, free of charge; a customer-managed key would cost.
        log_group_name=name,
        retention=retention(settings),
        removal_policy=removal(settings) if name is None else RemovalPolicy.DESTROY,
    )


def make_function_role(
    scope: Construct,
    log_group: logs.LogGroup,
    statements: Sequence[iam.PolicyStatement],
    folders: Iterable[tuple[s3.Bucket, str]],
) -> iam.IRole:
    """Return the role of a Lambda function: its own log, traces, and the given statements.

    Args:
        scope: Construct of the function.
        log_group: Log group of the function.
        statements: Further permissions.
        folders: Buckets and key prefixes that the statements cover.

    Returns:
        The role; the CDK cannot add policies to it.
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
    acknowledge(role, "Serverless-LambdaStarPermissions", "The stars are those of X-Ray and of files in folders.")
    acknowledge_folders(role, folders)
    return role.without_policy_updates()


def acknowledge(scope: IConstruct, rule: str, reason: str) -> None:
    """Acknowledge a cdk-nag finding with its reason."""
    Validations.of(scope).acknowledge(Acknowledgment(id=rule, reason=reason))


def acknowledge_folders(role: iam.Role, folders: Iterable[tuple[s3.Bucket, str]]) -> None:
    """Acknowledge that a role covers key prefixes of buckets."""
    for bucket, folder in folders:
        name = Stack.of(role).get_logical_id(bucket.node.default_child)  # type: ignore[arg-type]
        reason = f"Files are named as jobs and uploads come; work with {folder} needs all of them."
        acknowledge(role, f"AwsSolutions-IAM5[Resource::<{name}.Arn>/{folder}*]", reason)


def acknowledge_runtime(function: lambda_.Function) -> None:
    """Acknowledge that a function does not use the newest Python runtime."""
    reason = "Code, layer and the painter's image are built and tested for this version, which AWS supports."
    for rule in ("AwsSolutions-L1", "Serverless-LambdaLatestVersion"):
        acknowledge(function, rule, reason)


def add_sqs_source(
    function: lambda_.Function,
    queue: sqs.IQueue,
    id: str,  # noqa: A002
    *,
    batch_size: int,
    max_concurrency: int | None = None,
) -> None:
    """Add an SQS event source with partial batch responses to a function.

    Args:
        function: Its role has to allow receiving and deleting.
        queue: Event source.
        id: Construct id of the mapping.
        batch_size: Maximum messages in one event.
        max_concurrency: Maximum concurrent invocations; None leaves it to Lambda.
    """
    mapping = function.add_event_source_mapping(
        id,
        event_source_arn=queue.queue_arn,
        batch_size=batch_size,
        report_batch_item_failures=True,
        max_concurrency=max_concurrency,
    )
    reason = (
        "Lambda has no failure destination for SQS: failed messages stay in the queue or go to its dead-letter queue."
    )
    acknowledge(mapping, "Serverless-LambdaEventSourceMappingDestination", reason)


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
