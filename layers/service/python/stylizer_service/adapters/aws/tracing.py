"""What X-Ray sees of a function."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def traced(service: str, *, patch_modules: Sequence[str] | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Have X-Ray see the calls of a Lambda handler. Anywhere else there is nobody to tell, at half a second.

    Args:
        service: What the function is called there.
        patch_modules: Whose calls are seen; None: those of every module that X-Ray knows.
    """

    def trace(handler: Callable[P, R]) -> Callable[P, R]:
        if "LAMBDA_TASK_ROOT" not in os.environ:
            return handler
        from aws_lambda_powertools import Tracer

        tracer = Tracer(service=service, patch_modules=patch_modules)
        # An answer may hold signed links, which are as good as keys.
        return tracer.capture_lambda_handler(handler, capture_response=False)

    return trace
