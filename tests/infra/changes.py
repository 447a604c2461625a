"""The change set that CloudFormation would make of two templates, as far as it matters: what is replaced, and removed.

A resource is replaced where a property differs that its schema calls create-only, or where such a property refers to
another resource that is replaced. The schemas are those of CloudFormation itself, which cfn-lint brings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

REGION: Final = "eu-central-1"
NAMES: Final = {
    "AWS::ApiGateway::DomainName": ["DomainName"],
    "AWS::ApiGateway::Stage": ["RestApiId", "StageName"],
    "AWS::ApplicationAutoScaling::ScalableTarget": ["ResourceId", "ScalableDimension"],
    "AWS::Budgets::Budget": ["Budget/BudgetName"],
    "AWS::CloudWatch::Alarm": ["AlarmName"],
    "AWS::CloudWatch::Dashboard": ["DashboardName"],
    "AWS::DynamoDB::GlobalTable": ["TableName"],
    "AWS::ECR::Repository": ["RepositoryName"],
    "AWS::IAM::Role": ["RoleName"],
    "AWS::Lambda::Function": ["FunctionName"],
    "AWS::Lambda::LayerVersion": [],
    "AWS::Logs::LogGroup": ["LogGroupName"],
    "AWS::S3::Bucket": ["BucketName"],
    "AWS::SageMaker::Endpoint": ["EndpointName"],
    "AWS::SageMaker::EndpointConfig": ["EndpointConfigName"],
    "AWS::SageMaker::Model": ["ModelName"],
    "AWS::SecretsManager::Secret": ["Name"],
    "AWS::SNS::Topic": ["TopicName"],
    "AWS::SQS::Queue": ["QueueName"],
    "AWS::WAFv2::WebACL": ["Name"],
}
"""What each type is called by in an account: two that are called the same cannot stand side by side."""
DATA: Final = (
    "AWS::ApiGateway::ApiKey",
    "AWS::ApiGateway::RestApi",
    "AWS::DynamoDB::GlobalTable",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
    "AWS::SQS::Queue",
)
"""Types that hold what cannot be made again: files, jobs, messages, keys and the address that callers know."""

Template = Mapping[str, Any]


def replaced(before: Template, after: Template) -> set[str]:
    """Logical ids of what is in both templates and is replaced."""
    old, new = before["Resources"], after["Resources"]
    both = [name for name in new if name in old]
    found = {name for name in both if old[name]["Type"] != new[name]["Type"]}
    while more := {name for name in both if name not in found and _is_replaced(old[name], new[name], found)}:
        found |= more
    return found


def removed(before: Template, after: Template) -> set[str]:
    """Logical ids of what is in the first template only."""
    return set(before["Resources"]) - set(after["Resources"])


def refusals(before: Template, after: Template) -> list[str]:
    """Why CloudFormation would refuse the change set, or lose something by it. None where it does neither."""
    old, new = before["Resources"], after["Resources"]
    again = replaced(before, after)
    found = [f"{name} holds data and would be replaced" for name in again if new[name]["Type"] in DATA]
    found += [f"{name} holds data and would go" for name in removed(before, after) if old[name]["Type"] in DATA]
    for name in again:
        paths = NAMES.get(new[name]["Type"], [])
        given = [(_at(old[name], path), _at(new[name], path)) for path in paths]
        if given and all(first == second and first is not None for first, second in given):
            found.append(f"{name} would be replaced by another of the same name")
    return found + list(_variants(before, after)) + list(_indexes(before, after))


def _variants(before: Template, after: Template) -> Iterator[str]:
    """What SageMaker refuses of an endpoint whose instances are scaled: another type, or another variant."""
    old, new = before["Resources"], after["Resources"]
    again = replaced(before, after)
    for name, resource in new.items():
        if resource["Type"] != "AWS::SageMaker::EndpointConfig" or name not in old:
            continue
        endpoints = [each for each in new if new[each]["Type"] == "AWS::SageMaker::Endpoint" and each not in again]
        kinds = [
            [(variant["VariantName"], variant["InstanceType"]) for variant in each["Properties"]["ProductionVariants"]]
            for each in (old[name], resource)
        ]
        if endpoints and kinds[0] != kinds[1]:
            yield f"{', '.join(endpoints)} would get {kinds[1]} in place of {kinds[0]} while it is scaled"


def _indexes(before: Template, after: Template) -> Iterator[str]:
    """What DynamoDB refuses of a table: more than one index made or removed at a time."""
    for name, resource in after["Resources"].items():
        if resource["Type"] == "AWS::DynamoDB::GlobalTable" and name in before["Resources"]:
            sets = [
                {
                    (index["IndexName"], str(index["KeySchema"]))
                    for index in each["Properties"].get("GlobalSecondaryIndexes", ())
                }
                for each in (before["Resources"][name], resource)
            ]
            if len(sets[0] ^ sets[1]) > 1:
                yield f"{name} would have {len(sets[0] ^ sets[1])} indexes made or removed at once"


def _is_replaced(old: Mapping[str, Any], new: Mapping[str, Any], others: set[str]) -> bool:
    if old["Type"].startswith("Custom::"):
        return bool(_at(old, "ServiceToken") != _at(new, "ServiceToken"))
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, new["Type"]).schema
    listed = [*schema.get("createOnlyProperties", ()), *schema.get("conditionalCreateOnlyProperties", ())]
    paths = [path.removeprefix("/properties/") for path in listed]
    return any(_at(old, path) != _at(new, path) or _refers(_at(new, path), others) for path in paths)


def _at(resource: Mapping[str, Any], path: str) -> Any:
    value: Any = resource.get("Properties", {})
    for part in path.split("/"):
        if isinstance(value, list):  # such as "Rules/*/Name"
            return value
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _refers(value: Any, names: set[str]) -> bool:
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), _]}:
            return name in names
        case dict():
            return any(_refers(each, names) for each in value.values())
        case list():
            return any(_refers(each, names) for each in value)
    return False
