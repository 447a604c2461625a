from __future__ import annotations

import fcntl
import os
import re
import resource
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from pictures import disk_photo
from uploads import store_upload
from waiting import PATIENCE, wait_for

from stylizer_server.server import main
from stylizer_service.adapters.local import open_local
from stylizer_service.adapters.local.settings import LocalSettings
from stylizer_service.models import StylizationRequest
from stylizer_service.settings import Settings

Keys = Callable[..., subprocess.CompletedProcess[str]]


def start(data_dir: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `stylizer-server` in a case that fails at startup."""
    return run("--data-dir", str(data_dir), "--port", "0", *options, **environment)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `stylizer-server` to its end."""
    command = [sys.executable, "-c", "from stylizer_server.server import main; main()"]
    return subprocess.run(
        [*command, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Keys:
    """Run `stylizer-server keys` for `tmp_path / "data"` in this process: `keys("add", "ann")`."""

    def run_keys(*arguments: str) -> subprocess.CompletedProcess[str]:
        failure = None
        try:
            main(["keys", *arguments, "--data-dir", str(tmp_path / "data")])
        except SystemExit as error:  # the interpreter prints it to stderr
            failure = error.code
        stdout, stderr = capsys.readouterr()
        return subprocess.CompletedProcess(
            arguments, int(bool(failure)), stdout, stderr + (f"{failure}\n" * bool(failure))
        )

    return run_keys


def assert_one_line(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("stylizer-server: ")
    assert done.stderr.count("\n") == 1
    for part in parts:
        assert part in done.stderr


def test_start_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert_one_line(start(tmp_path, "--port", port), f"127.0.0.1:{port}", "in use")


def test_start_locked_data_folder_is_one_line(tmp_path: Path) -> None:
    with (tmp_path / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert_one_line(start(tmp_path), "another stylizer-server", str(tmp_path))


def test_start_invalid_setting_is_one_line(tmp_path: Path) -> None:
    assert_one_line(start(tmp_path, STYLIZER_MAX_BYTES="many"), "STYLIZER_MAX_BYTES", "many")


def test_start_unusable_data_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_one_line(start(tmp_path / "file" / "data"), str(tmp_path / "file" / "data"))
    (tmp_path / "stylizer.db").write_text("not a database, " * 99)
    assert_one_line(start(tmp_path), "database")


def test_start_public_without_keys_is_one_line(tmp_path: Path) -> None:
    for options in (("--host", "0.0.0.0"), ("--require-keys",)):
        done = start(tmp_path, *options)
        assert_one_line(done, " ".join(options), f"stylizer-server --data-dir {tmp_path} keys add NAME")


def test_keys_are_printed_once_and_listed_without_secrets(keys: Keys, tmp_path: Path) -> None:
    added = [keys("add", "ann"), keys("add", "bob")]
    secrets = [done.stdout.rstrip("\n") for done in added]
    listed = keys("list").stdout
    removed = keys("remove", "ann")

    assert all(re.fullmatch(r"stz_key_[\w-]{43}", secret) for secret in secrets)
    assert [line.split()[0] for line in listed.splitlines()] == ["ann", "bob"]
    assert (removed.returncode, removed.stdout, removed.stderr) == (0, "", "")
    assert keys("list").stdout == listed.splitlines(keepends=True)[1]
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert not any(secret.encode() in kept for secret in secrets)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_running_server_applies_new_keys_and_raises_file_limit(keys: Keys, tmp_path: Path) -> None:
    keys("add", "first")
    place = ("--data-dir", str(tmp_path / "data"))
    command = [sys.executable, "-c", "from stylizer_server.server import main; main()", *place, "--require-keys"]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", 'ulimit -Sn 100 && exec "$@"', "sh", *command, "--port", "0"], stdout=log, stderr=log
        )
    try:
        found = wait_for(
            lambda: re.search(r"Page +(\S+)", (tmp_path / "log").read_text()), "the address", process=process
        )
        with httpx.Client(base_url=found[1], timeout=PATIENCE) as client:

            def status(key: str) -> int:
                return client.get("/v1/styles", headers={"X-Api-Key": key}).status_code

            key = keys("add", "ann").stdout.strip()
            assert status(key) == 200
            keys("remove", "ann")
            assert status(key) == 403
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE)[0] == min(hard, 256 + 6 * 500)
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_keys_remove_with_data_deletes_data_of_that_key_only(keys: Keys, tmp_path: Path) -> None:
    with closing(open_local(Settings(data_dir=tmp_path / "data"))) as local:
        owners = {}
        for name in ("ann", "bob"):
            owners[name] = local.keys.owner(local.keys.add(name)) or ""
            photo = store_upload(local.service, disk_photo(), owners[name])
            local.service.create_stylization(owners[name], StylizationRequest(content=photo, style="woodcut"), "once")
            local.service.create_style(owners[name], photo, "Mine")
        count = len([path for path in (tmp_path / "data" / "blobs").rglob("*") if path.is_file()])

        done = keys("remove", "ann", "--with-data")

        assert (done.returncode, done.stdout) == (0, "3 uploads, paintings and styles deleted\n")
        assert [key.name for key in local.keys.all()] == ["bob"]
        for name, left in (("ann", 0), ("bob", 1)):
            assert len(local.service.list_stylizations(owners[name]).items) == left
            assert len([style for style in local.service.list_styles(owners[name]).items if style.own]) == left
        assert len([path for path in (tmp_path / "data" / "blobs").rglob("*") if path.is_file()]) == count // 2


def test_keys_errors_are_one_line(keys: Keys) -> None:
    keys("add", "ann")
    assert_one_line(keys("add", "ann"), "'ann'", "already")
    assert_one_line(keys("add", "<ann>"), "'<ann>'", "letters, digits")
    assert_one_line(keys("remove", "bob"), "'bob'")


def test_docs_list_every_server_setting_with_its_default() -> None:
    page = (Path(__file__).parents[3] / "docs" / "server.md").read_text()
    documented: dict[str, str] = {}
    for names, defaults in re.findall(r"^\| (`.*?`) \| (.*?) \|", page, re.MULTILINE):
        documented.update(zip(re.findall(r"`(\w+)`", names), defaults.split(", "), strict=False))
    own = LocalSettings.model_fields.keys() - Settings.model_fields.keys()
    assert own - documented.keys() == set()
    numbers = {name: LocalSettings.model_fields[name].default for name in own}
    numbers = {name: number for name, number in numbers.items() if number is not None}
    assert {name: float(documented[name].replace(",", "")) for name in numbers} == numbers
