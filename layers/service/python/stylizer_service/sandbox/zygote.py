"""Zygote process of a `Sandbox`: `python -m stylizer_service.sandbox.zygote module:function`, with orders on stdin.

It has imported what the workers need and has a single thread, which makes forking safe and fast. It never touches data,
so it accumulates no state. Each order carries two sockets: one for the worker, and one for the worker's exit code.
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
    """Import the function, then fork a worker for each order until EOF."""
    module, _, function = name.partition(":")
    work: Function = getattr(import_module(module), function)
    gc.collect()
    gc.freeze()  # so that the collector does not cause copy-on-write in the workers
    _Zygote(work, socket.socket(fileno=os.dup(0))).serve()
    return 0


class _Zygote:
    def __init__(self, work: Function, orders: socket.socket):
        self._work = work
        self._orders = orders
        self._running: dict[int, socket.socket] = {}
        self._bell, ringer = socket.socketpair()  # wakes select when a worker has ended
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
                with self._running.pop(pid) as line, suppress(OSError):  # the client may have died
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
            # Close the zygote's sockets: their peers must see EOF when it dies, even if this worker outlives it.
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
    """Redirect stdio to /dev/null: library output on untrusted data must not reach a log; stdin is the zygote's."""
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
    """Read to EOF without holding a second copy in memory."""
    buffer = io.BytesIO()
    while part := stream.read(2**20):
        buffer.write(part)
    return buffer.getvalue()


def limit(resource_limits: dict[str, int]) -> None:
    """Set irreversible limits on this process; the kernel enforces those on time even inside C code.

    Args:
        resource_limits: The fields of `sandbox.ResourceLimits`.
    """
    with suppress(OSError):  # Linux only: let the OOM killer choose this process, not its client
        Path("/proc/self/oom_score_adj").write_text("1000")
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    # SIGXCPU at the soft limit is unambiguous, SIGKILL at the hard one is not.
    _lower(resource.RLIMIT_CPU, resource_limits["cpu_seconds"], grace=1)
    with suppress(ValueError, OSError):  # not supported on macOS
        _lower(resource.RLIMIT_AS, _addresses() + resource_limits["memory"])
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, resource_limits["seconds"])


def _lower(kind: int, most: int, grace: int = 0) -> None:
    """Lower a limit; an existing lower limit stays, because it cannot be raised."""
    _, ceiling = resource.getrlimit(kind)
    hard = most + grace if ceiling == resource.RLIM_INFINITY else min(ceiling, most + grace)
    resource.setrlimit(kind, (min(most, hard), hard))


def _addresses() -> int:
    """Return the address space in use, bytes, mostly libraries. Linux only; elsewhere a fixed 8 GiB."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 2**33


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
