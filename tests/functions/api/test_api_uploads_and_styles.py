from __future__ import annotations

import httpx
import pytest


@pytest.fixture
def form(client: httpx.Client) -> dict[str, str]:
    answer = client.post("/v1/uploads", json={"media_type": "image/jpeg"})
    assert answer.status_code == 201
    upload = answer.json()
    assert upload["method"] == "POST"
    return {"id": upload["id"], "url": upload["url"], **upload["fields"]}


def send(client: httpx.Client, form: dict[str, str], file: bytes | None) -> httpx.Response:
    fields = {name: value for name, value in form.items() if name not in ("id", "url")}
    files = {} if file is None else {"file": ("cat.jpg", file)}
    return client.post(form["url"], files={**{k: (None, v) for k, v in fields.items()}, **files})


def test_an_upload_goes_to_its_form_and_is_painted_by_its_id(
    client: httpx.Client, form: dict[str, str], photo: bytes
) -> None:
    before = client.post("/v1/stylizations", json={"content": form["id"], "style": "ink"})
    sent = send(client, form, photo)
    after = client.post("/v1/stylizations", json={"content": form["id"], "style": "ink"})

    assert (before.status_code, before.json()["type"]) == (409, "/problems/upload-incomplete")
    assert (sent.status_code, sent.content) == (204, b"")
    assert (after.status_code, after.json()["content"]) == (202, form["id"])


def test_a_form_can_be_sent_again(client: httpx.Client, form: dict[str, str], photo: bytes) -> None:
    assert send(client, form, b"broken").status_code == 204
    assert client.post("/v1/stylizations", json={"content": form["id"], "style": "ink"}).status_code == 422
    assert send(client, form, photo).status_code == 204
    assert client.post("/v1/stylizations", json={"content": form["id"], "style": "ink"}).status_code == 202


def test_an_upload_over_the_limit_is_refused_and_leaves_nothing(client: httpx.Client, form: dict[str, str]) -> None:
    answer = send(client, form, bytes(100_001))

    assert (answer.status_code, answer.json()["field"]) == (413, "file")
    assert client.post("/v1/stylizations", json={"content": form["id"], "style": "ink"}).status_code == 409


def test_an_upload_far_over_the_limit_gets_its_answer_too(client: httpx.Client, form: dict[str, str]) -> None:
    answer = send(client, form, bytes(30_000_000))

    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/image-too-large")


def test_a_form_without_a_file_says_so(client: httpx.Client, form: dict[str, str]) -> None:
    answer = send(client, form, None)

    assert (answer.status_code, answer.json()["field"]) == (422, "file")


@pytest.mark.parametrize("media_type", ["text/plain", 5, None])
def test_an_unknown_media_type_is_refused_with_the_known_ones(client: httpx.Client, media_type: object) -> None:
    answer = client.post("/v1/uploads", json={"media_type": media_type})

    assert (answer.status_code, answer.json()["field"]) == (422, "media_type")
    assert "image/jpeg" in answer.json()["allowed"]


def test_styles_are_paged_with_own_styles_after_the_catalog(
    client: httpx.Client, form: dict[str, str], photo: bytes
) -> None:
    send(client, form, photo)
    made = client.post("/v1/styles", json={"upload": form["id"], "title": "  Grandma's quilt "})

    page = client.get("/v1/styles?limit=2").json()
    rest = client.get("/v1/styles", params={"cursor": page["next_cursor"]}).json()

    assert made.status_code == 201
    assert made.headers["location"] == made.json()["links"]["self"]
    assert [style["id"] for style in page["items"]] == ["ink", "oil"]
    assert [style["title"] for style in rest["items"]] == ["Grandma's quilt"]
    assert rest["next_cursor"] is None
    assert client.get(made.headers["location"]).json() == made.json() == rest["items"][0]


def test_own_style_and_upload_are_deletable_but_no_built_in(client: httpx.Client, photo: bytes) -> None:
    upload = client.post("/v1/uploads", json={"media_type": "image/png"}).json()
    client.post(upload["url"], data=upload["fields"], files={"file": photo})
    style = client.post("/v1/styles", json={"upload": upload["id"], "title": "Mine"}).json()
    for path in (f"/v1/uploads/{upload['id']}/delete", f"/v1/styles/{style['id']}/delete"):
        assert [client.post(path).status_code for _ in range(2)] == [204, 404]
    request = {"content": upload["id"], "style": "ink"}
    assert client.post("/v1/stylizations", json=request).status_code == 404
    answer = client.post("/v1/styles/ink/delete")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")


def test_a_swatch_can_be_kept_and_asked_for_again_cheaply(client: httpx.Client) -> None:
    swatch = client.get("/v1/styles/ink/image")
    assert swatch.headers["content-type"] == "image/webp"
    assert "max-age" in swatch.headers["cache-control"]

    again = client.get("/v1/styles/ink/image", headers={"If-None-Match": swatch.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/v1/styles/crayon").status_code == client.get("/v1/styles/crayon/image").status_code == 404


def test_media_type_is_taken_in_any_case_and_jpg_as_jpeg(client: httpx.Client) -> None:
    for given, known in (("image/JPG", "image/jpeg"), ("IMAGE/JPEG", "image/jpeg"), ("Image/Png", "image/png")):
        answer = client.post("/v1/uploads", json={"media_type": given})
        assert (answer.status_code, answer.json()["media_type"]) == (201, known)
