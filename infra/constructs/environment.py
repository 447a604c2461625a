"""Environment variables of the functions, as the settings of the service read them."""

from __future__ import annotations

import json

from infra.constructs.jobs import Jobs
from infra.constructs.storage import Storage
from infra.settings import StageSettings

METRICS_NAMESPACE = "POWERTOOLS_METRICS_NAMESPACE"
"""Environment variable with the metrics namespace of the stage."""

_DAY = 86_400  # seconds


def for_painters(settings: StageSettings, storage: Storage, jobs: Jobs) -> dict[str, str]:
    """Return the variables of every function; a Lambda painter needs no more."""
    return {
        "STYLIZER_TABLE": jobs.table.table_name,
        "STYLIZER_RESULTS_BUCKET": storage.results.bucket_name,
        "STYLIZER_QUEUE_URL": jobs.paint_queue.queue_url,
        "STYLIZER_WEBHOOK_QUEUE_URL": jobs.webhook_queue.queue_url,
        "STYLIZER_RESULT_TTL": str(settings.result_days * _DAY),
        METRICS_NAMESPACE: settings.name,
    }


def for_dispatchers(settings: StageSettings) -> dict[str, str]:
    """Return the additional variables of functions that send jobs to the endpoint, if there is one."""
    return {"STYLIZER_ENDPOINT_NAME": settings.endpoint_name} if settings.endpoint_name else {}


def for_callers(settings: StageSettings, storage: Storage, jobs: Jobs) -> dict[str, str]:
    """Return the variables of functions that serve or notify callers."""
    return {
        **for_painters(settings, storage, jobs),
        **for_dispatchers(settings),
        "STYLIZER_UPLOADS_BUCKET": storage.uploads.bucket_name,
        "STYLIZER_WEBHOOK_SECRET_ID": jobs.webhook_secret.secret_arn,
    }


def for_api(settings: StageSettings, storage: Storage, jobs: Jobs) -> dict[str, str]:
    """Return the variables of the API, with the limits for what it accepts."""
    return {
        **for_callers(settings, storage, jobs),
        "STYLIZER_STYLES_DIR": "/var/task/styles",
        "STYLIZER_UPLOAD_TTL": str(settings.upload_days * _DAY),
        "STYLIZER_QUEUE_LIMIT": str(settings.queue_limit),
        "STYLIZER_PAINTER_SECONDS": str(settings.painting_seconds),
        "STYLIZER_PAINTER_MEMORY": str(settings.painter_memory),
        "STYLIZER_VIDEO_PAINTERS": "true",
        "STYLIZER_GPU": json.dumps(settings.gpu),
        "STYLIZER_ALLOWED_ORIGINS": json.dumps(settings.allowed_origins),
    }
