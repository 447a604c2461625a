"""The one table. Whoever makes it, in a test or on AWS, makes it from this description.

An item is a row of `stylizer_service.serialization` with the key `pk` and with what the indexes list it by:

    pk              "stz_…", "upl_…", "sty_…", or "key#<owner>#<key>"; an owner, being an API key's id, has no "#"
    owner_list      "stz#<owner>" or "sty#<owner>"; with place "<created_at>#<id>"
    owner_status    "<status>#<owner>", of jobs; with place
    status_list     "stz#<status>" or "upl"; with expires_at
    notify_list     "due", of jobs that have somebody to tell; with notify_at
    ttl             when DynamoDB may forget it, seconds of the epoch

The indexes hold keys only: what a painter reports several times a minute then never touches them, and who lists reads
the items themselves, as they are now.
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
"""Hash key and range key of each index, all of them text."""


def table_schema(name: str) -> CreateTableInputTypeDef:
    """What `create_table` takes. Besides, time to live goes by the attribute `TTL`."""
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
