"""What the constructs share: roles that can do what is written down and no more, logs that end, reasons given."""

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
    """A statement that allows actions on resources, which are ARNs."""
    return iam.PolicyStatement(actions=list(actions), resources=list(on))


def architecture(settings: StageSettings) -> lambda_.Architecture:
    """The processors of all functions."""
    return lambda_.Architecture.ARM_64 if settings.architecture == "arm64" else lambda_.Architecture.X86_64


def removal(settings: StageSettings) -> RemovalPolicy:
    """What becomes of a resource that holds data when it leaves the stack.

    Where data is kept, a resource that a failed first create has just made is deleted all the same: it is empty, and
    would stay behind without a stack.
    """
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if settings.is_kept else RemovalPolicy.DESTROY


def retention(settings: StageSettings) -> logs.RetentionDays:
    """How long logs are kept."""
    return logs.RetentionDays[_RETENTION[settings.log_days]]


def make_logs(scope: Construct, id: str, settings: StageSettings, name: str | None = None) -> logs.LogGroup:  # noqa: A002
    """A log group of its own, so that logs end when the stage says, and a role can be held to them.

    One that has to have a name goes with the stack, in whose place another one could not be made otherwise.
    """
    return logs.LogGroup(
        scope,
        id,
        # Encrypted by CloudWatch with keys of its own, which costs nothing; a key of the account's would.
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
    """The role of a Lambda function: it writes its own log and traces, and may do what the statements say.

    Args:
        scope: The construct of the function.
        log_group: Its log.
        statements: What it may do besides.
        folders: Of buckets, which the statements name.

    Returns:
        The role, which nothing in the CDK adds to.
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
    """Say why a finding of cdk-nag is as it should be."""
    Validations.of(scope).acknowledge(Acknowledgment(id=rule, reason=reason))


def acknowledge_folders(role: iam.Role, folders: Iterable[tuple[s3.Bucket, str]]) -> None:
    """Say why a role names folders of buckets, and not the files in them."""
    for bucket, folder in folders:
        name = Stack.of(role).get_logical_id(bucket.node.default_child)  # type: ignore[arg-type]
        reason = f"Files are named as jobs and uploads come; whoever works with {folder} needs all that are there."
        acknowledge(role, f"AwsSolutions-IAM5[Resource::<{name}.Arn>/{folder}*]", reason)


def acknowledge_runtime(function: lambda_.Function) -> None:
    """Say why a function has not got the newest Python there is."""
    reason = "Its code and the layer are made and tested for this version, as the painter's image is; AWS supports it."
    for rule in ("AwsSolutions-L1", "Serverless-LambdaLatestVersion"):
        acknowledge(function, rule, reason)


def take_from(function: lambda_.Function, queue: sqs.IQueue, id: str, *, at_once: int, most: int | None = None) -> None:  # noqa: A002
    """Have a function take messages from a queue, and say which of them are to come again.

    Args:
        function: Its role has to allow it.
        queue: Where from.
        id: Of the mapping.
        at_once: Most messages in one event.
        most: Most events at a time; None is as many as Lambda likes.
    """
    mapping = function.add_event_source_mapping(
        id,
        event_source_arn=queue.queue_arn,
        batch_size=at_once,
        report_batch_item_failures=True,
        max_concurrency=most,
    )
    reason = (
        "Lambda gives no such destination to a queue: what fails stays in it, or goes where its redrive policy says."
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
