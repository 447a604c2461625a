"""Classification and retry of AWS errors."""

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
"""Error codes that mean throttling or a transient conflict although the status is below 500."""

TRIES = 4
"""Maximum attempts per request."""


def code_of(error: ClientError) -> str:
    """Return the AWS error code, such as "NoSuchKey"."""
    return str(error.response.get("Error", {}).get("Code", ""))


def was_repeated(error: ClientError) -> bool:
    """Return whether the request was retried, so that an earlier attempt may have succeeded with its response lost."""
    return int(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)) > 0


def repeat_cut_answer(response: Any, attempts: int, operation: Any, **_: object) -> float | None:
    """Return the backoff in seconds before retrying a request whose response was truncated, or None for no retry."""
    is_cut = response is not None and attempts < TRIES and _is_cut(response[0], operation)
    return 0.1 * attempts if is_cut else None


def check_answer(http_response: Any, parsed: Mapping[str, Any], model: Any, **_: object) -> None:
    """Raise `Unavailable` for throttling and server errors. Called after the last attempt only."""
    if _is_cut(http_response, model):
        raise Unavailable(f"the answer to {model.name} broke off {TRIES} times")
    code = str(parsed.get("Error", {}).get("Code", ""))
    if http_response.status_code >= 500 or code in _TOO_MUCH:
        raise Unavailable(f"{model.name} was refused, the last time with {http_response.status_code} {code}")


def check_failure(exception: Exception, **_: object) -> None:
    """Raise `Unavailable` if no response arrived. Called after the last attempt only."""
    if isinstance(exception, HTTPClientError | ResponseParserError):  # parser error: truncated XML
        raise Unavailable(str(exception)) from exception


def _is_cut(http_response: Any, operation: Any) -> bool:
    """Return whether a response body is shorter than its Content-Length: botocore parses a truncated body as is."""
    if operation.has_streaming_output or operation.http.get("method") == "HEAD":
        return False  # streamed bodies are checked by their reader
    announced = http_response.headers.get("content-length")
    return announced is not None and len(http_response.content) < int(announced)
