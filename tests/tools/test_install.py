from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tools import install

LISTING = """\
WARNING: something that pip has to say
:env:.extra-index-url='https://mirror.example/cpu'
:env:.disable-pip-version-check='1'
global.extra-index-url='https://old.example/simple https://older.example/simple'
global.index-url='https://mirror.example/simple'
install.find-links='/srv/wheels\\n/srv/more'
global.find-links='/ignored'
list.format='columns'
global.cert=broken
"""


@pytest.fixture(autouse=True)
def no_variables_of_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)


def test_pip_settings_are_read_by_precedence() -> None:
    assert install.pip_settings(LISTING) == {
        "extra-index-url": ["https://mirror.example/cpu"],
        "disable-pip-version-check": ["1"],
        "index-url": ["https://mirror.example/simple"],
        "find-links": ["/srv/wheels", "/srv/more"],
    }


def test_pip_settings_are_passed_on_as_uvs() -> None:
    assert install.uv_environment(install.pip_settings(LISTING), {"HOME": "/home/ann"}) == {
        "HOME": "/home/ann",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://mirror.example/cpu",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/srv/wheels,/srv/more",
    }


def test_no_index_of_pip_is_passed_on() -> None:
    assert install.uv_environment({"no-index": ["true"]}, {}) == {"UV_NO_INDEX": "1"}
    assert install.uv_environment({"no-index": ["false"]}, {}) == {}


def test_uv_variables_of_the_user_come_before_pip_settings() -> None:
    given = {"UV_DEFAULT_INDEX": "https://own.example/simple", "UV_INDEX_STRATEGY": "first-index"}
    passed = install.uv_environment(install.pip_settings(LISTING), given)
    assert {name: passed[name] for name in given} == given


def test_torch_comes_from_a_folder_with_a_wheel_for_this_python(tmp_path: Path) -> None:
    settings = {"find-links": [f"file://{tmp_path}"]}
    (tmp_path / "torch-2.13.0+cpu-cp27-cp27-any.whl").touch()
    assert install.torch_backends(settings, {}) == ["auto", None]
    (tmp_path / f"torch-2.13.0+cpu-cp3{sys.version_info.minor}-cp3{sys.version_info.minor}-any.whl").touch()
    assert install.torch_backends(settings, {}) == [None]


@pytest.mark.parametrize(("given", "tried"), [("cu130", ["cu130"]), ("", [None])])
def test_torch_backend_of_the_user_is_the_only_one_tried(given: str, tried: list[str | None]) -> None:
    assert install.torch_backends({}, {"UV_TORCH_BACKEND": given}) == tried


@pytest.mark.parametrize(
    ("works", "tried", "status"), [(["auto"], ["auto"], 0), ([None], ["auto", None], 0), ([], ["auto", None], 2)]
)
def test_install_falls_back_where_torchs_index_fails(
    works: list[str | None], tried: list[str | None], status: int
) -> None:
    seen = []

    def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
        backend = environment.get("UV_TORCH_BACKEND")
        seen.append(backend)
        assert command[-2:] == ["--group", "dev"]
        assert [command[at + 1] for at, word in enumerate(command) if word == "--constraint"] == [
            str(install.CONSTRAINTS),
            "/etc/more.txt",
        ]
        return 0 if backend in works else 2

    assert install.install(["--group", "dev"], {"constraint": ["/etc/more.txt"]}, run) == status
    assert seen == tried
