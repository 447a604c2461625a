"""Secrets cannot be guessed and never reach a log."""

from __future__ import annotations

import ast
import json
import math
import random
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from access.deployments import ANN, BEN, REMOVED, Belongings, Deployment, Form
from waiting import wait_for

from stylizer_service.models import UPLOAD_ID, new_id
from stylizer_service.webhooks.delivery import NotSent, deliver

ROOT = Path(__file__).parents[2]
HOOK = "hook-token-31415926535"
KNOWN = {
    # By its hash, of SHA-256 of a key: tells nothing of it.
    "functions/server/stylizer_server/auth.py: digest not in self._known",
    # Not a secret: the constant that a clip has instead of a lease while its chunks are painted.
    "layers/service/python/stylizer_service/jobs/chunks.py: job.lease_token == _WAITING",
    # The checksum of a stored segment: it finds damage and is stored beside what it covers.
    "functions/painter/stylizer_painter/segments.py: hashlib.sha256(file[at:]).digest() != file[len(_MAGIC):at]",
}
SECRET_WORDS = re.compile(r"signature|secret|digest|token|hmac|password|api_key", re.IGNORECASE)


def test_ids_hold_128_bits_of_system_randomness() -> None:
    made = []
    for _ in range(2):
        random.seed(1)
        made += [new_id("upl") for _ in range(500)]

    assert len(set(made)) == len(made)
    assert all(UPLOAD_ID.fullmatch(name) for name in made)
    letters = set("".join(name.removeprefix("upl_") for name in made))
    assert 26 * math.log2(len(letters)) >= 128


def parts_of(link: str) -> list[str]:
    """What of a link opens a door: its signature, and what else is only for who makes such."""
    secret = ("signature", "x-amz-signature", "x-amz-security-token")
    return [value for name, value in parse_qsl(urlsplit(link).query) if name.lower() in secret and len(value) >= 32]


def be_busy(deployment: Deployment) -> Iterator[str]:
    """Do what callers do, rightly and wrongly; gives everything that must stay between them and the service."""
    yield from deployment.keys.values()
    has = Belongings.of(deployment)
    wrong = "stz_key_" + "W" * 43
    for who in (None, wrong, REMOVED, BEN, ANN):
        deployment.call("GET", f"/v1/stylizations/{has.painted}", who=who)
        deployment.call("GET", f"/v1/styles?key={wrong}&X-Api-Key={wrong}", who=who)
    yield wrong
    yield json.loads(deployment.call("GET", "/v1/webhook-secret").body)["secret"].removeprefix("whsec_")
    form = deployment.ask(ANN, "/v1/uploads", {"media_type": "image/jpeg"})
    yield from (value for value in form["fields"].values() if len(value) >= 64)
    if deployment.name == "local":
        wrongly_sent = Form().add('; name="policy"', form["fields"]["policy"].encode())
        wrongly_sent.add('; name="signature"', form["fields"]["signature"].encode())
        deployment.call("POST", form["url"], who=None, body=wrongly_sent.body(), headers=wrongly_sent.headers())
    for path in (
        f"stylizations/{has.painted}/image",
        f"stylizations/{has.painted}/preview",
        f"styles/{has.style}/image",
    ):
        link = str(deployment.call("GET", f"/v1/{path}").header("location"))
        yield from parts_of(link)
        if deployment.name == "local":
            deployment.call("GET", link, who=None)
            deployment.call("GET", link.replace("expires=", "expires=1"), who=None)
            deployment.service.ports.blobs.delete_folder(f"jobs/{has.painted}/")
            deployment.call("GET", link, who=None)  # a good link to what is not there any more
            deployment.call("POST", link, who=None)
    hooked = deployment.job(webhook=f"https://hooks.invalid/{HOOK}?token={HOOK}")
    deployment.finish(hooked)
    yield HOOK


def test_logs_hold_no_keys_signatures_policies_or_secrets(deployment: Deployment) -> None:
    secrets = {text for secret in be_busy(deployment) for text in (secret, unquote(secret))}
    if deployment.name == "local":
        wait_for(lambda: "webhook of" in deployment.log(), "the first try to tell a caller", log=deployment.log)

    log = deployment.log()
    assert log
    assert [secret for secret in secrets if secret in log] == []
    assert len(secrets) >= 8


def test_webhook_response_cannot_forge_a_log_line(
    local_deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    class Hostile:
        def post(self, *_: object) -> int:
            raise NotSent("BadStatusLine: x\r\n2026-01-01 00:00:00,000 server: forged\x1b[31m" + "x" * 10_000)

    job_id = local_deployment.job(webhook="https://hooks.invalid/")
    local_deployment.finish(job_id)
    with caplog.at_level("INFO", "stylizer_service.webhooks"):
        wait_for(
            lambda: (
                deliver(local_deployment.service.ports, local_deployment.service.settings, job_id, Hostile())
                != "skipped"
            ),
            "a try to tell the caller",
        )
    [message] = [record.getMessage() for record in caplog.records]
    assert message.isprintable()
    assert len(message) < 500


# Comparisons


def suspicious(source: str) -> list[str]:
    """Comparisons that stop at the first byte that differs, of what could be a secret."""
    return [ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Compare) and _is_of(node)]


def _is_of(node: ast.Compare) -> bool:
    sides = [node.left, *node.comparators]
    is_of_texts = not any(isinstance(side, ast.Constant) and not isinstance(side.value, str) for side in sides)
    is_equality = any(isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for operator in node.ops)
    names = [ast.unparse(side) for side in sides if not isinstance(side, ast.Constant)]
    return is_equality and is_of_texts and any(map(SECRET_WORDS.search, names))


def test_secrets_are_compared_in_constant_time() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {text}"
        for folder in ("functions", "layers/service/python")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for text in suspicious(path.read_text(encoding="utf-8"))
    }

    assert found == KNOWN
    assert suspicious("if given_signature == expected: pass")
    assert not suspicious("if signature == 47 or secret is None: pass")
