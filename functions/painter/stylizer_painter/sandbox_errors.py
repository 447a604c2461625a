"""Errors of sandboxed decoders, translated into those of the core and passed on by them."""

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
    WallClockTimeout,
)

_KINDS: list[type[errors.StylizerError]] = [
    errors.ImageError,
    *errors.ImageError.__subclasses__(),
    *errors.StylizerError.__subclasses__(),
]
_BY_CODE = {kind.code: kind for kind in reversed(_KINDS)}

log = logging.getLogger(__name__)


def to_answer(error: errors.StylizerError) -> tuple[dict[str, Any], bytes]:
    """Serialize an error of the core as a fork's answer; `run` raises it again."""
    return {"code": error.code, "detail": error.detail, "allowed": error.allowed, "field": error.field}, b""


def run(
    sandbox: Sandbox, request: dict[str, Any], data: bytes, limits: ResourceLimits, *, what: str, field: str
) -> tuple[dict[str, Any], bytearray]:
    """Run a request in a fork.

    Args:
        sandbox: The sandbox.
        request: First argument of its function.
        data: Second argument of its function.
        limits: Limits of the fork.
        what: Noun for the input in errors, such as "the photo".
        field: Field of the request that has the input.

    Returns:
        The answer and its body.

    Raises:
        StylizerError: The fork answered with one (`to_answer`), crashed, or exceeded a limit.
        Unavailable: The sandbox is unavailable.
    """
    try:
        answer, body = sandbox.run(request, data, limits)
    except SandboxUnavailable as error:
        raise Unavailable(f"{what} cannot be decoded at the moment; try again later") from error
    except SandboxError as error:
        log.warning("decoding %s failed: %s: %s", what, type(error).__name__, error)
        raise _to_image_error(error, what, field, limits) from error
    if "code" in answer:
        kind = _BY_CODE.get(answer["code"], errors.ImageError)
        raise kind(answer["detail"], field=answer["field"] or field, allowed=answer["allowed"])
    return answer, body


def _to_image_error(error: SandboxError, what: str, field: str, limits: ResourceLimits) -> errors.ImageError:
    if isinstance(error, Crashed):
        return errors.CorruptImage(f"{what} is broken: its decoder crashed", field=field)
    if isinstance(error, CpuTimeLimitExceeded):
        seconds = limits.seconds if isinstance(error, WallClockTimeout) else limits.cpu_seconds
        allowed = f"a file that takes no more than {seconds:g} s to decode"
        return errors.ImageError(f"{what} takes too long to decode", field=field, allowed=allowed)
    return errors.ImageError(f"{what} needs too much memory to decode", field=field)
