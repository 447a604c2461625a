"""Masks of styles in forms and JSON."""

from __future__ import annotations

import httpx
import pytest
from uploads import sent_file, store_upload

from stylizer_service.adapters.local import Local
from stylizer_service.adapters.local.intake import LOCAL_OWNER

STYLES = '[{"style": "ink"}, {"style": "oil", "weight": 2}]'


def _post(client: httpx.Client, files: dict[str, bytes], **data: str) -> httpx.Response:
    return client.post("/v1/stylizations", files={name: (name, file) for name, file in files.items()}, data=data)


def test_form_carries_a_mask_file_of_a_style(client: httpx.Client, photo: bytes) -> None:
    answer = _post(client, {"content": photo, "styles[1].mask": photo}, styles=STYLES)
    styles = answer.json()["styles"]
    assert answer.status_code == 202
    assert styles[0] == {"style": "ink", "weight": 1.0, "mask": None}
    assert (styles[1]["style"], styles[1]["weight"]) == ("oil", 2.0)
    assert styles[1]["mask"] == sent_file(photo).name
    assert client.get(answer.headers["location"]).json()["styles"] == styles


def test_form_and_json_take_the_mask_of_a_style_by_id(client: httpx.Client, local: Local, photo: bytes) -> None:
    content, mask = (store_upload(local.service, photo, LOCAL_OWNER) for _ in range(2))
    from_form = _post(client, {"content": photo}, **{"styles": STYLES, "styles[0].mask": mask}).json()
    styles = [{"style": "ink", "mask": mask}, {"style": "oil"}]
    from_json = client.post("/v1/stylizations", json={"content": content, "styles": styles}).json()
    for job in (from_form, from_json):
        assert [entry["mask"] for entry in job["styles"]] == [mask, None]


@pytest.mark.parametrize(
    ("field", "styles", "words"),
    [
        ("styles[2].mask", STYLES, "styles has no entry 2"),
        ("styles[0].mask", None, "styles has no entry 0"),
        ("styles[1].mask", f'[{{"style": "ink"}}, {{"style": "oil", "mask": "upl_{"a" * 26}"}}]', "given twice"),
    ],
)
def test_form_mask_without_its_style_is_refused(
    client: httpx.Client, photo: bytes, field: str, styles: str | None, words: str
) -> None:
    data = {"style": "ink"} if styles is None else {"styles": styles}
    problem = _post(client, {"content": photo, field: photo}, **data).json()
    assert problem["field"] == field
    assert words in problem["detail"]


def test_form_has_no_mask_for_a_fifth_style(client: httpx.Client, photo: bytes) -> None:
    problem = _post(client, {"content": photo, "styles[4].mask": photo}, styles=STYLES).json()
    assert (problem["type"], problem["field"]) == ("/problems/invalid-request", "styles[4].mask")


def test_unreadable_form_mask_names_its_field(client: httpx.Client, photo: bytes) -> None:
    problem = _post(client, {"content": photo, "styles[1].mask": b"text"}, styles=STYLES).json()
    assert (problem["type"], problem["field"]) == ("/problems/unsupported-image", "styles[1].mask")
