"""DynamoDB table access: expressions, batching, retries and ambiguous write results."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import ConditionBase, ConditionExpressionBuilder
from botocore.exceptions import ClientError

from stylizer_service.adapters.aws.errors import code_of, was_repeated
from stylizer_service.adapters.aws.schema import KEY
from stylizer_service.ports import Unavailable
from stylizer_service.serialization import Value

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

Row = dict[str, str]
"""An item as read: numbers as text, None values absent."""

_BATCH = 100  # BatchGetItem's maximum
_TRIES = 6
_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


class Table:
    """One table.

    Args:
        client: DynamoDB client.
        name: Table name.
    """

    def __init__(self, client: DynamoDBClient, name: str):
        self._client = client
        self._name = name

    def get(self, key: str) -> Row | None:
        """Return the row (strongly consistent read), or None."""
        answer = self._client.get_item(TableName=self._name, Key=_key(key), ConsistentRead=True)
        return _unpack(answer["Item"]) if "Item" in answer else None

    def put(self, row: Mapping[str, Value]) -> None:
        """Store or replace a row."""
        self._client.put_item(TableName=self._name, Item=_pack(row))

    def delete(self, key: str) -> None:
        """Delete a row."""
        self._client.delete_item(TableName=self._name, Key=_key(key))

    def update(self, key: str, changes: Mapping[str, Value], condition: ConditionBase) -> Row | None:
        """Update a row if the condition holds, in one write.

        Returns:
            The row after the write, or None if the condition does not hold.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        names = {f"#c{index}": name for index, name in enumerate(changes)}
        values = {f":c{index}": _pack_value(value) for index, value in enumerate(changes.values()) if value is not None}
        sets = ", ".join(f"{short} = :c{short[2:]}" for short, name in names.items() if name in given)
        removes = ", ".join(short for short, name in names.items() if name not in given)
        where = ConditionExpressionBuilder().build_expression(condition)
        try:
            answer = self._client.update_item(
                TableName=self._name,
                Key=_key(key),
                UpdateExpression=" ".join(
                    f"{verb} {parts}" for verb, parts in (("SET", sets), ("REMOVE", removes)) if parts
                ),
                ConditionExpression=where.condition_expression,
                ExpressionAttributeNames={**names, **where.attribute_name_placeholders},
                ExpressionAttributeValues=values | _pack(where.attribute_value_placeholders),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            # If the response to a successful write is lost, botocore's retry fails on the change it made itself.
            found = _unpack(error.response.get("Item", {}))  # type: ignore[arg-type]
            return found if was_repeated(error) and _holds(found, changes) else None
        return _unpack(answer["Attributes"])

    def entries(
        self, index: str, condition: ConditionBase, *, size: int, newest_first: bool = False
    ) -> Iterator[list[Row]]:
        """Yield pages of at most `size` keys from an index. Indexes are eventually consistent."""
        where = ConditionExpressionBuilder().build_expression(condition, is_key_condition=True)
        for page in self._client.get_paginator("query").paginate(
            TableName=self._name,
            IndexName=index,
            KeyConditionExpression=where.condition_expression,
            ExpressionAttributeNames=where.attribute_name_placeholders,
            ExpressionAttributeValues=_pack(where.attribute_value_placeholders),
            ScanIndexForward=not newest_first,
            PaginationConfig={"PageSize": size},
        ):
            yield [_unpack(item) for item in page["Items"]]

    def read(self, keys: Sequence[str]) -> list[Row]:
        """Return the current rows of the keys, in that order; missing rows are skipped."""
        found: dict[str, Row] = {}
        for start in range(0, len(keys), _BATCH):
            found |= {row[KEY]: row for row in self._read_batch(keys[start : start + _BATCH])}
        return [found[key] for key in keys if key in found]

    def _read_batch(self, keys: Sequence[str]) -> Iterator[Row]:
        waiting = [_key(key) for key in keys]
        for attempt in range(_TRIES):
            answer = self._client.batch_get_item(RequestItems={self._name: {"Keys": waiting, "ConsistentRead": True}})
            yield from map(_unpack, answer["Responses"].get(self._name, ()))
            waiting = [*answer.get("UnprocessedKeys", {}).get(self._name, {"Keys": ()})["Keys"]]
            if not waiting:
                return
            _pause(attempt)
        raise Unavailable(f"DynamoDB left {len(waiting)} of {len(keys)} items unread in {_TRIES} tries")

    def transact_put(self, rows: Sequence[tuple[Mapping[str, Value], ConditionBase]]) -> list[Row | None] | None:
        """Store rows in one transaction, each on a condition on the row it replaces.

        Returns:
            None on success; otherwise, for each row, the existing row that failed its condition, or None.
        """
        writes = [self._put_if(row, condition) for row, condition in rows]
        attempt = 0
        while True:
            try:
                # botocore adds a client request token, which makes retries idempotent.
                self._client.transact_write_items(TransactItems=writes)
                return None
            except ClientError as error:
                conflicts = _obstacles(error)
                if conflicts is not None:
                    return conflicts
                if attempt == _TRIES - 1:
                    raise Unavailable(f"{_TRIES} transactions on {self._name} were canceled") from error
            _pause(attempt)
            attempt += 1

    def _put_if(self, row: Mapping[str, Value], condition: ConditionBase) -> TransactWriteItemTypeDef:
        where = ConditionExpressionBuilder().build_expression(condition)
        values = _pack(where.attribute_value_placeholders)
        return {
            "Put": {
                "TableName": self._name,
                "Item": _pack(row),
                "ConditionExpression": where.condition_expression,
                "ExpressionAttributeNames": where.attribute_name_placeholders,
                **({"ExpressionAttributeValues": values} if values else {}),  # type: ignore[typeddict-item]
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }


def _obstacles(error: ClientError) -> list[Row | None] | None:
    """Return the conflicting row for each write of a canceled transaction, or None if it can be retried.

    Raises:
        ClientError: The given error, if it is not retryable.
    """
    if code_of(error) != "TransactionCanceledException":
        raise error
    reasons = error.response["CancellationReasons"]
    codes = {reason["Code"] for reason in reasons} - {"None"}
    if codes & _PASSING:
        return None
    if codes != {"ConditionalCheckFailed"}:
        raise error
    return [_unpack(reason["Item"]) if "Item" in reason else None for reason in reasons]


def _pause(attempt: int) -> None:
    """Sleep 50 ms times 2^attempt with +-50 % jitter, so that colliding writers spread out."""
    time.sleep(0.05 * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311 - no secret


def _key(key: str) -> dict[str, AttributeValueTypeDef]:
    return {KEY: {"S": key}}


def _pack(row: Mapping[str, Value]) -> dict[str, AttributeValueTypeDef]:
    return {name: _pack_value(value) for name, value in row.items() if value is not None}


def _pack_value(value: str | float) -> AttributeValueTypeDef:
    # repr of a float has at most 17 significant digits; DynamoDB keeps 38.
    return {"S": value} if isinstance(value, str) else {"N": repr(value)}


def _unpack(item: Mapping[str, Any]) -> Row:
    return {name: str(value["S"] if "S" in value else value["N"]) for name, value in item.items()}


def _holds(row: Row, changes: Mapping[str, Value]) -> bool:
    return all(_is(row.get(name), value) for name, value in changes.items())


def _is(found: str | None, value: Value) -> bool:
    if found is None or value is None or isinstance(value, str):
        return found == value
    return float(found) == value
