"""Process sandbox for untrusted data: a crash, hang or decompression bomb ends only its own process.

Image decoders are C libraries fed with arbitrary uploads. They run in workers, forked per call by a zygote process
(`sandbox.zygote`) that has imported them and never reads data itself. A worker sets its own memory and time limits
before it reads a byte. Data and answers travel over sockets; neither a file system nor shared memory is needed, and AWS
Lambda has no shared memory. Answers are JSON and bytes and are validated; nothing from a worker is executed.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from typing import Any

LENGTH = struct.Struct(">I")
STATUS = struct.Struct(">i")
NO_MEMORY = 100
"""Exit code of a worker that ran out of memory."""
_LONGEST_ANSWER = 2**20
_GRACE = 5.0  # seconds past its own limit after which a worker is killed, and its zygote with it
# What Python and the dynamic loader need. The rest of the environment may hold secrets and is not passed on.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE")
_ZYGOTE_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",  # its threads would not survive a fork
    # malloc reserves up to 64 MiB of address space for an arena per thread, and address space is what is limited.
    "MALLOC_ARENA_MAX": "1",
}


class SandboxError(Exception):
    """The call did not complete."""


class Crashed(SandboxError):
    """The worker died: most likely the data triggered a bug in a library."""


class CpuTimeLimitExceeded(SandboxError):
    """The worker exceeded its CPU time limit."""


class WallClockTimeout(CpuTimeLimitExceeded):
    """The worker exceeded its wall-clock limit but not its CPU limit: the machine may just be busy."""


class MemoryLimitExceeded(SandboxError):
    """The worker ran out of memory."""


class SandboxUnavailable(Exception):
    """No zygote could be run, for reasons unrelated to the data; its stderr says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimits:
    """Limits for one call.

    Attributes:
        memory: Address space beyond that of the loaded libraries, bytes. Not enforced on macOS, which cannot.
        cpu_seconds: CPU time of all threads together.
        seconds: Wall-clock time from start to end.
        body: Maximum length of an answer's body, bytes.
    """

    memory: int
    cpu_seconds: int
    seconds: int
    body: int = 0


class Sandbox:
    """Runs one function on untrusted data, each call in a fork of its zygote. Thread-safe.

    Args:
        function: "module:name" of a function (request, data) -> (answer, body), where `request` and `answer` are
            JSON-serializable and `data` and `body` are bytes. Running out of memory raises MemoryError in it, which it
            may propagate; any other exception it propagates counts as a crash.
        at_once: Maximum number of concurrent calls; further calls wait.
    """

    def __init__(self, function: str, *, at_once: int = 1):
        self._function = function
        self._turns = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._zygote: _ZygoteHandle | None = None

    def start(self) -> None:
        """Start the zygote if none is running, without waiting until it is ready."""
        self._living_zygote()

    def close(self) -> None:
        """Kill the zygote and all workers. The next call starts another zygote."""
        with self._lock:
            if self._zygote is not None:
                self._zygote.end()
            self._zygote = None

    def run(self, request: Mapping[str, Any], data: bytes, resource_limits: ResourceLimits) -> tuple[Any, bytearray]:
        """Run the function on the data.

        Args:
            request: First argument of the function.
            data: Second argument of the function.
            resource_limits: Limits for this call.

        Raises:
            SandboxError: The call did not complete; one subclass for each cause.
            SandboxUnavailable: The zygote, not the worker, died twice; or no zygote can be started.
        """
        order = json.dumps({"resource_limits": asdict(resource_limits), "request": request}).encode()
        with self._turns:
            try:
                return self._try(order, data, resource_limits)
            except (_Killed, SandboxUnavailable):
                pass  # possibly the OOM killer on behalf of another process: retry once
            try:
                return self._try(order, data, resource_limits)
            except _Killed as error:
                raise MemoryLimitExceeded("the system killed it twice") from error

    def _try(self, order: bytes, data: bytes, resource_limits: ResourceLimits) -> tuple[Any, bytearray]:
        try:
            return self._living_zygote().run(order, data, resource_limits)
        except OSError as error:  # the system is out of processes or file descriptors
            raise SandboxUnavailable(f"there is no process to be had for this: {error}") from error

    def _living_zygote(self) -> _ZygoteHandle:
        with self._lock:
            if self._zygote is None or not self._zygote.is_alive():
                if self._zygote is not None:
                    self._zygote.end()
                self._zygote = _ZygoteHandle(self._function)
            return self._zygote


class _Killed(Exception):
    """The worker was killed from outside."""


class _ZygoteHandle:
    """Handle of a zygote process."""

    def __init__(self, function: str):
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | _ZYGOTE_ENVIRONMENT
        with theirs:
            # Its own session, so that it does not receive Ctrl-C. It exits on EOF of its stdin, however we end.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "stylizer_service.sandbox.zygote", function],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        self._orders = ours
        self._lock = threading.Lock()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """Kill the zygote and its workers. Safe to call twice."""
        with self._lock:
            self._orders.close()
            if self._process.poll() is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def run(self, order: bytes, data: bytes, resource_limits: ResourceLimits) -> tuple[Any, bytearray]:
        deadline = time.monotonic() + resource_limits.seconds + _GRACE
        with ExitStack() as open_ends:
            line, theirs = (open_ends.enter_context(end) for end in socket.socketpair())
            status, their_status = (open_ends.enter_context(end) for end in socket.socketpair())
            self._send_ends(theirs, their_status)
            try:
                answer = _converse(line, status, order, data, resource_limits, deadline)
                line.close()  # so that a worker with more to write does not block
                ending = _receive(status, STATUS.size, deadline)
            except TimeoutError as error:
                self.end()  # the worker's own limits should have ended it long ago
                raise WallClockTimeout(f"no answer within {resource_limits.seconds} s") from error
        if len(ending) < STATUS.size:
            self.end()  # its sockets close before the process can be reaped
            raise SandboxUnavailable("the process that keeps the decoders has died")
        _check_ending(*STATUS.unpack(ending))
        if answer is None:
            raise Crashed("it ended without an answer")
        return answer

    def _send_ends(self, *ends: socket.socket) -> None:
        """Pass a worker its ends of two sockets and close them here, so that its death closes both."""
        try:
            with self._lock:
                socket.send_fds(self._orders, [b"x"], [end.fileno() for end in ends])
        except OSError as error:
            raise SandboxUnavailable("the process that keeps the decoders has died") from error
        for end in ends:
            end.close()


def _converse(
    line: socket.socket,
    status: socket.socket,
    order: bytes,
    data: bytes,
    resource_limits: ResourceLimits,
    deadline: float,
) -> tuple[Any, bytearray] | None:
    """Send the order and the data and receive the answer; None if the worker died first."""
    try:
        for part in (LENGTH.pack(len(order)), order, data):
            line.settimeout(_left(deadline))
            line.sendall(part)
        line.shutdown(socket.SHUT_WR)
        if not _has_answer(line, status, deadline):
            return None
        answer = _receive_part(line, _LONGEST_ANSWER, deadline)
        body = None if answer is None else _receive_part(line, resource_limits.body, deadline)
        return None if answer is None or body is None else (json.loads(answer), body)
    except TimeoutError:
        raise
    except (OSError, ValueError, RecursionError):  # the latter two: invalid JSON, or nested too deeply
        return None


def _has_answer(line: socket.socket, status: socket.socket, deadline: float) -> bool:
    """Wait for an answer (True), or for the worker or the zygote, which it may outlive, to end without one (False)."""
    with selectors.DefaultSelector() as selector:
        for end in (line, status):
            selector.register(end, selectors.EVENT_READ)
        ready = selector.select(_left(deadline))
    if not ready:
        raise TimeoutError
    return any(key.fileobj is line for key, _ in ready)


def _receive_part(line: socket.socket, longest: int, deadline: float) -> bytearray | None:
    """Receive a length-prefixed part; None if it exceeds `longest` or is truncated."""
    head = _receive(line, LENGTH.size, deadline)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    if length > longest:
        return None
    part = _receive(line, length, deadline)
    return part if len(part) == length else None


def _receive(line: socket.socket, length: int, deadline: float) -> bytearray:
    """Receive `length` bytes, or fewer if the peer closes first."""
    buffer = bytearray(length)
    got = 0
    with memoryview(buffer) as view:
        while got < length:
            line.settimeout(_left(deadline))
            count = line.recv_into(view[got:])
            if count == 0:
                break
            got += count
    return buffer if got == length else buffer[:got]


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _check_ending(code: int) -> None:
    """Raise the exception for a worker's exit code (negative: the signal that ended it)."""
    if code == -signal.SIGALRM:
        raise WallClockTimeout("it reached its limit on time by the clock")
    if code == -signal.SIGXCPU:
        raise CpuTimeLimitExceeded("it reached its limit on time of the processor")
    if code == NO_MEMORY:
        raise MemoryLimitExceeded("it reached its limit on memory")
    if code == -signal.SIGKILL:
        raise _Killed("it was killed")
    if code:
        raise Crashed(signal.Signals(-code).name if code < 0 else f"exit code {code}")
