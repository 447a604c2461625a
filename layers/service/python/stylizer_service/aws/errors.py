"""Reading what AWS answers when it refuses."""

from __future__ import annotations

from botocore.exceptions import ClientError


def code_of(error: ClientError) -> str:
    """The name of the refusal, such as "NoSuchKey"."""
    return str(error.response.get("Error", {}).get("Code", ""))


def was_repeated(error: ClientError) -> bool:
    """Whether an earlier try of the same request may have been done already, its answer lost."""
    return int(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)) > 0
