"""Fuzzing targets and their outcomes."""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stylizer.images import Limits
from stylizer_painter import decoding
from stylizer_service.ports import Unavailable
from stylizer_service.probe import Probe
from stylizer_service.problems import ProblemError
from stylizer_service.sandbox.sandbox import (
    CpuTimeLimitExceeded,
    Crashed,
    MemoryLimitExceeded,
    ResourceLimits,
    Sandbox,
    SandboxError,
)
from stylizer_service.settings import Settings

# Limit for the library in the caller's process, where nothing but the library's own checks bounds the time.
_LIBRARY_SECONDS = 30
_LOOKS = 20
ACCEPTED = "accepted"
_OPTIONS: dict[str, Any] = {"painted_size": 64, "keep_metadata": "exif+gps"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of one input.

    Attributes:
        verdict: "accepted", the problem code, or how the fork ended.
        size: (width, height) of an accepted image.
        seconds: Wall-clock time.
        peak: Peak memory of the decoder above its initial memory, MiB.
        crash: Signal that killed the fork.
        defect: Violated invariant, if any.
    """

    verdict: str
    size: tuple[int, int] | None = None
    seconds: float = 0.0
    peak: float = 0.0
    crash: str | None = None
    defect: str | None = None


def measured(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """In a fork: decode as for the painter, and return the cost instead of the pixels."""
    before = _memory("VmRSS")
    answer, _ = decoding.work(request, data)
    return answer | {"peak": (_memory("VmHWM") - before) / 2**10, "zygote": os.getppid()}, b""


def repeated(request: dict[str, Any], data: bytes) -> tuple[list[float], bytes]:
    """In a fork: decode many files one after the other, for a number of rounds.

    Returns:
        Memory of the process after each round, MiB.
    """
    files, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        files.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    rounds = []
    for _ in range(request["rounds"]):
        for file in files:
            decoding.work(request, file)
        rounds.append(_memory("VmRSS") / 2**10)
    return rounds, b""


def _memory(name: str, process: int | str = "self") -> int:
    """Return a memory figure of a process in KiB; 0 if the system does not report it."""
    status = Path(f"/proc/{process}/status")
    found = re.search(rf"{name}:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) if found else 0


def _open_files(process: int | str) -> int:
    """Return a process's open files after a delay: it reports the end of a fork before it closes the pipe to it."""
    time.sleep(0.02)
    files = Path(f"/proc/{process}/fd")
    return len(list(files.iterdir())) if files.exists() else 0


class Targets:
    """The API's probe, the painters' decoder and the library itself, each in forks.

    Args:
        limits: Image limits.
    """

    NAMES = ("probe", "decoder", "library")

    def __init__(self, limits: Limits):
        settings = Settings.model_validate({"max_pixels": limits.max_pixels})
        self._limits = limits
        self._probe = Probe(settings)
        self._guard = Sandbox("tools.fuzz.targets:measured", at_once=8)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        with closing(self._guard):
            pass

    def feed(self, target: str, data: bytes) -> Outcome:
        """Feed an input to a target; return the outcome."""
        feeds: dict[str, Callable[[bytes], Outcome]] = {
            "probe": self._feed_probe,
            "decoder": lambda data: self._decode(data, decoding.resource_limits(self._limits)),
            "library": self._read_directly,
        }
        began = time.monotonic()
        try:
            outcome = feeds[target](data)
        except Exception as error:
            outcome = Outcome("escaped", defect=f"{type(error).__name__} escaped: {error}")
        return replace(outcome, seconds=time.monotonic() - began)

    def _feed_probe(self, data: bytes) -> Outcome:
        try:
            file = self._probe.read(io.BytesIO(data), field="content")
            found = self._probe.check(file, field="content", painted_size=_OPTIONS["painted_size"])
        except ProblemError as error:
            outcome = _ended(error.__cause__)
            return outcome or Outcome(error.problem.code)
        except Unavailable:  # on a machine too busy to respond within the caller's timeout
            return Outcome("come again")
        return Outcome(ACCEPTED, (found.width, found.height))

    def keeper_figures(self) -> tuple[float, int]:
        """Return memory (MiB) and open files of the sandbox server; 0 where the system does not report them."""
        request = {"limits": asdict(self._limits), "field": "content", "options": _OPTIONS}
        answer, _ = self._guard.run(request, b"x", decoding.resource_limits(self._limits))
        return _memory("VmRSS", answer["zygote"]) / 2**10, min(_open_files(answer["zygote"]) for _ in range(_LOOKS))

    def growth(self, files: list[bytes], rounds: int = 4) -> float:
        """Return the growth in MiB, after the first round, of a process that decodes the same files repeatedly."""
        data = b"".join(len(file).to_bytes(4, "big") + file for file in files)
        request = {"limits": asdict(self._limits), "field": "content", "options": _OPTIONS, "rounds": rounds}
        resource_limits = replace(decoding.resource_limits(self._limits), cpu_seconds=200, seconds=400)
        with closing(Sandbox("tools.fuzz.targets:repeated")) as sandbox:
            after, _ = sandbox.run(request, data, resource_limits)
        return float(after[-1] - after[0])

    def _read_directly(self, data: bytes) -> Outcome:
        outcome = self._decode(data, replace(decoding.resource_limits(self._limits), cpu_seconds=_LIBRARY_SECONDS))
        if outcome.verdict in ("too slow", "too much memory"):
            return replace(outcome, defect=f"the library alone: {outcome.verdict}")
        return outcome

    def _decode(self, data: bytes, resource_limits: ResourceLimits) -> Outcome:
        request = {"limits": asdict(self._limits), "field": "content", "options": _OPTIONS}
        try:
            answer, _ = self._guard.run(request, data, resource_limits)
        except SandboxError as error:
            outcome = _ended(error)
            assert outcome is not None
            return outcome
        if "code" in answer:
            return Outcome(answer["code"], peak=answer["peak"])
        height, width = answer["shape"]
        return Outcome(ACCEPTED, tuple(answer["reduced_from"] or (width, height)), peak=answer["peak"])


def _ended(error: BaseException | None) -> Outcome | None:
    """Return the outcome for a fork that ended abnormally, or None."""
    if isinstance(error, Crashed):
        words = str(error)
        if words.startswith("SIG"):
            return Outcome("crashed", crash=words)
        return Outcome("crashed", defect=f"an error that is no refusal: {words}")
    if isinstance(error, MemoryLimitExceeded):
        return Outcome("too much memory")
    if isinstance(error, CpuTimeLimitExceeded):
        is_hang = "no answer" in str(error)
        return Outcome("too slow", defect="a hang that its own limits did not end" if is_hang else None)
    return None
