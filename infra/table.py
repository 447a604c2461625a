"""Keys of the table, equal to `stylizer_service.adapters.aws.schema` (tested).

DynamoDB and CloudFormation create or remove one index per update, so a version may differ from the one before it by one
index: add first, remove in the next version. `infra.deploy` refuses more.
"""

from __future__ import annotations

from typing import Final

KEY: Final = "pk"
TTL: Final = "ttl"
INDEXES: Final[dict[str, tuple[str, str]]] = {
    "by_owner": ("owner_list", "place"),
    "by_owner_status": ("owner_status", "place"),
    "by_status": ("status_list", "expires_at"),
    "by_notify": ("notify_list", "notify_at"),
}
"""Partition key and sort key of each global secondary index."""
