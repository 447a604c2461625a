"""What holds of the buckets, the table and the queues of every stage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from stylizer_service.adapters.aws import schema

from .conftest import Properties, Synthesized, as_list, render

pytestmark = pytest.mark.xdist_group("infra")


def refuses_plain_http(policies: dict[str, Properties], name: str, *, by: str) -> bool:
    """Whether a policy of a resource denies everything that does not come over TLS."""
    for policy in policies.values():
        if name in map(render, as_list(policy[by])):
            return any(
                statement["Effect"] == "Deny"
                and statement["Principal"] == {"AWS": "*"}
                and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
                for statement in policy["PolicyDocument"]["Statement"]
            )
    return False


def rules(bucket: Properties) -> list[dict[str, Any]]:
    return list(bucket["LifecycleConfiguration"]["Rules"])


def expiry(bucket: Properties, folder: str) -> int | None:
    """After how many days files of a folder go."""
    days = [rule.get("ExpirationInDays") for rule in rules(bucket) if rule.get("Prefix") == folder]
    return next((number for number in days if number), None)


def test_bucket_is_encrypted_private_and_https_only(stack: Synthesized) -> None:
    buckets, policies = stack.all("S3::Bucket"), stack.all("S3::BucketPolicy")
    assert len(buckets) == 3
    for name, bucket in buckets.items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        assert refuses_plain_http(policies, f"${{{name}}}", by="Bucket")


def test_bucket_access_log_expires_with_the_logs(stack: Synthesized) -> None:
    buckets = stack.all("S3::Bucket")
    (logs,) = (name for name in buckets if "AccessLogs" in name)
    for name, bucket in buckets.items():
        if name != logs:
            assert bucket["LoggingConfiguration"]["DestinationBucketName"] == {"Ref": logs}
    assert rules(buckets[logs])[0]["ExpirationInDays"] == stack.settings.log_days


def test_files_expire_after_retention_and_styles_never(stack: Synthesized) -> None:
    uploads, results = stack.one("S3::Bucket", "StorageUploads"), stack.one("S3::Bucket", "StorageResults")
    assert expiry(uploads, "uploads/") == stack.settings.upload_days + 1
    assert (expiry(results, "jobs/") or 0) > 2 * stack.settings.result_days
    assert expiry(results, "sagemaker/") == 1
    assert expiry(results, "styles/") is None
    assert all("Prefix" in rule for rule in rules(results) if "ExpirationInDays" in rule)
    for bucket in (uploads, results):
        assert any("AbortIncompleteMultipartUpload" in rule for rule in rules(bucket))


def test_bucket_cors_allows_page_and_allowed_origins(stack: Synthesized) -> None:
    (upload,) = stack.one("S3::Bucket", "StorageUploads")["CorsConfiguration"]["CorsRules"]
    (result,) = stack.one("S3::Bucket", "StorageResults")["CorsConfiguration"]["CorsRules"]
    others = stack.settings.allowed_origins
    own, *more = map(render, upload["AllowedOrigins"])
    assert own.startswith("https://${GatewayRestApi")
    assert more == [*(["https://art.example.com"] if stack.settings.domain_name else []), *others]
    assert upload["AllowedMethods"] == ["POST"]
    assert result["AllowedMethods"] == ["GET"]
    # A page of another origin follows the API's redirect as origin "null".
    assert [render(origin) for origin in result["AllowedOrigins"]] == (["*"] if others else [own])


def test_removal_policy_decides_what_is_retained(stack: Synthesized) -> None:
    kinds = ("AWS::S3::Bucket", "AWS::DynamoDB::GlobalTable", "AWS::SecretsManager::Secret")
    kept = stack.settings.removal_policy == "retain"
    found = [each for each in stack.template["Resources"].values() if each["Type"] in kinds]
    assert {each["DeletionPolicy"] for each in found} == {"RetainExceptOnCreate" if kept else "Delete"}
    assert {each["UpdateReplacePolicy"] for each in found} == {"Retain" if kept else "Delete"}
    emptied = [each for each in stack.template["Resources"].values() if each["Type"] == "Custom::S3AutoDeleteObjects"]
    assert len(emptied) == (0 if kept else 3)
    (replica,) = stack.one("DynamoDB::GlobalTable")["Replicas"]
    assert replica["DeletionProtectionEnabled"] is kept


def test_noncurrent_versions_expire(stack: Synthesized) -> None:
    results = stack.one("S3::Bucket", "StorageResults")
    if "VersioningConfiguration" not in results:
        assert stack.settings.removal_policy == "destroy"
        return
    ends = {
        rule["Prefix"]: rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for rule in rules(results)
        if "NoncurrentVersionExpiration" in rule
    }
    assert ends == {"jobs/": 1, "sagemaker/": 1, "styles/": 30}


def test_table_matches_the_service_schema(stack: Synthesized) -> None:
    table = stack.one("DynamoDB::GlobalTable")
    described = schema.table_schema("any")
    assert table["BillingMode"] == described["BillingMode"]
    assert table["KeySchema"] == described["KeySchema"]
    for part, key in (("AttributeDefinitions", "AttributeName"), ("GlobalSecondaryIndexes", "IndexName")):
        ours: Any = described[part]  # type: ignore[literal-required]
        assert sorted(table[part], key=lambda each: each[key]) == sorted(ours, key=lambda each: each[key])
    assert table["TimeToLiveSpecification"] == {"AttributeName": schema.TTL, "Enabled": True}
    (replica,) = table["Replicas"]
    assert replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True


def test_queue_is_encrypted_and_https_only(stack: Synthesized) -> None:
    queues, policies = stack.all("SQS::Queue"), stack.all("SQS::QueuePolicy")
    assert len(queues) == 4
    for name, queue in queues.items():
        assert queue["SqsManagedSseEnabled"] is True
        assert refuses_plain_http(policies, f"${{{name}}}", by="Queues")


def taken(stack: Synthesized) -> Iterator[tuple[Properties, Properties, Properties]]:
    """Each mapping of a queue to a function, with both."""
    for mapping in stack.all("Lambda::EventSourceMapping").values():
        queue = stack.one("SQS::Queue", mapping["EventSourceArn"]["Fn::GetAtt"][0])
        yield mapping, queue, stack.one("Lambda::Function", mapping["FunctionName"]["Ref"])


def test_visibility_timeout_is_six_function_timeouts(stack: Synthesized) -> None:
    pairs = [(queue["VisibilityTimeout"], function["Timeout"]) for _, queue, function in taken(stack)]
    assert len(pairs) == 3
    assert all(visibility >= 6 * timeout for visibility, timeout in pairs)


def test_event_sources_report_item_failures(stack: Synthesized) -> None:
    for mapping, _, function in taken(stack):
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        if function.get("PackageType") == "Image":
            assert mapping["BatchSize"] == 1
            assert mapping["ScalingConfig"] == {"MaximumConcurrency": stack.settings.painter_concurrency}
            assert "ReservedConcurrentExecutions" not in function


def test_paint_queue_redrives_to_dead_letters(stack: Synthesized) -> None:
    redrive = stack.one("SQS::Queue", "JobsPaintQueue")["RedrivePolicy"]
    dead_letters = redrive["deadLetterTargetArn"]
    assert redrive["maxReceiveCount"] >= 3
    (function,) = (function for mapping, _, function in taken(stack) if mapping["EventSourceArn"] == dead_letters)
    assert function["Handler"] == "stylizer_reconciler.lambda_handler.handler"
    # Longer than in the first queue: a message keeps its age when it is moved.
    times = [stack.one("SQS::Queue", name)["MessageRetentionPeriod"] for name in ("JobsPaintQueue", "JobsDeadLetters")]
    assert times == sorted(times)


def test_reconciler_runs_every_minute_with_a_dead_letter_queue(stack: Synthesized) -> None:
    undelivered = {"Fn::GetAtt": [next(name for name in stack.all("SQS::Queue") if "Undelivered" in name), "Arn"]}
    rule = stack.one("Events::Rule")
    assert rule["ScheduleExpression"] == "rate(1 minute)"
    assert rule["Targets"][0]["DeadLetterConfig"]["Arn"] == undelivered
    failed = stack.one("Lambda::EventInvokeConfig")["DestinationConfig"]["OnFailure"]
    assert failed == {"Destination": undelivered}
    for subscription in stack.all("SNS::Subscription").values():
        if subscription["Protocol"] == "lambda":
            assert subscription["RedrivePolicy"] == {"deadLetterTargetArn": undelivered}


def test_webhook_secret_is_generated_and_long(stack: Synthesized) -> None:
    secret = stack.one("SecretsManager::Secret")
    assert secret["GenerateSecretString"]["PasswordLength"] >= 32
    assert "SecretString" not in secret
