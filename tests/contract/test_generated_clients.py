"""Clients that tools make from docs/openapi.json paint on a real server; linters have nothing against it.

The tools are no dependencies of the project: tests of those that are not in build/generators are skipped, and
`test_contract_rules.py` holds what all of them need. To install them:

    python3 -m venv build/generators
    build/generators/bin/pip install openapi-python-client==0.29.1 openapi-generator-cli==7.26.0 \\
        datamodel-code-generator==0.89.0 httpx python-dateutil ruff urllib3
    npm --prefix build/generators install openapi-typescript@7.13.0 openapi-fetch@0.17.0 typescript@5.9 tsx@4.23.15 \\
        @types/node@26 @redocly/cli@2.77.0 @stoplight/spectral-cli@6.16.3

openapi-generator needs Java, the others Node.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pictures import disk_photo
from waiting import PATIENCE, wait_for

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "docs/openapi.json"
TOOLS = ROOT / "build/generators"
CLIENTS = Path(__file__).parent / "clients"

pytestmark = pytest.mark.xdist_group("generators")


def tool(name: str) -> str:
    """The program of a tool; skips the test where it is not installed."""
    for folder in ("bin", "node_modules/.bin"):
        if (TOOLS / folder / name).exists():
            return str(TOOLS / folder / name)
    pytest.skip(f"{name} is not in build/generators")


def run(*command: str | Path, at: Path, **environment: str) -> str:
    path = f"{TOOLS / 'bin'}:{os.environ['PATH']}"
    given = {**os.environ, "PATH": path, **environment}
    done = subprocess.run(list(map(str, command)), cwd=at, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of this project."""
    log = tmp_path_factory.mktemp("server") / "log"
    command = [sys.executable, "-c", "from stylizer_server.server import main; main()", "--port", "0"]
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "--data-dir", str(log.parent / "data")], stdout=out, stderr=out)
    found = wait_for(lambda: re.search(r"Page +(http://\S+)/", log.read_text()), "the address", log=log.read_text)
    yield found[1]
    process.terminate()
    process.wait(PATIENCE)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    (tmp_path / "photo.jpg").write_bytes(disk_photo())
    return tmp_path / "photo.jpg"


def test_openapi_python_client_paints(server: str, photo: Path, tmp_path: Path) -> None:
    generator = tool("openapi-python-client")
    run(generator, "generate", "--path", CONTRACT, "--output-path", tmp_path / "made", at=tmp_path)
    driver = CLIENTS / "of_openapi_python_client.py"
    said = run(TOOLS / "bin/python", driver, server, photo, at=tmp_path, PYTHONPATH=str(tmp_path / "made"))
    assert said.split("\n") == ["succeeded True", "succeeded True", ""]


def form_only() -> str:
    """The contract with the form as the only body of a stylization: openapi-generator takes the first one alone."""
    contract = json.loads(CONTRACT.read_text())
    del contract["paths"]["/v1/stylizations"]["post"]["requestBody"]["content"]["application/json"]
    return json.dumps(contract)


@pytest.mark.parametrize("body", ["json", "form"])
def test_openapi_generator_paints_in_python(server: str, photo: Path, tmp_path: Path, body: str) -> None:
    generator = tool("openapi-generator-cli")
    contract, driver = CONTRACT, CLIENTS / "of_openapi_generator.py"
    if body == "form":
        contract, driver = tmp_path / "form.json", CLIENTS / "of_openapi_generator_form.py"
        contract.write_text(form_only())
    run(generator, "generate", "-i", contract, "-g", "python", "-o", tmp_path / "made", at=tmp_path)
    said = run(TOOLS / "bin/python", driver, server, photo, at=tmp_path, PYTHONPATH=str(tmp_path / "made"))
    assert said == "succeeded True\n"


def test_openapi_generator_paints_in_typescript(server: str, photo: Path, tmp_path: Path) -> None:
    generator, tsx = tool("openapi-generator-cli"), tool("tsx")
    run(generator, "generate", "-i", CONTRACT, "-g", "typescript-fetch", "-o", tmp_path / "client", at=tmp_path)
    (tmp_path / "client/package.json").write_text('{"type": "module"}')
    driver = Path(shutil.copy(CLIENTS / "of_openapi_generator.mts", tmp_path))
    assert run(tsx, driver, server, photo, at=tmp_path) == "succeeded True\n"


def test_openapi_typescript_paints(server: str, photo: Path, tmp_path: Path) -> None:
    generator, tsx, tsc = tool("openapi-typescript"), tool("tsx"), tool("tsc")
    (tmp_path / "node_modules").symlink_to(TOOLS / "node_modules")
    # Otherwise every option with a default would have to be given.
    run(generator, CONTRACT, "--default-non-nullable", "false", "-o", tmp_path / "schema.d.ts", at=tmp_path)
    driver = Path(shutil.copy(CLIENTS / "of_openapi_typescript.mts", tmp_path))
    strict = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022", "--types", "node"]
    run(tsc, *strict, "--allowImportingTsExtensions", driver, at=tmp_path)
    assert run(tsx, driver, server, photo, at=tmp_path) == "succeeded True\nsucceeded True\n"


def test_datamodel_codegen_makes_models_that_read_answers(tmp_path: Path) -> None:
    generator = tool("datamodel-codegen")
    models = tmp_path / "models.py"
    kinds = ("--input-file-type", "openapi", "--output-model-type", "pydantic_v2.BaseModel", "--formatters", "black")
    run(generator, "--input", CONTRACT, *kinds, "--output", models, at=tmp_path)
    responses = json.loads(CONTRACT.read_text())["paths"]["/v1/stylizations/{id}"]["get"]["responses"]
    examples = responses["200"]["content"]["application/json"]["examples"]
    (tmp_path / "answers.json").write_text(json.dumps([example["value"] for example in examples.values()]))
    answers = "json.load(open('answers.json'))"
    read = f"import json, models; print([models.Stylization(**each).status.value for each in {answers}])"
    assert run(TOOLS / "bin/python", "-c", read, at=tmp_path) == "['running', 'succeeded']\n"


def test_redocly_finds_no_error(tmp_path: Path) -> None:
    run(tool("redocly"), "lint", CONTRACT, at=tmp_path, REDOCLY_TELEMETRY="off", REDOCLY_SUPPRESS_UPDATE_NOTICE="true")


def test_spectral_finds_no_error(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text('extends: ["spectral:oas"]\n')
    run(tool("spectral"), "lint", CONTRACT, "--ruleset", tmp_path / "rules.yaml", at=tmp_path)
