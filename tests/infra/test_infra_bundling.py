"""Zips of the functions and their layer: contents, reproducibility, and functions that run from them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from aws_cdk import App, Stack
from aws_cdk.aws_lambda import Code, Function, LayerVersion, Runtime
from cloud.event_source import SCHEDULE
from cloud.layouts import link_all, requirements
from cloud.stage import Stage, build
from cloud.wheels import write_wheel
from moto.server import ThreadedMotoServer

from infra.bundles import CORE_MODULES, MACHINES, ROOT, Bundle, BundleError, api, layer, main, reconciler
from infra.bundles import build as build_zip
from infra.zips import api_code, layer_code, reconciler_code

pytestmark = pytest.mark.xdist_group("infra")

HERE, ELSEWHERE = ("arm64", "x86_64") if os.uname().machine == "aarch64" else ("x86_64", "arm64")

# As Lambda's Python: without the site-packages of this one, and with the folders of the function and of the layer.
CALL = """
import json, sys
from importlib import import_module
from importlib.util import find_spec
sys.path[:0] = sys.argv[1:3]

class Context:
    function_name, function_version, memory_limit_in_mb, aws_request_id = "function", "1", 512, "c0ffee"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    get_remaining_time_in_millis = lambda self: 25_000

answer = import_module(f"stylizer_{sys.argv[3]}.lambda_handler").handler(json.load(sys.stdin), Context())
found = [name for name in ("torch", "stylizer.painting", "uvicorn", "moto", "stylizer_painter") if find_spec(name)]
print()
print(json.dumps({"answer": answer, "found": found}))
"""


# A small project with wheels of its own, so that pip is really asked, and without a network.


def lock(root: Path, version: str) -> None:
    """Lock the easel of a version."""
    shutil.copyfile(root / f"easel-{version}.txt", root / "locks/layer.txt")


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that pip can find."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(folder), "CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    for name in ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    return folder


@pytest.fixture
def project(tmp_path: Path, wheels: Path) -> Path:
    """The root of a project that needs an easel, of which there are two versions, for two machines."""
    root = tmp_path / "project"
    (root / "locks").mkdir(parents=True)
    for version in ("1.0", "2.0"):
        hashes = [write_wheel(wheels, "easel", version, machine) for machine in MACHINES.values()]
        (root / f"easel-{version}.txt").write_text(" ".join([f"easel=={version}", *hashes, "\n"]))
    lock(root, "1.0")
    service = root / "layers/service/python/stylizer_service"
    service.mkdir(parents=True)
    (service / "__init__.py").write_text("ANSWER = 42\n")
    for name in CORE_MODULES:
        (root / "core/stylizer" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "core/stylizer" / name).touch()
    return root


def read(archive: Path) -> dict[str, bytes]:
    with ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.mark.parametrize("architecture", MACHINES)
def test_layer_holds_locked_wheels_for_lambda(project: Path, tmp_path: Path, architecture: str) -> None:
    content = read(build_zip(layer(architecture, root=project), folder=tmp_path / "zips"))
    assert content["python/easel.py"].decode() == f"BUILT = '1.0 for {MACHINES[architecture]}'\n"
    assert sorted(content) == [
        "python/easel-1.0.dist-info/METADATA",
        "python/easel-1.0.dist-info/WHEEL",
        "python/easel-1.0.dist-info/entry_points.txt",
        "python/easel-1.0.dist-info/licenses/LICENSE",
        "python/easel.py",
        *sorted(f"python/stylizer/{name}" for name in CORE_MODULES),
        "python/stylizer_service/__init__.py",
    ]


def test_missing_wheel_for_lambda_is_named(project: Path, wheels: Path, tmp_path: Path) -> None:
    for wheel in wheels.glob("*_aarch64.whl"):
        wheel.unlink()
    with pytest.raises(BundleError, match=r"layer.txt for Python 3.13 on aarch64(.|\n)*easel"):
        build_zip(layer("arm64", root=project), folder=tmp_path / "zips")
    assert not list((tmp_path / "zips").iterdir()), "nothing that looks like a layer is left behind"


def test_wheel_with_another_hash_is_refused(project: Path, wheels: Path, tmp_path: Path) -> None:
    write_wheel(wheels, "easel", "1.0", "aarch64", requires='varnish; os_name == "nt"')  # same name, other bytes
    with pytest.raises(BundleError, match="Hash mismatch"):
        build_zip(layer("arm64", root=project), folder=tmp_path / "zips")
    assert not list((tmp_path / "zips").iterdir())


def test_lock_without_hashes_is_refused(project: Path, tmp_path: Path) -> None:
    (project / "locks/layer.txt").write_text("easel==1.0\n")
    with pytest.raises(BundleError, match="must have a hash"):
        build_zip(layer("arm64", root=project), folder=tmp_path / "zips")


def test_dependency_needed_only_on_lambda_must_be_locked(project: Path, wheels: Path, tmp_path: Path) -> None:
    machine = MACHINES[ELSEWHERE]
    mark = write_wheel(wheels, "easel", "1.0", machine, requires=f'varnish; platform_machine == "{machine}"')
    (project / "locks/layer.txt").write_text(f"easel==1.0 {mark}\n")
    with pytest.raises(BundleError, match="varnish"):
        build_zip(layer(ELSEWHERE, root=project), folder=tmp_path / "zips")


def test_unknown_architecture_is_refused() -> None:
    with pytest.raises(BundleError, match="architecture is 'riscv'; allowed: arm64, x86_64"):
        layer("riscv")


def test_equal_inputs_give_equal_bytes(project: Path, tmp_path: Path) -> None:
    first = build_zip(layer("arm64", root=project, compiler=sys.executable), folder=tmp_path / "first")
    os.utime(project / "layers/service/python/stylizer_service/__init__.py", (0, 0))
    before = os.umask(0o077)
    try:
        second = build_zip(layer("arm64", root=project, compiler=sys.executable), folder=tmp_path / "second")
    finally:
        os.umask(before)
    assert (first.name, first.read_bytes()) == (second.name, second.read_bytes())
    with ZipFile(second) as archive:
        assert {entry.external_attr >> 16 & 0o777 for entry in archive.infolist()} == {0o644}
        assert [name for name in archive.namelist() if name.endswith(f"easel.{sys.implementation.cache_tag}.pyc")]


def test_existing_zip_is_not_rebuilt(project: Path, wheels: Path, tmp_path: Path) -> None:
    first = build_zip(layer("arm64", root=project), folder=tmp_path)
    made = first.stat()
    shutil.rmtree(wheels)
    (project / "layers/service/python/stylizer_service/__pycache__").mkdir()
    (project / "layers/service/python/stylizer_service/__pycache__/x.pyc").touch()
    assert build_zip(layer("arm64", root=project), folder=tmp_path) == first
    assert first.stat() == made


CHANGES: Mapping[str, Callable[[Path], object]] = {
    "code": lambda root: (root / "layers/service/python/stylizer_service/__init__.py").write_text("ANSWER = 43\n"),
    "file": lambda root: (root / "layers/service/python/stylizer_service/more.py").touch(),
    "pin": lambda root: lock(root, "2.0"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_input_changes_the_key(project: Path, change: str) -> None:
    before = layer("arm64", root=project).key()
    CHANGES[change](project)
    assert layer("arm64", root=project).key() != before


def test_key_covers_architecture_and_bytecode_only(project: Path) -> None:
    bundles = [layer("arm64", root=project), layer("x86_64", root=project)]
    bundles += [replace(bundle, compiler=sys.executable) for bundle in bundles]
    assert len({bundle.key() for bundle in bundles}) == 4
    (project / "pyproject.toml").touch()
    assert layer("arm64", root=project).key() == bundles[0].key()


def test_zip_too_large_for_lambda_is_refused(project: Path, tmp_path: Path) -> None:
    small = replace(layer("arm64", root=project), limit=100)
    with pytest.raises(BundleError, match=r"layer-arm64 has 0\.\d MiB unpacked; allowed: 0\.0"):
        build_zip(small, folder=tmp_path / "zips")
    assert sum(bundle.limit for bundle in (layer("arm64"), api())) <= 250 * 2**20


# The project's own zips.


def test_zip_holds_code_of_its_function_only(tmp_path: Path) -> None:
    of_api, of_reconciler = (set(read(build_zip(bundle, folder=tmp_path))) for bundle in (api(), reconciler()))
    assert "stylizer_reconciler/lambda_handler.py" in of_reconciler
    assert all(name.startswith("stylizer_reconciler/") for name in of_reconciler)
    assert {"stylizer_api/lambda_handler.py", "stylizer_api/page/index.html"} <= of_api
    styles = [folder.name for folder in (ROOT / "core/stylizer/styles").iterdir() if (folder / "style.toml").exists()]
    assert {name for name in of_api if name.startswith("styles/")} == {
        "styles/order.toml",
        *(f"styles/{style}/{name}" for style in styles for name in ("style.toml", "swatch.webp")),
    }
    assert {name.partition("/")[0] for name in of_api} == {"stylizer_api", "styles"}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each zip unpacked beside the others, made for the Python and the machine of this test, from what is installed."""
    folder = tmp_path_factory.mktemp("bundles")

    def install(target: Path, *_: object) -> None:
        links = link_all(requirements("layer"), folder / "links")
        shutil.copytree(links, target, ignore=shutil.ignore_patterns("__pycache__"))

    bundles: list[Bundle] = [f(compiler=sys.executable) for f in (api, reconciler)]
    bundles.append(layer(HERE, compiler=sys.executable))
    for bundle in bundles:
        with ZipFile(build_zip(bundle, folder=folder / "zips", install=install)) as archive:
            archive.extractall(folder / bundle.name.removesuffix(f"-{HERE}"))
    shutil.rmtree(folder / "links")
    return folder


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield build(f"http://{host}:{port}")
    server.stop()


def call(unpacked: Path, stage: Stage, function: str, event: Mapping[str, Any]) -> Any:
    """What a function answers in a process that has the two zips and the standard library, and nothing else."""
    folders = [str(unpacked / function), str(unpacked / "layer/python")]
    styles = {"STYLIZER_STYLES_DIR": str(unpacked / "api/styles")} if function == "api" else {}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CALL, *folders, function],
        env=stage.environment | styles,
        cwd=unpacked,
        input=json.dumps(event),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["found"] == [], "what is not deployed was found"
    return said["answer"]


def test_api_answers_from_its_zip_and_the_layer(
    unpacked: Path, stage: Stage, behind_gateway: Callable[..., httpx.Client]
) -> None:
    client = behind_gateway(lambda event, _: call(unpacked, stage, "api", event), "secret", keys={"secret": "ann"})
    health = client.get("/healthz")
    assert (health.status_code, health.json()["status"]) == (200, "ok")
    assert client.get("/v1/styles/woodcut/image").content[8:12] == b"WEBP"
    assert client.get("/").headers["content-type"].startswith("text/html")


def test_reconciler_runs_from_its_zip_and_the_layer(unpacked: Path, stage: Stage) -> None:
    assert call(unpacked, stage, "reconciler", SCHEDULE) is None


# What a synth says of them.


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The files that a stack with all of them wants uploaded, by their names."""
    folder = tmp_path_factory.mktemp("cdk.out")
    stack = Stack(App(outdir=str(folder)), "Zips")
    LayerVersion(stack, "Layer", code=layer_code("arm64"))
    codes: dict[str, Code] = {"Api": api_code(), "Reconciler": reconciler_code()}
    for name, code in codes.items():
        Function(stack, name, code=code, handler="any.handler", runtime=Runtime.PYTHON_3_13)
    App.of(stack).synth()  # type: ignore[union-attr]
    files = json.loads((folder / "Zips.assets.json").read_text())["files"]
    return {file["displayName"]: file for file in files.values()}


def test_synth_names_command_that_builds_the_zip(assets: dict[str, Any], tmp_path: Path) -> None:
    assert {"layer-arm64", "api", "reconciler"} <= assets.keys()
    done = subprocess.run(
        assets["reconciler"]["source"]["executable"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    (destination,) = assets["reconciler"]["destinations"].values()
    assert Path(done.stdout.strip()).name == f"reconciler-{destination['objectKey']}.zip"
    assert "stylizer_reconciler/lambda_handler.py" in read(Path(done.stdout.strip()))


def test_build_with_outdated_key_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layer-arm64", "--key", "0" * 64]) == 1
    assert "the inputs of layer-arm64 have changed since the synth" in capsys.readouterr().err
