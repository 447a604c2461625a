"""The licenses of what is deployed."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import files

import pytest

from infra.bundles import ROOT
from infra.licenses import EXCEPTIONS, deployed, is_allowed, license_of


def test_everything_that_is_deployed_has_a_license_that_allows_it() -> None:
    found = {name: license_of(name) for name, _ in deployed()}
    assert {"fastapi", "torch", "nvidia-cublas", "pillow-heif"} <= found.keys()
    assert {name: said for name, said in found.items() if not is_allowed(name, said)} == {}


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND MIT", True),
        ("AFL-2.1 OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("AGPL-3.0-or-later", False),
        ("LicenseRef-NVIDIA-Proprietary", False),
        ("unknown", False),
    ],
)
def test_of_alternatives_one_has_to_be_allowed_and_of_parts_all(expression: str, allowed: bool) -> None:
    assert is_allowed("easel", expression) == allowed


def test_what_says_no_license_is_not_taken_for_free() -> None:
    assert license_of("no-such-distribution") == "unknown"


def test_exceptions_are_for_what_is_deployed_and_still_so() -> None:
    assert EXCEPTIONS.keys() <= {name for name, _ in deployed()}
    (bundled,) = (file for file in files("pillow-heif") or [] if file.name == "LICENSES_bundled.txt")
    text = bundled.read_text()
    for library, terms in {"libheif": "LGPLv3", "libde265": "LGPLv3", "x265": "GPLv2"}.items():
        assert f"Name: {library}\nLicense: {terms}\n" in text


def test_the_table_names_each_once_and_the_exceptions_with_their_reasons() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "infra.licenses"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len([line for line in lines if line.startswith("fastapi ")]) == 1
    assert sum(line.startswith("Not on the list, and accepted: ") for line in lines) == 2
