"""The file while others hold it, while there is no room for it, and after it was damaged. All faults are real ones."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from disks import full_disk

from stylizer_service.adapters.local import database as module
from stylizer_service.adapters.local.database import Database
from stylizer_service.ports import Unavailable

ADD = "INSERT INTO uploads VALUES (?, 'ann', 'image/png', '2026', '2027')"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stylizer.db"


@pytest.fixture
def database(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    with closing(Database(path)) as database:
        yield database


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another program writes, and takes its time."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def add_together(database: Database, *names: str) -> None:
    with database.transaction():
        for name in names:
            database.run(ADD, [name])


def ids(database: Database) -> list[str]:
    return [row["id"] for row in database.all("SELECT id FROM uploads ORDER BY id")]


def test_locked_file_allows_reads_and_refuses_writes(database: Database, path: Path) -> None:
    database.run(ADD, ["before"])
    with held(path):
        with pytest.raises(Unavailable, match="locked"):
            database.run(ADD, ["meanwhile"])
        with pytest.raises(Unavailable, match="locked"), database.transaction():
            pass  # it is not even begun
        assert ids(database) == ["before"]
    database.run(ADD, ["after"])

    assert ids(database) == ["after", "before"]


def test_start_does_not_wait_for_a_locked_file(database: Database, path: Path) -> None:
    database.run(ADD, ["before"])
    with held(path), closing(Database(path)) as another:
        assert ids(another) == ["before"]


def test_waiting_writers_time_out_concurrently(database: Database, path: Path) -> None:
    refused: list[str] = []
    in_line = threading.Barrier(8)

    def write() -> None:
        in_line.wait()
        try:
            database.run(ADD, ["meanwhile"])
        except Unavailable as error:
            refused.append(str(error))

    threads = [threading.Thread(target=write) for _ in range(8)]
    with held(path):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(refused) == 8
    # Those who had no turn in their time have not even begun to wait for the other program.
    assert any("no turn" in reason for reason in refused)


def test_write_on_a_full_disk_is_atomic_and_repeatable(database: Database, path: Path) -> None:
    database.run(ADD, ["before"])
    log = path.with_name("stylizer.db-wal")
    with full_disk(log.stat().st_size):
        with pytest.raises(Unavailable):
            add_together(database, "one", "two")
        with pytest.raises(Unavailable):
            database.run(ADD, ["three"])
        with pytest.raises(Unavailable):
            database.change(f"{ADD} RETURNING *", ["four"])
        assert ids(database) == ["before"]
    add_together(database, "later")

    assert ids(database) == ["before", "later"]


def test_a_database_that_may_not_grow_is_unavailable(database: Database) -> None:
    database.change("PRAGMA max_page_count = 1")  # which means those that it has already
    with pytest.raises(Unavailable, match="full"):
        add_together(database, *(f"{number:0200}" for number in range(1000)))
    database.change("PRAGMA max_page_count = 100000")
    database.run(ADD, ["later"])

    assert "later" in ids(database)


def test_a_mistake_of_ours_is_not_taken_for_a_full_disk(database: Database) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        database.run("DELETE FROM nowhere")
    with pytest.raises(sqlite3.IntegrityError):
        add_together(database, "twice", "twice")

    assert ids(database) == []


def test_a_file_that_was_damaged_is_named_at_the_start(database: Database, path: Path) -> None:
    for number in range(200):
        database.run(ADD, [f"{number:0200}"])
    database.close()
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096)

    with pytest.raises(RuntimeError, match=r"stylizer\.db cannot be used: .*; put back a copy of it"):
        Database(path)


@contextmanager
def begun(path: Path) -> Iterator[sqlite3.Connection]:
    """Another is about to write to a new file, and so stands in the way of its being turned to WAL."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def test_new_database_is_opened_once_its_creator_is_done(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with begun(path) as other:
        waiting = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: other.execute("COMMIT"))
        monkeypatch.setattr(module, "time", waiting)
        with closing(Database(path)) as database:
            assert not other.in_transaction
            database.run(ADD, ["one"])
            assert ids(database) == ["one"]
            assert database.all("PRAGMA journal_mode")[0][0] == "wal"


def test_a_new_file_that_another_keeps_for_itself_is_unavailable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    with begun(path), pytest.raises(Unavailable, match="locked"):
        Database(path)

    with closing(Database(path)) as database:
        assert ids(database) == []


def test_of_many_who_open_a_new_file_at_once_none_is_sent_away(tmp_path: Path) -> None:
    together = threading.Barrier(6)

    def open_it(path: Path) -> None:
        together.wait()
        Database(path).close()

    with ThreadPoolExecutor(6) as pool:
        for number in range(30):
            list(pool.map(open_it, [tmp_path / f"{number}.db"] * 6))
