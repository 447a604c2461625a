"""The process that forks for a `Guard`: `python -m stylizer_service.sandbox.zygote module:function`, orders on stdin.

It has loaded what the work needs and has one thread, which is what makes a fork safe and quick. It never touches data,
so nothing piles up in it. With each order come two lines: to the fork, and for the exit code of the fork.
"""

from __future__ import annotations

import gc
import io
import json
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from stylizer_service.sandbox.sandbox import LENGTH, NO_MEMORY, STATUS

Function = Callable[[Any, bytes], tuple[Any, Any]]


def main(name: str) -> int:
    """Fork for each order until there will be no more."""
    module, _, function = name.partition(":")
    work: Function = getattr(import_module(module), function)
    gc.collect()
    gc.freeze()  # so that a fork copies no pages only to look for garbage
    _Zygote(work, socket.socket(fileno=os.dup(0))).serve()
    return 0


class _Zygote:
    def __init__(self, work: Function, orders: socket.socket):
        self._work = work
        self._orders = orders
        self._running: dict[int, socket.socket] = {}
        self._bell, ringer = socket.socketpair()  # rings when a fork has ended
        self._bell.setblocking(False)
        ringer.setblocking(False)
        self._ringer = ringer
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(ringer.fileno(), warn_on_full_buffer=False)

    def serve(self) -> None:
        while True:
            ready = select.select([self._orders, self._bell], [], [])[0]
            if self._bell in ready:
                self._bell.recv(4096)
                self._report_the_dead()
            if self._orders in ready:
                message, ends, _, _ = socket.recv_fds(self._orders, 1, 2)
                if not message:
                    return
                self._fork(*(socket.socket(fileno=end) for end in ends))

    def _report_the_dead(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                with self._running.pop(pid) as line, suppress(OSError):  # who asked may have died
                    line.sendall(STATUS.pack(os.waitstatus_to_exitcode(status)))

    def _fork(self, line: socket.socket, status: socket.socket) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_worker(line, status)
        line.close()
        self._running[pid] = status

    def _become_worker(self, line: socket.socket, status: socket.socket) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # Their other ends are to see when the zygote dies, whatever becomes of this.
            for end in (status, self._orders, self._bell, self._ringer, *self._running.values()):
                end.close()
            _silence()
            _do(self._work, line)
            code = 0
        except MemoryError:
            code = NO_MEMORY
        finally:
            os._exit(code)


def _silence() -> None:
    """Let nothing that libraries print about a stranger's data reach a log; and stdin is the zygote's."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)


def _do(work: Function, line: socket.socket) -> None:
    with line.makefile("rwb") as stream:
        order = json.loads(stream.read(LENGTH.unpack(stream.read(LENGTH.size))[0]))
        limit(order["resource_limits"])
        answer, body = work(order["request"], _read_all(stream))
        for part in (json.dumps(answer).encode(), body):
            with memoryview(part).cast("B") as view:
                stream.write(LENGTH.pack(view.nbytes))
                stream.write(view)


def _read_all(stream: Any) -> bytes:
    """All there is, with no second copy of it in memory."""
    buffer = io.BytesIO()
    while part := stream.read(2**20):
        buffer.write(part)
    return buffer.getvalue()


def limit(resource_limits: dict[str, int]) -> None:
    """Take limits upon this process that it cannot lift again; the system ends it at those on time, in the midst of C.

    Args:
        resource_limits: The members of `guard.Bounds`.
    """
    with suppress(OSError):  # Linux alone has it: should memory run out, this goes first, and not whom it works for
        Path("/proc/self/oom_score_adj").write_text("1000")
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(
        resource.RLIMIT_CPU, resource_limits["cpu_seconds"], grace=1
    )  # its signal says more than that of the hard limit
    with suppress(ValueError, OSError):  # macOS has no such limit
        _lower(resource.RLIMIT_AS, _addresses() + resource_limits["memory"])
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, resource_limits["seconds"])


def _lower(kind: int, most: int, grace: int = 0) -> None:
    """Set a limit, unless there is a lower one already, which cannot be raised."""
    _, ceiling = resource.getrlimit(kind)
    hard = most + grace if ceiling == resource.RLIM_INFINITY else min(ceiling, most + grace)
    resource.setrlimit(kind, (min(most, hard), hard))


def _addresses() -> int:
    """Bytes of addresses in use, most of them by libraries. Linux alone tells; the others get none for free."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 2**33


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
