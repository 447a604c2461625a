"""Reading what AWS answers when it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError

from stylizer_service.ports import Unavailable

_TOO_MUCH = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "Throttling",
    "ThrottlingException",
    "TransactionInProgressException",
}
"""What is said with a status below 500, of which the rest are mistakes of ours."""


def code_of(error: ClientError) -> str:
    """The name of the refusal, such as "NoSuchKey"."""
    return str(error.response.get("Error", {}).get("Code", ""))


def was_repeated(error: ClientError) -> bool:
    """Whether an earlier try of the same request may have been done already, its answer lost."""
    return int(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)) > 0


def check_answer(http_response: Any, parsed: Mapping[str, Any], model: Any, **_: object) -> None:
    """Raise `Unavailable` for a refusal that has nothing to do with what was asked. Hears of the last try only."""
    code = str(parsed.get("Error", {}).get("Code", ""))
    if http_response.status_code >= 500 or code in _TOO_MUCH:
        raise Unavailable(f"{model.name} was refused, the last time with {http_response.status_code} {code}")


def check_failure(exception: Exception, **_: object) -> None:
    """Raise `Unavailable` where there was no answer at all. Hears of the last try only."""
    if isinstance(exception, HTTPClientError):
        raise Unavailable(str(exception)) from exception
