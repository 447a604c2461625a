"""Who may call what: every route of the app has a decision here, and a new one without fails."""

from __future__ import annotations

import json
from typing import Final, Literal

from access.deployments import ANN, BEN, NEVER, REMOVED, Answer, Belongings, Call, Deployment, Form, photo

from infra.routes import ROUTES

Decision = Literal["open", "keyed", "signed"]

DECISIONS: Final[dict[Call, Decision]] = {
    ("GET", "/"): "open",
    ("GET", "/docs"): "open",
    ("GET", "/favicon.ico"): "open",
    ("GET", "/healthz"): "open",
    ("GET", "/openapi.json"): "open",
    ("GET", "/page/{path}"): "open",
    ("GET", "/v1/styles"): "keyed",
    ("POST", "/v1/styles"): "keyed",
    ("GET", "/v1/styles/{id}"): "keyed",
    ("GET", "/v1/styles/{id}/image"): "keyed",
    ("POST", "/v1/styles/{id}/delete"): "keyed",
    ("GET", "/v1/stylizations"): "keyed",
    ("POST", "/v1/stylizations"): "keyed",
    ("GET", "/v1/stylizations/{id}"): "keyed",
    ("GET", "/v1/stylizations/{id}/image"): "keyed",
    ("GET", "/v1/stylizations/{id}/preview"): "keyed",
    ("POST", "/v1/stylizations/{id}/cancel"): "keyed",
    ("POST", "/v1/stylizations/{id}/delete"): "keyed",
    ("POST", "/v1/uploads"): "keyed",
    ("POST", "/v1/uploads/{id}/delete"): "keyed",
    ("GET", "/v1/webhook-secret"): "keyed",
    # What stands for the object store on one machine: links and forms carry a signature.
    ("POST", "/v1/uploads/{id}/file"): "signed",
    ("GET", "/v1/files/{key}"): "signed",
}
KEYED = sorted(call for call, decision in DECISIONS.items() if decision == "keyed")


def test_every_route_has_a_decision_about_who_may_call_it(
    deployment: Deployment, contract: dict[str, dict[str, object]]
) -> None:
    in_contract = {(method.upper(), path) for path, calls in contract.items() for method in calls}
    of_aws = {call: decision for call, decision in DECISIONS.items() if decision != "signed"}

    assert deployment.routes == set(DECISIONS if deployment.name == "local" else of_aws)
    assert in_contract <= deployment.routes
    through_gateway = {(route.method, route.path.replace("file+", "path")): route.is_public for route in ROUTES}
    assert through_gateway == {call: decision == "open" for call, decision in of_aws.items()}


def test_calls_without_a_valid_key_are_refused_alike(deployment: Deployment) -> None:
    has = Belongings.of(deployment)
    refusal = deployment.call("GET", "/v1/styles", who=None).problem()
    assert refusal["type"] == "/problems/missing-api-key"
    for method, template in KEYED:
        own = has.style if "styles" in template else has.waiting
        for who, name in ((None, own), ("", own), ("stz_key_" + "A" * 43, own), (REMOVED, own), (None, NEVER["stz"])):
            body = {"content": has.upload, "style": has.style, "upload": has.upload} if method == "POST" else None
            answer = deployment.call(method, template.replace("{id}", name), who=who, body=body)
            assert (answer.status, answer.problem()) == (403, refusal), (method, template, who)
    assert json.loads(deployment.call("GET", f"/v1/stylizations/{has.waiting}").body)["status"] == "queued"


def test_what_is_open_takes_no_key_and_tells_nothing_of_a_caller(deployment: Deployment) -> None:
    has = Belongings.of(deployment)
    for (method, template), decision in DECISIONS.items():
        if decision == "open":
            path = template.replace("{path}", "app.js")
            answers = [deployment.call(method, path, who=who) for who in (None, "a wrong key", ANN)]
            assert [answer.status for answer in answers] == [200, 200, 200], path
            assert not any(name.encode() in answer.body for answer in answers for name in has.ids)


def test_what_is_signed_opens_to_nothing_but_its_signature(local_deployment: Deployment) -> None:
    deployment, has = local_deployment, Belongings.of(local_deployment)
    link = deployment.call("GET", f"/v1/stylizations/{has.painted}/image").header("Location")
    assert link is not None
    assert deployment.call("GET", link, who=None).status == 200
    path, _, query = link.partition("?")
    signature = query.rpartition("=")[2]
    forged = [
        path,
        f"{path}?",
        link.replace(signature, ""),
        link.replace(signature, signature[:-1] + ("0" if signature[-1] != "0" else "1")),
        link.replace("expires=", "expires=9"),
        link.replace("filename=", "filename=x"),
        link.replace(has.painted, has.waiting),
        link.replace("result.jpg", "content"),
    ]
    for target in forged:
        for who in (None, ANN, BEN):
            assert deployment.call("GET", target, who=who).problem()["type"] == "/problems/forbidden", target

    form = deployment.ask(ANN, "/v1/uploads", {"media_type": "image/jpeg"})
    other = deployment.ask(BEN, "/v1/uploads", {"media_type": "image/jpeg"})
    for url, fields in (
        (form["url"], form["fields"] | {"signature": "0" * 64}),
        (form["url"], other["fields"]),
        (other["url"], form["fields"]),
        (form["url"], form["fields"] | {"key": other["fields"]["key"]}),
        (form["url"], form["fields"] | {"policy": other["fields"]["policy"]}),
        (form["url"], {name: value for name, value in form["fields"].items() if name != "signature"}),
    ):
        sent = Form()
        for name, value in fields.items():
            sent.add(f'; name="{name}"', value.encode())
        sent.add('; name="file"; filename="a.jpg"', photo())
        answer = deployment.call("POST", url, who=ANN, body=sent.body(), headers=sent.headers())
        assert answer.status in (403, 422), answer.body


# Another owner


def alike(
    deployment: Deployment, method: str, template: str, body: str, name: str, never: str, who: str = BEN
) -> Answer:
    """Hold that an id of another's and one that never was are answered alike; gives the answer."""
    answers = []
    for this in (name, never):
        sent = json.loads(body.replace("ID", this)) if body else None
        answers.append(deployment.call(method, template.replace("{id}", this), who=who, body=sent))
    of_another, of_unknown = answers
    assert of_another.status == of_unknown.status, (method, template, of_another.body)
    assert (
        of_another.body.replace(name.encode(), b"ID").split(b'"request_id"')[0]
        == of_unknown.body.replace(never.encode(), b"ID").split(b'"request_id"')[0]
    )
    varying = {"date", "x-request-id"}
    assert [pair for pair in of_another.headers if pair[0].lower() not in varying] == [
        pair for pair in of_unknown.headers if pair[0].lower() not in varying
    ]
    return of_another


def test_id_of_another_owner_answers_like_an_unknown_one(deployment: Deployment) -> None:
    has, own = Belongings.of(deployment), Belongings.of(deployment, BEN)
    for method, template in KEYED:
        if "{id}" in template:
            names = {"styles": [has.style], "uploads": [has.upload]}
            for name in names.get(template.split("/")[2], [has.waiting, has.painted]):
                answer = alike(deployment, method, template, "", name, NEVER[name[:3]])
                assert (answer.status, answer.problem()["type"]) == (404, "/problems/not-found"), template
    for field, name in (("content", has.upload), ("mask", has.upload), ("content_mask", has.upload)):
        fields: dict[str, object] = {"content": own.upload, "style": "woodcut", "method": "texture", field: "ID"}
        answer = alike(deployment, "POST", "/v1/stylizations", json.dumps(fields), name, NEVER["upl"])
        assert (answer.status, answer.problem()["field"]) == (404, field)
    for name in (has.style, has.upload):
        styles: tuple[dict[str, object], ...] = ({"style": "ID"}, {"styles": [{"style": "woodcut"}, {"style": "ID"}]})
        for style in styles:
            fields = {"content": own.upload, **style}
            answer = alike(deployment, "POST", "/v1/stylizations", json.dumps(fields), name, NEVER[name[:3]])
            assert answer.status in (404, 422), answer.body
    alike(deployment, "POST", "/v1/styles", '{"upload": "ID", "title": "Mine"}', has.upload, NEVER["upl"])

    statuses = [
        json.loads(deployment.call("GET", f"/v1/stylizations/{job}").body)["status"]
        for job in (has.waiting, has.painted)
    ]
    assert statuses == ["queued", "succeeded"]
    assert deployment.call("GET", f"/v1/styles/{has.style}").status == 200
    assert deployment.job(content=has.upload)


def test_lists_cursors_and_keys_reveal_nothing_of_other_owners(deployment: Deployment) -> None:
    has, own = Belongings.of(deployment), Belongings.of(deployment, BEN)
    for path in ("/v1/stylizations", "/v1/styles"):
        cursor = json.loads(deployment.call("GET", f"{path}?limit=1").body)["next_cursor"]
        for query in ("limit=100", f"limit=100&cursor={cursor}", "limit=1"):
            answer = deployment.call("GET", f"{path}?{query}", who=BEN)
            assert answer.status == 200
            assert not any(name.encode() in answer.body for name in has.ids), path

    key = [("Idempotency-Key", "one and the same".replace(" ", "-"))]
    fields = {"content": own.upload, "style": "woodcut"}
    first = deployment.call("POST", "/v1/stylizations", body={**fields, "content": has.upload}, headers=key)
    second = deployment.call("POST", "/v1/stylizations", who=BEN, body=fields, headers=key)
    assert (first.status, second.status, second.header("Idempotency-Replayed")) == (202, 202, None)
    assert json.loads(first.body)["id"] != json.loads(second.body)["id"]
    secrets = {deployment.call("GET", "/v1/webhook-secret", who=who).body for who in (ANN, BEN)}
    assert len(secrets) == 2
