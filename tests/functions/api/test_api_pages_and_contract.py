from __future__ import annotations

import json
import os
import re
from pathlib import Path

import httpx
import pytest
from jsonschema import Draft202012Validator

from stylizer.capabilities import METHODS, STROKE_METHODS
from stylizer_api.contract_file import deployed_contract
from stylizer_api.files import content_tag
from stylizer_api.prefer_header import wait_seconds
from stylizer_service.models import StylizationRequest


def test_the_page_is_whole_offline_and_runs_no_script_of_others(client: httpx.Client) -> None:
    for path in ("/", "/docs"):
        page = client.get(path)
        policy = page.headers["content-security-policy"]
        assert page.headers["content-type"].startswith("text/html")
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page.text)
        links = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
        assert len(links) > 4
        for link in links:
            assert client.get(f"/{link.removeprefix('.')}").status_code == 200, link


def test_the_scripts_import_only_what_is_there(client: httpx.Client) -> None:
    found, seen = {"app.js", "docs.js"}, set[str]()
    while found - seen:
        name = (found - seen).pop()
        answer = client.get(f"/page/{name}")
        assert answer.status_code == 200, name
        assert "javascript" in answer.headers["content-type"]
        found |= set(re.findall(r'from "\./([\w.]+)"', answer.text))
        seen.add(name)
    assert "api.js" in seen


def test_files_of_the_same_length_and_time_are_told_apart(tmp_path: Path) -> None:
    old, new = tmp_path / "old.html", tmp_path / "new.html"
    for path, text in ((old, "1024"), (new, "2048")):
        path.write_text(text)
        os.utime(path, (315_532_800, 315_532_800))  # as in the archive that a function is deployed from
    assert content_tag(old) != content_tag(new)
    assert content_tag(old) == content_tag(old)


def test_page_offers_each_method_up_to_its_maximum_size(client: httpx.Client) -> None:
    page = client.get("/").text
    methods = re.findall(r'name="method" value="(\w+)" data-largest="(\d+)"( checked)?', page)
    networks = re.findall(r'<option value="(\w+)" data-largest="(\d+)"', page)
    sizes = {int(size) for size in re.findall(r'<option value="(\d+)"', page)}

    largest = {name: [way.size for way in limits.sizes.values()] for name, limits in METHODS.items()}
    assert [(name, int(size)) for name, size, _ in methods] == [(name, max(of)) for name, of in largest.items()]
    assert [name for name, _, checked in methods if checked] == [StylizationRequest.model_fields["method"].default]
    assert [int(size) for _, size in networks] == largest["optimization"]
    assert [name for name, _ in networks] == list(METHODS["optimization"].sizes)
    assert sizes >= set().union(*largest.values())  # what is left to choose when one of them is the limit
    assert set(re.findall(r'data-only="([\w ]+)"', page)) == {"neighbor feedforward texture", "optimization"}
    assert set(re.findall(r'data-except="([\w ]+)"', page)) == {"color"} == {*METHODS} - {*STROKE_METHODS}


def test_page_is_revalidated_and_sent_only_when_changed(client: httpx.Client) -> None:
    for path in ("/", "/page/app.js"):
        first = client.get(path)
        assert first.headers["cache-control"] == "no-cache"
        again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == 304
        # A browser lets these replace what it has kept: a stricter policy would stop the page's own scripts.
        assert again.headers.get("content-security-policy") in (None, first.headers["content-security-policy"])


def test_responses_forbid_sniffing_and_hide_the_server(client: httpx.Client) -> None:
    for path in ("/", "/page/base.css", "/v1/styles", "/v1/styles/ink/image", "/nothing", "/openapi.json"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "content-security-policy" in headers
        assert "x-request-id" in headers
        assert "server" not in headers


def test_nothing_outside_the_page_folder_is_served(client: httpx.Client) -> None:
    for path in ("/page/../app.py", "/page/%2e%2e/app.py", "/page/..%2fapp.py", "/page/"):
        assert client.get(path).status_code == 404


def test_health_tells_version_queue_and_painter(client: httpx.Client) -> None:
    health = client.get("/healthz").json()

    assert health == {
        "status": "ok",
        "version": health["version"],
        "queued": 0,
        "worker_alive": None,
        "url_inputs": False,
    }
    assert re.fullmatch(r"\d+\.\d+\.\d+", health["version"])


def test_the_contract_describes_bodies_answers_and_problems(client: httpx.Client) -> None:
    contract = client.get("/openapi.json").json()
    schemas = contract["components"]["schemas"]
    body = contract["paths"]["/v1/stylizations"]["post"]["requestBody"]["content"]
    form = body["multipart/form-data"]["schema"]

    assert set(body) == {"application/json", "multipart/form-data"}
    masks = {f"styles[{index}].mask" for index in range(4)}  # files of what JSON has inside of styles
    assert set(form["properties"]) == set(schemas["StylizationRequest"]["properties"]) | masks
    assert {"Stylization", "Style", "Upload", "Problem", "Result"} <= set(schemas)
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', client.get("/openapi.json").text)) <= set(schemas)
    for calls in contract["paths"].values():
        assert set(calls) <= {"get", "post"}
        for call in calls.values():
            assert call["summary"]
            assert call["description"]
            assert call["security"] == []  # there are no keys here
            for status, answer in call["responses"].items():
                assert answer["description"]
                assert "X-Request-Id" in answer["headers"]
                if status >= "400":
                    shown = answer["content"]["application/problem+json"]["examples"]
                    assert {example["value"]["status"] for example in shown.values()} == {int(status)}


def test_the_committed_contract_is_that_of_the_code() -> None:
    committed = Path(__file__).parents[3] / "docs/openapi.json"
    assert committed.read_text(encoding="utf-8") == deployed_contract(), "run `make contract`"


def test_every_example_of_the_contract_fits_its_schema() -> None:
    contract = json.loads(deployed_contract())
    found = 0
    for calls in contract["paths"].values():
        for call in calls.values():
            for answer in call["responses"].values():
                for content in answer.get("content", {}).values():
                    schema = {**content.get("schema", {}), "components": contract["components"]}
                    for example in content.get("examples", {}).values():
                        Draft202012Validator(schema).validate(example["value"])
                        found += 1
    assert found > 50


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["wait=60"], 60),
        (["respond-async, wait=10"], 10),
        (["return=minimal", 'Wait = "5"; x=y'], 5),
        (["wait=1, wait=2"], 1),
        (["wait"], None),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["await=3"], None),
        ([], None),
    ],
)
def test_the_prefer_header_is_read_as_its_standard_says(headers: list[str], seconds: int | None) -> None:
    assert wait_seconds(headers) == seconds
