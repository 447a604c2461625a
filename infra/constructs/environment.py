"""What functions are told of the stage, through environment variables that the service's settings read."""

from __future__ import annotations

from infra.constructs.jobs import Jobs
from infra.constructs.storage import Storage
from infra.settings import StageSettings

METRICS_NAMESPACE = "POWERTOOLS_METRICS_NAMESPACE"
"""Metrics of each stage are told apart by it."""

_DAY = 86_400


def for_painters(settings: StageSettings, storage: Storage, jobs: Jobs) -> dict[str, str]:
    """What every function needs, and a painter behind the queue no more than that."""
    return {
        "STYLIZER_TABLE": jobs.table.table_name,
        "STYLIZER_RESULTS_BUCKET": storage.results.bucket_name,
        "STYLIZER_QUEUE_URL": jobs.paint_queue.queue_url,
        "STYLIZER_WEBHOOK_QUEUE_URL": jobs.webhook_queue.queue_url,
        "STYLIZER_RESULT_TTL": str(settings.result_days * _DAY),
        METRICS_NAMESPACE: settings.name,
    }


def for_dispatchers(settings: StageSettings) -> dict[str, str]:
    """What those need besides who send jobs to the endpoint, if there is one."""
    return {"STYLIZER_ENDPOINT_NAME": settings.endpoint_name} if settings.endpoint_name else {}


def for_callers(settings: StageSettings, storage: Storage, jobs: Jobs) -> dict[str, str]:
    """What functions need that deal with callers."""
    return {
        **for_painters(settings, storage, jobs),
        **for_dispatchers(settings),
        "STYLIZER_UPLOADS_BUCKET": storage.uploads.bucket_name,
        "STYLIZER_WEBHOOK_SECRET_ID": jobs.webhook_secret.secret_arn,
    }


def upload_ttl(settings: StageSettings) -> str:
    """How long an upload can be used, seconds."""
    return str(settings.upload_days * _DAY)
