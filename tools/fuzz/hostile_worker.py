"""What a malicious library could do to its process; run in forks by the sandbox's tests."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ENDLESS = 10**9


def work(request: dict[str, Any], data: bytes) -> tuple[Any, bytes]:
    """Perform the action named in `request["do"]`."""
    return CONDUCTS[request["do"]](data)


def crash(_: object, __: bytes) -> tuple[Any, bytes]:
    """Crash, whatever the request."""
    ctypes.string_at(0)
    return None, b""


def _loop_in_c(_: bytes) -> tuple[Any, bytes]:
    return sum(range(ENDLESS * ENDLESS)), b""


def spin(_: object, data: bytes) -> tuple[Any, bytes]:
    """Use CPU time endlessly."""
    return _loop_in_c(data)


def sleep(_: object, __: bytes) -> tuple[Any, bytes]:
    """Sleep forever."""
    time.sleep(ENDLESS)
    return None, b""


def _fill_memory(_: bytes) -> tuple[Any, bytes]:
    held = []
    while True:
        held.append(b"x" * 2**24)


def _die_while_answering(_: bytes) -> tuple[Any, bytes]:
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    return "half of it", b"x" * 2**28


def _answer_a_hundred_thousand_brackets(_: bytes) -> tuple[Any, bytes]:
    def dump(_: object) -> str:
        return "[" * 100_000

    json.dumps = dump  # type: ignore[assignment]
    return None, b""


def _write_a_file(data: bytes) -> tuple[Any, bytes]:
    try:
        Path(os.fsdecode(data)).write_bytes(b"it was here")
    except OSError as error:
        return os.strerror(error.errno or 0), b""
    return "written", b""


def _kill(who: Callable[[], int]) -> Callable[[bytes], tuple[Any, bytes]]:
    def kill(_: bytes) -> tuple[Any, bytes]:
        os.kill(who(), signal.SIGKILL)
        time.sleep(ENDLESS)
        return None, b""

    return kill


def _kill_once(data: bytes) -> tuple[Any, bytes]:
    """Kill this fork the first time only: removes the marker file, since the sandbox forbids creating one."""
    mark = Path(os.fsdecode(data))
    if mark.exists():
        mark.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done at last", b""


def _wait_for_a_file(data: bytes) -> tuple[Any, bytes]:
    while not Path(os.fsdecode(data)).exists():
        time.sleep(0.01)
    return "done waiting", b""


CONDUCTS: dict[str, Callable[[bytes], tuple[Any, bytes]]] = {
    "answer": lambda data: ({"bytes": len(data)}, data[::-1]),
    "tell the environment": lambda _: (dict(os.environ), b""),
    "tell the pid": lambda _: (os.getppid(), b""),
    "crash": lambda data: crash(None, data),
    "abort": lambda _: (os.abort(), b""),
    "exit": lambda _: (os._exit(0), b""),
    "loop in C": _loop_in_c,
    "sleep": lambda data: sleep(None, data),
    "fill the memory": _fill_memory,
    "die while answering": _die_while_answering,
    "answer in a hundred thousand brackets": _answer_a_hundred_thousand_brackets,
    "answer too long": lambda _: ("long", b"x" * 2**21),
    "write a file": _write_a_file,
    "wait for a file": _wait_for_a_file,
    "kill itself": _kill(os.getpid),
    "kill the zygote": _kill(os.getppid),
    "kill itself once": _kill_once,
}
