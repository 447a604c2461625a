"""The bills of materials: valid, and true to the locks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cyclonedx.validation.json import JsonStrictValidator

from infra import locks
from infra.licenses import DEPLOYED
from infra.sbom import SCHEMA, describe, write_all


@pytest.mark.parametrize("deployable", DEPLOYED)
def test_a_bill_is_valid_and_names_everything_with_version_license_and_hashes(deployable: str) -> None:
    text = describe(deployable, DEPLOYED[deployable])
    assert JsonStrictValidator(SCHEMA).validate_str(text) is None

    bill = json.loads(text)
    pins = {name: pin for lock in DEPLOYED[deployable] for name, pin in locks.read(lock).items()}
    assert {each["name"]: each["version"] for each in bill["components"]} == {
        name: pin.version for name, pin in pins.items()
    }
    for component in bill["components"]:
        (terms,) = component["licenses"]
        assert terms["expression"]
        said = {
            f"{mark['alg'].lower().replace('-', '')}:{mark['content']}"
            for reference in component.get("externalReferences", ())
            for mark in reference["hashes"]
        }
        assert said == pins[component["name"]].hashes
        assert component["purl"].startswith(f"pkg:pypi/{component['name']}@")
    (root,) = (each for each in bill["dependencies"] if each["ref"] == deployable)
    assert len(root["dependsOn"]) == len(pins)


def test_there_is_one_bill_for_each_deployable(tmp_path: Path) -> None:
    assert [path.name for path in write_all(tmp_path)] == [f"{name}.cdx.json" for name in DEPLOYED]
