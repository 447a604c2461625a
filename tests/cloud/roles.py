"""What a synthesized template gives each function: its environment, and what its role may do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from cloud.calls import REGION_AND_ACCOUNT, Call
from cloud.stage import Stage

_REGION, _ACCOUNT = REGION_AND_ACCOUNT.split(":")
_SQS, _DYNAMODB = f"arn:aws:sqs:{REGION_AND_ACCOUNT}", f"arn:aws:dynamodb:{REGION_AND_ACCOUNT}:table"

Template = Mapping[str, Any]


class Grant(NamedTuple):
    """One action that a role may take, on resources whose ARNs fit a pattern."""

    action: str
    pattern: str

    def covers(self, call: Call) -> bool:
        """Whether it lets the call through."""
        return self.action == call.action and fnmatchcase(call.resource, self.pattern)


class Deployment:
    """A template as if it had been deployed with the stores of a stage.

    Args:
        template: Of the stack.
        stage: What stands for its buckets, its table, its queues and its secret.
    """

    def __init__(self, template: Template, stage: Stage):
        self._resources: Mapping[str, Any] = template["Resources"]
        self._stage = stage

    def environment(self, function: str) -> dict[str, str]:
        """What a function is told: "api", "painter", "reconciler", or "gpu" for the endpoint's container."""
        if function == "gpu":
            container = self._one("AWS::SageMaker::Model")["Properties"]["PrimaryContainer"]
            given: Mapping[str, Any] = container["Environment"]
        else:
            given = self._function(function)["Environment"]["Variables"]
        return {name: self._text(value) for name, value in given.items()}

    def grants(self, function: str) -> set[Grant]:
        """What the role of a function may do."""
        if function == "gpu":
            role = self._one("AWS::SageMaker::Model")["Properties"]["ExecutionRoleArn"]
        else:
            role = self._function(function)["Role"]
        return set(self._grants_of(role["Fn::GetAtt"][0]))

    def _grants_of(self, role: str) -> Iterator[Grant]:
        for policy in self._resources[role]["Properties"]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                for action in _list(statement["Action"]):
                    for resource in _list(statement["Resource"]):
                        yield Grant(action, self._text(resource))

    def _function(self, name: str) -> Mapping[str, Any]:
        handler = f"stylizer_{name}.lambda_handler.handler"
        for resource in self._resources.values():
            properties: Mapping[str, Any] = resource["Properties"]
            is_function = resource["Type"] == "AWS::Lambda::Function"
            is_painter = name == "painter" and properties.get("PackageType") == "Image"
            if is_function and (is_painter or properties.get("Handler") == handler):
                return properties
        raise LookupError(f"the template has no function {name}")

    def _one(self, kind: str) -> Mapping[str, Any]:
        (found,) = (resource for resource in self._resources.values() if resource["Type"] == kind)
        return dict(found)

    def _text(self, value: Any) -> str:
        """A value with what CloudFormation would put into it."""
        match value:
            case str():
                return value
            case {"Ref": str(name)}:
                return self._ref(name)
            case {"Fn::GetAtt": [str(name), "Arn"]}:
                return self._arn(name)
            case {"Fn::Join": [str(glue), list(parts)]}:
                return glue.join(map(self._text, parts))
        return str(value)

    def _ref(self, name: str) -> str:
        known = {"AWS::Partition": "aws", "AWS::Region": _REGION, "AWS::AccountId": _ACCOUNT}
        if name in known:
            return known[name]
        kind = self._resources[name]["Type"]
        if kind == "AWS::SQS::Queue":
            return self._queue(name)
        if kind == "AWS::SecretsManager::Secret":
            return self._stage.environment["STYLIZER_WEBHOOK_SECRET_ID"]
        return self._store(name) or name

    def _arn(self, name: str) -> str:
        kind = self._resources[name]["Type"]
        if kind == "AWS::SQS::Queue":
            return f"{_SQS}:{self._queue(name).rpartition('/')[2]}"
        if kind == "AWS::DynamoDB::GlobalTable":
            return f"{_DYNAMODB}/{self._stage.table}"
        if kind == "AWS::S3::Bucket":
            return f"arn:aws:s3:::{self._store(name)}"
        return f"arn:aws:{kind}:{name}"

    def _store(self, name: str) -> str | None:
        kinds = {
            "StorageUploads": self._stage.uploads,
            "StorageResults": self._stage.results,
            "JobsTable": self._stage.table,
        }
        return next((store for start, store in kinds.items() if name.startswith(start)), None)

    def _queue(self, name: str) -> str:
        queues = {
            "JobsPaintQueue": self._stage.paint_queue,
            "JobsWebhookQueue": self._stage.webhook_queue,
            "JobsDeadLetters": self._stage.dead_letters,
        }
        return next((url for start, url in queues.items() if name.startswith(start)), f"https://sqs/{name}")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
