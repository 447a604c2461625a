"""Reading what AWS answers when it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.parsers import ResponseParserError

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

TRIES = 4
"""How often a request is sent at most."""


def code_of(error: ClientError) -> str:
    """The name of the refusal, such as "NoSuchKey"."""
    return str(error.response.get("Error", {}).get("Code", ""))


def was_repeated(error: ClientError) -> bool:
    """Whether an earlier try of the same request may have been done already, its answer lost."""
    return int(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)) > 0


def repeat_cut_answer(response: Any, attempts: int, operation: Any, **_: object) -> float | None:
    """How many seconds to wait before a request is repeated whose answer broke off; None if it is not to be."""
    is_cut = response is not None and attempts < TRIES and _is_cut(response[0], operation)
    return 0.1 * attempts if is_cut else None


def check_answer(http_response: Any, parsed: Mapping[str, Any], model: Any, **_: object) -> None:
    """Raise `Unavailable` for a refusal that has nothing to do with what was asked. Hears of the last try only."""
    if _is_cut(http_response, model):
        raise Unavailable(f"the answer to {model.name} broke off {TRIES} times")
    code = str(parsed.get("Error", {}).get("Code", ""))
    if http_response.status_code >= 500 or code in _TOO_MUCH:
        raise Unavailable(f"{model.name} was refused, the last time with {http_response.status_code} {code}")


def check_failure(exception: Exception, **_: object) -> None:
    """Raise `Unavailable` where there was no answer at all. Hears of the last try only."""
    if isinstance(exception, HTTPClientError | ResponseParserError):  # of XML that ends too soon
        raise Unavailable(str(exception)) from exception


def _is_cut(http_response: Any, operation: Any) -> bool:
    """Whether less came than was announced: botocore takes what there is for an answer that lacks the rest."""
    if operation.has_streaming_output or operation.http.get("method") == "HEAD":
        return False  # what streams is counted by whoever reads it
    announced = http_response.headers.get("content-length")
    return announced is not None and len(http_response.content) < int(announced)
