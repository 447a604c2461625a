"""Schema of the single DynamoDB table, used both by tests and by the deployment.

An item is a row of `stylizer_service.serialization` plus the key `pk` and the index attributes:

    pk              "stz_…", "upl_…", "sty_…", or "key#<owner>#<key>"; an owner is an API key id and contains no "#"
    owner_list      "stz#<owner>" or "sty#<owner>"; range key: place = "<created_at>#<id>"
    owner_status    "<status>#<owner>", jobs only; range key: place
    status_list     "stz#<status>" or "upl"; range key: expires_at
    notify_list     "due", for jobs with a pending webhook; range key: notify_at
    ttl             expiry time for DynamoDB, epoch seconds

Indexes are KEYS_ONLY: a painter's progress updates, several a minute, do not touch them, and list operations read the
current items from the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import CreateTableInputTypeDef

KEY = "pk"
TTL = "ttl"
BY_OWNER = "by_owner"
BY_OWNER_STATUS = "by_owner_status"
BY_STATUS = "by_status"
BY_NOTIFY = "by_notify"
INDEXES: dict[str, tuple[str, str]] = {
    BY_OWNER: ("owner_list", "place"),
    BY_OWNER_STATUS: ("owner_status", "place"),
    BY_STATUS: ("status_list", "expires_at"),
    BY_NOTIFY: ("notify_list", "notify_at"),
}
"""Hash key and range key of each index, all of type string."""


def table_schema(name: str) -> CreateTableInputTypeDef:
    """Return the arguments for `create_table`. Time to live on the attribute `TTL` is enabled separately."""
    attributes = sorted({KEY, *(attribute for keys in INDEXES.values() for attribute in keys)})
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": attribute, "AttributeType": "S"} for attribute in attributes],
        "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": first, "KeyType": "HASH"},
                    {"AttributeName": second, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for index, (first, second) in INDEXES.items()
        ],
    }
