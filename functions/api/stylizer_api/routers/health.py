"""Health check, for people and load balancers."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from stylizer_api.context import AppContext

router = APIRouter(tags=["Health"])


class Health(BaseModel):
    """Health of the service."""

    status: Literal["ok"] = "ok"
    version: str
    queued: int = Field(description="Approximate number of queued paintings.")
    worker_alive: bool | None = Field(description="Whether a painter is running; null if unknown.")
    url_inputs: bool = Field(description="Whether photos and styles can be passed by URL.")


@router.get("/healthz", summary="Check the health of the service")
def get_health(context: AppContext) -> Health:
    """Succeeds while the API and its store work. Queued jobs are kept even while no painter runs."""
    service = context.service
    return Health(
        version=context.version,
        queued=service.queue_depth(),
        worker_alive=context.worker_alive(),
        url_inputs=bool(service.settings.url_inputs),
    )
