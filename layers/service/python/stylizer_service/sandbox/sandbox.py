"""Work on strangers' data in processes of its own, where a crash, a hang or a bomb ends nothing but itself.

The libraries that read pictures are C, and are fed by anyone. So they run elsewhere: a zygote (`sandbox.zygote`), which
has loaded them and never touches data, forks for each piece of work, and the fork takes limits on memory and time upon
itself before it reads a byte. No file system is needed, nor shared memory, which AWS Lambda does not have: data and
answers go over sockets. What comes back is JSON and bytes, and is checked; nothing a fork says is ever run.
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
"""The exit code of a fork that had too little."""
_LONGEST_ANSWER = 2**20
_GRACE = 5.0  # seconds beyond its own limit after which a fork, and its zygote with it, are ended from here
# What Python and the loader of libraries need. Nothing else of the environment, which may hold secrets, is passed on.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE")
_OF_KEEPERS = {
    "OPENBLAS_NUM_THREADS": "1",  # its threads would be lost in a fork
    # Each thread reserves up to 64 MiB of addresses for an arena of its own, and addresses are what is limited.
    "MALLOC_ARENA_MAX": "1",
}


class SandboxError(Exception):
    """The work was not finished."""


class Crashed(SandboxError):
    """It ended its process: most likely the data reached a bug of a library."""


class CpuTimeLimitExceeded(SandboxError):
    """It took more time than it may."""


class WallClockTimeout(CpuTimeLimitExceeded):
    """Its time by the clock was over, and not that of the processor: the machine may just be busy."""


class MemoryLimitExceeded(SandboxError):
    """It took more memory than there is."""


class SandboxUnavailable(Exception):
    """There is no zygote, and it is no fault of the data: what it says on stderr tells why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimits:
    """What one piece of work may take.

    Attributes:
        memory: Bytes of addresses beyond those that the libraries take. Not enforced on macOS, which cannot.
        cpu_seconds: Of all its threads together.
        seconds: From start to end, whatever else the machine is doing.
        body: Longest body of an answer, bytes.
    """

    memory: int
    cpu_seconds: int
    seconds: int
    body: int = 0


class Sandbox:
    """Has one function work on data, each time in a fork of its zygote. Safe to share among threads.

    Args:
        function: "module:name" of a function (request, data) -> (answer, body). Of those, `request` and `answer` are
            what JSON can hold, `data` and `body` bytes. It is told of too little memory by a MemoryError, which it
            may let pass; any other error that it lets pass counts as a crash.
        at_once: How many pieces of work may go on at a time; others wait for their turn.
    """

    def __init__(self, function: str, *, at_once: int = 1):
        self._function = function
        self._turns = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._zygote: _Zygote | None = None

    def start(self) -> None:
        """Start the zygote, if none is there, without waiting until it is ready."""
        self._living_zygote()

    def close(self) -> None:
        """End the zygote and all work. The next piece of work starts another."""
        with self._lock:
            if self._zygote is not None:
                self._zygote.end()
            self._zygote = None

    def run(self, request: Mapping[str, Any], data: bytes, resource_limits: ResourceLimits) -> tuple[Any, bytearray]:
        """Have the function work on the data.

        Args:
            request: Its first argument.
            data: Its second.
            resource_limits: What it may take.

        Raises:
            SandboxError: One kind for each thing that can end the work.
            SandboxUnavailable: Not the work was ended but its zygote, twice; or there can be none now.
        """
        order = json.dumps({"resource_limits": asdict(resource_limits), "request": request}).encode()
        with self._turns:
            try:
                return self._try(order, data, resource_limits)
            except (_Killed, SandboxUnavailable):
                pass  # by a person perhaps, or by the system for another's sake: once is no sign
            try:
                return self._try(order, data, resource_limits)
            except _Killed as error:
                raise MemoryLimitExceeded("the system killed it twice") from error

    def _try(self, order: bytes, data: bytes, resource_limits: ResourceLimits) -> tuple[Any, bytearray]:
        try:
            return self._living_zygote().run(order, data, resource_limits)
        except OSError as error:  # the system has no more processes, or handles of files
            raise SandboxUnavailable(f"there is no process to be had for this: {error}") from error

    def _living_zygote(self) -> _Zygote:
        with self._lock:
            if self._zygote is None or not self._zygote.is_alive():
                if self._zygote is not None:
                    self._zygote.end()
                self._zygote = _Zygote(self._function)
            return self._zygote


class _Killed(Exception):
    """The fork was killed from outside."""


class _Zygote:
    """The process that forks."""

    def __init__(self, function: str):
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | _OF_KEEPERS
        with theirs:
            # Its own session: Ctrl-C is not for it. It ends when it reads the end of its stdin, whatever ended us.
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
        """Kill it and its forks; safe to call again."""
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
                line.close()  # so that a fork with more to say does not wait for a listener
                ending = _receive(status, STATUS.size, deadline)
            except TimeoutError as error:
                self.end()  # its own limits should have ended it long ago
                raise WallClockTimeout(f"no answer within {resource_limits.seconds} s") from error
        if len(ending) < STATUS.size:
            self.end()  # it closes its lines before it is dead to the system
            raise SandboxUnavailable("the process that keeps the decoders has died")
        _check_ending(*STATUS.unpack(ending))
        if answer is None:
            raise Crashed("it ended without an answer")
        return answer

    def _send_ends(self, *ends: socket.socket) -> None:
        """Hand a fork its ends of two lines, and let go of them here, so that its death is the end of both."""
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
    """Send the order and the data, receive the answer; None where the other end has died before it was done."""
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
    except (OSError, ValueError, RecursionError):  # of an answer that is no JSON, or a thousand brackets deep
        return None


def _has_answer(line: socket.socket, status: socket.socket, deadline: float) -> bool:
    """Wait until there is an answer, or an end without one: of the fork, or of the zygote, which it may outlive."""
    with selectors.DefaultSelector() as selector:
        for end in (line, status):
            selector.register(end, selectors.EVENT_READ)
        ready = selector.select(_left(deadline))
    if not ready:
        raise TimeoutError
    return any(key.fileobj is line for key, _ in ready)


def _receive_part(line: socket.socket, longest: int, deadline: float) -> bytearray | None:
    """What comes after its length; None if it is longer than it may be, or cut short."""
    head = _receive(line, LENGTH.size, deadline)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    if length > longest:
        return None
    part = _receive(line, length, deadline)
    return part if len(part) == length else None


def _receive(line: socket.socket, length: int, deadline: float) -> bytearray:
    """So many bytes, or fewer if the other end closes before."""
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
    """Raise what an exit code of a fork, minus the signal that ended it, means."""
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
