"""X-Ray tracing for Lambda handlers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def traced(service: str, *, patch_modules: Sequence[str] | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Trace a Lambda handler with X-Ray. A no-op outside Lambda, where importing the tracer would cost half a second.

    Args:
        service: Service name shown in X-Ray.
        patch_modules: Modules whose calls are traced; None for all that X-Ray supports.
    """

    def trace(handler: Callable[P, R]) -> Callable[P, R]:
        if "LAMBDA_TASK_ROOT" not in os.environ:
            return handler
        from aws_lambda_powertools import Tracer

        tracer = Tracer(service=service, patch_modules=patch_modules)
        # Responses may contain signed links, which are credentials.
        return tracer.capture_lambda_handler(handler, capture_response=False)

    return trace
