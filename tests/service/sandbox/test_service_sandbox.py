"""Whatever happens in a fork, who asked gets an answer or is told what kind of end it took."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from waiting import PATIENCE, is_running, wait_for

from stylizer_service.sandbox.sandbox import (
    CpuTimeLimitExceeded,
    Crashed,
    MemoryLimitExceeded,
    ResourceLimits,
    Sandbox,
    SandboxError,
    SandboxUnavailable,
    WallClockTimeout,
)

BOUNDS = ResourceLimits(memory=2**27, cpu_seconds=1, seconds=30, body=2**20)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with closing(Sandbox("tools.fuzz.hostile_worker:work", at_once=3)) as sandbox:
        yield sandbox


def do(
    sandbox: Sandbox, conduct: str, data: bytes = b"", resource_limits: ResourceLimits = BOUNDS
) -> tuple[object, bytes]:
    answer, body = sandbox.run({"do": conduct}, data, resource_limits)
    return answer, bytes(body)


def test_work_gets_the_data_and_its_answer_comes_back(sandbox: Sandbox) -> None:
    data = os.urandom(2**20)

    assert do(sandbox, "answer", data) == ({"bytes": 2**20}, data[::-1])
    assert do(sandbox, "answer") == ({"bytes": 0}, b"")


@pytest.mark.parametrize(
    ("conduct", "error"),
    [
        ("crash", Crashed),
        ("abort", Crashed),
        ("exit", Crashed),
        ("answer too long", Crashed),
        ("answer in a hundred thousand brackets", Crashed),
        ("loop in C", CpuTimeLimitExceeded),
        ("fill the memory", MemoryLimitExceeded),
        ("kill itself", MemoryLimitExceeded),
    ],
)
def test_failed_fork_is_reported_by_kind_and_isolated(
    sandbox: Sandbox, conduct: str, error: type[SandboxError]
) -> None:
    zygote = do(sandbox, "tell the pid")

    with pytest.raises(error):
        do(sandbox, conduct)

    assert do(sandbox, "tell the pid") == zygote


def running_in_group(leader: int) -> list[int]:
    """A process and those that it has forked, as far as they have not ended."""
    found = []
    for pid in psutil.pids():
        with suppress(OSError):  # it has ended meanwhile, or is not ours to ask
            if os.getpgid(pid) == leader and is_running(pid):
                found.append(pid)
    return found


@pytest.mark.parametrize("conduct", ["sleep", "die while answering"])
def test_what_uses_no_processor_is_ended_by_the_clock(sandbox: Sandbox, conduct: str) -> None:
    with pytest.raises(WallClockTimeout):
        do(sandbox, conduct, resource_limits=replace(BOUNDS, seconds=1, body=2**28, memory=2**30))


def test_fork_that_outlives_its_limits_is_killed_with_its_zygote(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (zygote, _) = do(sandbox, "tell the pid")
    assert isinstance(zygote, int)
    with monkeypatch.context() as patch:
        patch.setattr("stylizer_service.sandbox.sandbox._GRACE", 0.5 - BOUNDS.seconds)
        with pytest.raises(WallClockTimeout, match="no answer within 30 s"):
            do(sandbox, "sleep")

    wait_for(lambda: not running_in_group(zygote), "the end of the zygote and of the fork")
    assert do(sandbox, "answer", b"ab")[1] == b"ba"


def test_work_that_waits_too_long_times_out_alone(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = chain([0.0], repeat(3600.0))  # the machine stood still in between
    with monkeypatch.context() as patch:
        patch.setattr("stylizer_service.sandbox.sandbox.time", SimpleNamespace(monotonic=lambda: next(readings)))
        with pytest.raises(WallClockTimeout, match="no answer within 30 s"):
            do(sandbox, "answer")

    assert do(sandbox, "answer", b"ab")[1] == b"ba"


def test_work_that_was_killed_from_outside_once_is_done_again(sandbox: Sandbox, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    mark.touch()

    assert do(sandbox, "kill itself once", os.fsencode(mark))[0] == "done at last"


def test_killed_zygote_is_replaced(sandbox: Sandbox) -> None:
    (before, _) = do(sandbox, "tell the pid")
    assert isinstance(before, int)
    os.kill(before, signal.SIGKILL)

    assert do(sandbox, "answer", b"ab")[1] == b"ba"
    assert do(sandbox, "tell the pid")[0] != before


def test_death_of_a_zygote_is_not_blamed_on_the_data(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxUnavailable):
        do(sandbox, "kill the zygote")

    assert do(sandbox, "answer", b"ab")[1] == b"ba"


def test_data_is_not_blamed_where_the_system_has_no_handles_left(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("stylizer_service.sandbox.sandbox.socket.socketpair", refuse)
        with pytest.raises(SandboxUnavailable, match="Too many open files"):
            do(sandbox, "answer")

    assert do(sandbox, "answer", b"ab")[1] == b"ba"


def test_a_fork_can_write_no_file_and_knows_no_secret(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    with closing(Sandbox("tools.fuzz.hostile_worker:work")) as another:
        environment = do(another, "tell the environment")[0]
    file = tmp_path / "file"

    assert do(sandbox, "write a file", os.fsencode(file))[0] == "File too large"
    assert not file.exists() or file.read_bytes() == b""
    assert isinstance(environment, dict)
    assert "hidden" not in environment.values()


def test_limits_that_are_lower_already_are_kept() -> None:
    code = """if True:
        import resource, sys
        for kind in (resource.RLIMIT_CPU, resource.RLIMIT_AS):
            resource.setrlimit(kind, (20, 20) if kind == resource.RLIMIT_CPU else (2**33, 2**33))
        from stylizer_service.sandbox.sandbox import ResourceLimits, Sandbox
        resource_limits = ResourceLimits(memory=2**40, cpu_seconds=600, seconds=60, body=9)
        print(bytes(Sandbox("tools.fuzz.hostile_worker:work").run({"do": "answer"}, b"ab", resource_limits)[1]))
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=PATIENCE
    )

    assert process.stdout == "b'ba'\n"


def test_work_that_takes_long_does_not_hold_up_other_work(sandbox: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "file"
    with ThreadPoolExecutor(2) as pool:
        long = [pool.submit(do, sandbox, "wait for a file", os.fsencode(file)) for _ in range(2)]
        quick = [do(sandbox, "answer", b"ab")[1] for _ in range(3)]
        file.touch()
        ends = [future.result()[0] for future in long]

    assert quick == [b"ba"] * 3
    assert ends == ["done waiting"] * 2


def test_zygote_ends_with_its_parent_process() -> None:
    code = """if True:
        import os, signal
        from stylizer_service.sandbox.sandbox import ResourceLimits, Sandbox
        sandbox = Sandbox("tools.fuzz.hostile_worker:work")
        resource_limits = ResourceLimits(memory=2**27, cpu_seconds=5, seconds=30)
        print(sandbox.run({"do": "tell the pid"}, b"", resource_limits)[0], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=PATIENCE
    )

    wait_for(lambda: not is_running(int(process.stdout)), "the end of the zygote")
