"""Opening a data folder, and reading the built-in styles."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from stylizer_service.adapters.local import open_local
from stylizer_service.adapters.local.database import SCHEMA_VERSION, Database
from stylizer_service.settings import Settings


@pytest.mark.parametrize("version", [1, 99])
def test_database_of_another_version_is_refused(tmp_path: Path, version: int) -> None:
    path = tmp_path / "stylizer.db"
    with closing(Database(path)) as database:
        database.run(f"PRAGMA user_version = {version}")

    with pytest.raises(RuntimeError, match="another version"):
        Database(path)


@pytest.mark.parametrize(
    ("version", "added"),
    [
        (3, ("variants", "results", "frames", "segments", "boundaries", "parent_id")),
        (4, ("frames", "segments", "boundaries", "parent_id")),
        (5, ("boundaries", "parent_id")),
    ],
)
def test_older_database_is_migrated(tmp_path: Path, version: int, added: tuple[str, ...]) -> None:
    path = tmp_path / "stylizer.db"
    with closing(Database(path)) as database:
        expected = [column["name"] for column in database.all("PRAGMA table_info(jobs)")]
        for column in added:
            database.run(f"ALTER TABLE jobs DROP COLUMN {column}")
        database.run("ALTER TABLE jobs RENAME COLUMN backend TO way")
        database.run(f"PRAGMA user_version = {version}")

    with closing(Database(path)) as database:
        assert [column["name"] for column in database.all("PRAGMA table_info(jobs)")] == expected
        assert database.all("PRAGMA user_version")[0][0] == SCHEMA_VERSION


def test_settings_come_from_environment_and_errors_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STYLIZER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("STYLIZER_RESULT_TTL", "PT2H")
    assert Settings().data_dir == tmp_path
    assert Settings().result_ttl.total_seconds() == 7200
    monkeypatch.setenv("STYLIZER_QUEUE_LIMIT", "0")

    with pytest.raises(ValueError, match="STYLIZER_QUEUE_LIMIT"):
        Settings()


@pytest.mark.parametrize("value", ["-60", "-PT1H", "nan", "soon"])
def test_nothing_ends_before_it_begins(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("STYLIZER_UPLOAD_TTL", value)

    with pytest.raises(ValueError, match="STYLIZER_UPLOAD_TTL"):
        Settings()


def test_missing_styles_folder_is_reported_at_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no styles in"):
        open_local(Settings(data_dir=tmp_path, styles_dir=tmp_path / "nowhere"))


def test_styles_folder_is_required_without_the_core(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("stylizer.styles.catalog", dict)

    with pytest.raises(FileNotFoundError, match="set STYLIZER_STYLES_DIR"):
        open_local(Settings(data_dir=tmp_path))


def test_who_has_closed_the_service_holds_none_of_its_files(tmp_path: Path) -> None:
    local = open_local(Settings(data_dir=tmp_path))
    assert local.service.list_stylizations("ann").items == []
    for _ in range(2):
        local.close()

    assert [file.path for file in psutil.Process().open_files() if file.path.startswith(str(tmp_path))] == []


_START = """
import sys
from stylizer_service.adapters.local import open_local
from stylizer_service.settings import Settings

open_local(Settings(data_dir=sys.argv[1])).service.list_styles("ann")
print([name for name in ("torch", "numpy", "PIL", "fastapi") if name in sys.modules])
"""


def test_service_starts_without_torch_numpy_or_pillow(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _START, str(tmp_path)]

    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"
