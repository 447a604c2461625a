"""Idempotency keys: a request that is sent again with its key gives the job of the first one."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta

from stylizer_service.models import StylizationRequest
from stylizer_service.problems import failure, invalid
from stylizer_service.records import IdempotencyRecord, Job

_KEY = re.compile(r"[!-~]{1,255}")


def new_record(key: str, request: StylizationRequest, job: Job, ttl: timedelta) -> IdempotencyRecord:
    """Return the record by which `key` names the new `job` of a request.

    Raises:
        ProblemError: `invalid-request` if the key is not usable.
    """
    if not _KEY.fullmatch(key):
        allowed = "1 to 255 visible ASCII characters"
        raise invalid("Idempotency-Key", "the Idempotency-Key cannot be used", allowed)
    return IdempotencyRecord(
        owner=job.owner, key=key, fingerprint=fingerprint(request), job_id=job.id, expires_at=job.created_at + ttl
    )


def check_same_request(known: IdempotencyRecord, request: StylizationRequest) -> None:
    """Raise a ProblemError if a known key was used for another request."""
    if known.fingerprint != fingerprint(request):
        raise failure(
            "idempotency-mismatch",
            "this Idempotency-Key was used for another request; use a new key for a new request",
            field="Idempotency-Key",
        )


def fingerprint(request: StylizationRequest) -> str:
    """Return a hash of the request: all values, including defaults. Sent files go in by their content's digest.

    Options that are None are left out, so that a new optional field does not change existing fingerprints.
    """
    new_defaults = {"keep_metadata"} if request.keep_metadata == "none" else set()
    facts = request.options.model_dump(exclude_none=True, exclude=new_defaults) | {
        "method": request.method,
        "content": request.photo,
        "mask": request.mask,
        "content_mask": request.content_mask,
        "styles": [[entry.style, entry.weight] for entry in request.blend],
    }
    if masks := request.style_masks():
        facts["style_masks"] = [[index, mask] for index, mask in masks]
    if request.variants != 1:
        facts["variants"] = request.variants
    if request.webhook is not None:
        facts["webhook"] = request.webhook
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
