"""Header inspection in a sandbox, with failures translated into problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from stylizer_service.ports import Unavailable
from stylizer_service.problems import ProblemError, failure
from stylizer_service.sandbox.sandbox import (
    Crashed,
    ResourceLimits,
    Sandbox,
    SandboxError,
    SandboxUnavailable,
    WallClockTimeout,
)


def inspect_headers(
    sandbox: Sandbox,
    request: Mapping[str, Any],
    data: bytes,
    limits: ResourceLimits,
    *,
    kind: Literal["image", "clip"],
    label: str,
    field: str,
) -> dict[str, Any]:
    """Inspect the headers of an untrusted file in a fork.

    Args:
        sandbox: The sandbox.
        request: First argument of its function.
        data: The file.
        limits: Limits of the fork.
        kind: Kind of file.
        label: Noun for the file in errors, such as "the photo".
        field: The request field, for errors.

    Raises:
        ProblemError: The fork crashed, or exceeded its CPU time or memory.
        Unavailable: The sandbox is unavailable, or the machine too busy.
    """
    try:
        found, _ = sandbox.run(request, data, limits)
    except (SandboxUnavailable, WallClockTimeout) as error:
        raise Unavailable(f"{kind}s cannot be checked at the moment; try again later") from error
    except Crashed as error:
        raise corrupt(kind, label, field) from error
    except SandboxError as error:
        detail = f"{label} exceeds the time or memory allowed for opening it"
        raise failure("unusable-image", detail, field=field) from error
    return dict(found)


def corrupt(kind: Literal["image", "clip"], label: str, field: str) -> ProblemError:
    """Return the problem of a damaged or truncated file."""
    allowed = f"a complete {kind} file"
    return failure("corrupt-image", f"{label} is damaged or truncated", field=field, allowed=allowed)
