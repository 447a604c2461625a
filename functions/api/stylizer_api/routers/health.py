"""Health check, for people and load balancers."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from stylizer_api.context import AppContext

router = APIRouter(tags=["Health"])


class Health(BaseModel):
    """How the service is."""

    status: Literal["ok"] = "ok"
    version: str
    queued: int = Field(description="About how many paintings are waiting.")
    worker_alive: bool | None = Field(description="Whether a painter is running; null where that cannot be told.")
    url_inputs: bool = Field(description="Whether photos and styles may be given by URL.")


@router.get("/healthz", summary="Check the health of the service")
def get_health(context: AppContext) -> Health:
    """Answers as long as the API and its store work. What waits is kept even while no painter runs."""
    service = context.service
    return Health(
        version=context.version,
        queued=service.queue_depth(),
        worker_alive=context.worker_alive(),
        url_inputs=bool(service.settings.url_inputs),
    )
