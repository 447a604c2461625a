from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx
from standardwebhooks import Webhook

from stylizer_service.adapters.local import Local
from stylizer_service.webhooks.delivery import deliver


class Sender:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, str], bytes]] = []

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        self.sent.append((url, dict(headers), body))
        return 200


def test_webhook_verifies_with_the_secret_and_equals_get(
    client: httpx.Client, local: Local, accepted: Callable[..., str]
) -> None:
    job_id = accepted(webhook="https://hooks.example.com/painted?by=us")
    client.post(f"/v1/stylizations/{job_id}/cancel")
    sender = Sender()
    service = local.service
    assert deliver(service.ports, service.settings, job_id, sender) == "delivered"

    answer = client.get("/v1/webhook-secret")
    [(url, headers, body)] = sender.sent
    event = Webhook(answer.json()["secret"]).verify(body, headers)

    assert answer.headers["cache-control"] == "no-store"
    assert url == "https://hooks.example.com/painted?by=us"
    assert (event["type"], event["data"]) == ("stylization.canceled", client.get(f"/v1/stylizations/{job_id}").json())
    assert event["data"]["webhook"] == url


def test_forbidden_webhook_is_a_problem_that_names_the_field(client: httpx.Client, photo: bytes) -> None:
    fields = {"style": "ink", "webhook": "https://169.254.169.254/latest"}
    answer = client.post("/v1/stylizations", files={"content": ("cat.jpg", photo)}, data=fields)

    problem = answer.json()
    assert (answer.status_code, problem["type"], problem["field"]) == (422, "/problems/invalid-request", "webhook")
    assert "https://169.254.169.254/latest" in problem["detail"]
    assert "https address of a public host" in problem["allowed"]
    assert client.get("/v1/stylizations").json()["items"] == []


def test_the_contract_describes_what_is_sent(client: httpx.Client) -> None:
    contract = client.get("/openapi.json").json()
    schemas = contract["components"]["schemas"]
    [webhook] = contract["webhooks"].values()

    body = webhook["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Event"}
    assert schemas["Event"]["properties"]["data"] == {"$ref": "#/components/schemas/Stylization"}
    assert set(schemas["Stylization"]["required"]) == set(schemas["Stylization"]["properties"])
