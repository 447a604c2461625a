"""The keys of the table, as `stylizer_service.adapters.aws.schema` describes it; a test holds the two equal.

DynamoDB makes or removes one index in an update, and so does CloudFormation: a version of this project may differ from
the one before it by one index, which a test holds too. Add first, and remove in the next version.
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
"""Hash key and range key of each global secondary index."""
