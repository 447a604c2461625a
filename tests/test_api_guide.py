"""What docs/api.md says of the API is so, and what it has for the shell can be typed as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from reader import ROOT, Reader, blocks, serving

from infra.gateway_responses import GATEWAY_RESPONSES
from stylizer.styles import catalog
from stylizer_service.problems import KINDS

GUIDE = (ROOT / "docs/api.md").read_text()
CONTRACT = (ROOT / "docs/openapi.json").read_text()


@pytest.mark.xdist_group("readme")
def test_the_walk_goes_from_the_styles_to_a_deleted_painting(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as address:
        (tmp_path / "reader").mkdir()
        reader = Reader(tmp_path / "reader", address)
        said = reader.walks(GUIDE)

    for written in set(re.findall(r"-o (\S+\.(?:jpg|png|webp))", GUIDE)):
        assert reader.shows(written), written
    assert "/problems/" not in "".join(said[heading] for heading in said if heading != "Handle errors")
    assert said["Poll a job until it ends"].splitlines()[-1] == "succeeded 1.0"
    assert said["Add your own style"] == "succeeded"
    first, again, replayed = said["Retry safely with an idempotency key"].splitlines()
    assert (first, replayed) == (again, "idempotency-replayed: true")
    second_page, newest = said["Paginate lists"].splitlines()
    assert (second_page, newest[:4]) == (list(catalog())[20], "stz_")
    assert said["Cancel and delete"].splitlines() == ["canceled", "expired", "204", "204"]
    shown = next(block for block in blocks(GUIDE, "json") if "/problems/" in block)
    assert json.loads(said["Handle errors"]) | {"request_id": ""} == json.loads(shown) | {"request_id": ""}


def test_the_table_of_problems_has_each_one_with_its_status() -> None:
    rows = re.findall(r"^\| ((?:`[a-z-]+`(?:, )?)+) \| (\d{3}) \|", GUIDE, re.MULTILINE)
    told = {(code, int(status)) for codes, status in rows for code in re.findall(r"`(.+?)`", codes)}

    known = {(code, status) for code, (status, _) in KINDS.items()}
    assert told == known | {(response.code, response.status) for response in GATEWAY_RESPONSES}


def test_answers_that_are_shown_have_members_of_the_contract() -> None:
    shown = {name for block in blocks(GUIDE, "json") for name in re.findall(r'"([\w-]+)":', block)}

    fields_of_forms = {"key", "Content-Type", "policy", "signature"}
    assert {name for name in shown - fields_of_forms if f'"{name}": {{' not in CONTRACT} == set()
