"""Lambda entry point: `stylizer_api.lambda_handler.handler`."""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import Any

from stylizer_service.startup import frozen_imports

with frozen_imports():
    from mangum.types import LambdaContext

    from stylizer_api.access_log import SERVICE, log_as_json
    from stylizer_api.gateway import Event, Handler, make_handler
    from stylizer_service.adapters.aws import open_aws
    from stylizer_service.adapters.aws.settings import ApiSettings
    from stylizer_service.adapters.aws.tracing import traced

if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    log_as_json(logging.getLogger().handlers)


@traced(SERVICE, patch_modules=("boto3",))
def handler(event: Event, context: LambdaContext) -> dict[str, Any]:
    """Handle one proxy event from the gateway."""
    return _handler()(event, context)


@cache
def _handler() -> Handler:
    settings = ApiSettings()
    return make_handler(open_aws(settings), form_bytes=settings.form_bytes, allowed_origins=settings.allowed_origins)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _handler()  # during Lambda's init phase: no caller waits, and a missing setting fails the start
