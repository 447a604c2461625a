"""Webhooks: what a caller checks them with."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from stylizer_api.context import OwnerDep, ServiceDep

router = APIRouter(prefix="/v1/webhook-secret", tags=["Webhooks"])


class WebhookSecret(BaseModel):
    """What the signatures of a caller's webhooks are made with."""

    secret: str = Field(
        description="As Standard Webhooks writes it; keep it to yourself.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="],
    )


@router.get("", summary="Get the webhook secret")
def get_webhook_secret(owner: OwnerDep, service: ServiceDep) -> WebhookSecret:
    """It is your own, and stays the same. 404 where the service sends no webhooks."""
    return WebhookSecret(secret=service.webhook_secret(owner))
