"""Errors of the sandbox that reads untrusted pictures and clips, as callers of the decoders see them."""

from __future__ import annotations

import logging
from typing import Any

from stylizer import errors
from stylizer_service.ports import Unavailable
from stylizer_service.sandbox.sandbox import (
    CpuTimeLimitExceeded,
    Crashed,
    ResourceLimits,
    Sandbox,
    SandboxError,
    SandboxUnavailable,
)

_KINDS: list[type[errors.StylizerError]] = [
    errors.ImageError,
    *errors.ImageError.__subclasses__(),
    *errors.StylizerError.__subclasses__(),
]
_BY_CODE = {kind.code: kind for kind in reversed(_KINDS)}

log = logging.getLogger(__name__)


def as_answer(error: errors.StylizerError) -> tuple[dict[str, Any], bytes]:
    """Return the answer of a fork that ends with an error, from which `run` makes the error again."""
    return {"code": error.code, "detail": error.detail, "allowed": error.allowed, "field": error.field}, b""


def run(
    sandbox: Sandbox, request: dict[str, Any], data: bytes, limits: ResourceLimits, *, what: str, field: str
) -> tuple[dict[str, Any], bytearray]:
    """Run a request in a fork.

    Args:
        sandbox: The sandbox.
        request: For its function.
        data: Likewise.
        limits: Of the fork.
        what: The input in words, such as "the photo".
        field: Its name.

    Returns:
        The answer and its body.

    Raises:
        StylizerError: The fork answered with one (`as_answer`), crashed, or exceeded a limit.
        Unavailable: The sandbox is unavailable.
    """
    try:
        answer, body = sandbox.run(request, data, limits)
    except SandboxUnavailable as error:
        raise Unavailable(f"{what} cannot be decoded at the moment; try again later") from error
    except SandboxError as error:
        log.warning("a decoder did not survive %s: %s: %s", what, type(error).__name__, error)
        raise _refusal(error, what, field, limits.seconds) from error
    if "code" in answer:
        kind = _BY_CODE.get(answer["code"], errors.ImageError)
        raise kind(answer["detail"], field=answer["field"] or field, allowed=answer["allowed"])
    return answer, body


def _refusal(error: SandboxError, what: str, field: str, seconds: float) -> errors.ImageError:
    if isinstance(error, Crashed):
        return errors.CorruptImage(f"{what} is broken: its decoder crashed", field=field)
    if isinstance(error, CpuTimeLimitExceeded):
        allowed = f"a file that takes no more than {seconds:g} s to decode"
        return errors.ImageError(f"{what} takes more time to decode than it may", field=field, allowed=allowed)
    return errors.ImageError(f"{what} takes more memory to decode than it may", field=field)
