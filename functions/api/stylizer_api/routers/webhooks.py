"""Webhooks: what a caller checks them with."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from stylizer_api.context import OwnerDep, ServiceDep

router = APIRouter(prefix="/v1/webhook-secret", tags=["Webhooks"])


class WebhookSecret(BaseModel):
    """Secret that signs the webhooks of a caller."""

    secret: str = Field(
        description="The secret in the format of Standard Webhooks. Keep it private.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="],
    )


@router.get("", summary="Get the webhook secret")
def get_webhook_secret(owner: OwnerDep, service: ServiceDep) -> WebhookSecret:
    """Each caller has one secret for all webhooks. 404 if the service sends no webhooks."""
    return WebhookSecret(secret=service.webhook_secret(owner))
