"""What a painting is computed on: the device, how much of it, and how exactly."""

from __future__ import annotations

import ctypes
import gc
import math
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stylizer.errors import OptionError

if TYPE_CHECKING:
    import torch

CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")
DEVICE_VARIABLE = "STYLIZER_DEVICE"

# The C library of this process where it is GNU's; other systems manage memory otherwise.
_GLIBC = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # as malloc.h has them
_ALL = 2**31 - 1  # bytes, and the most that can be said
_is_set_up = False


def available_cores(quota_file: Path = CGROUP_QUOTA) -> int:
    """Cores this process may keep busy: those it may run on, cut down to the container's quota; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, math.floor(int(quota) / int(period))))


def set_up_process() -> None:
    """Make this process a good one to paint in: its threads, its garbage, its memory.

    For programs to call once, before torch is loaded; the library never does, since all of it holds for the whole
    process. Torch itself counts the machine's cores, and in a container with a quota its threads then wait for each
    other: here they are `available_cores()`.
    """
    # By default threads spin for long while they wait, and take the processor from those that work: on a busy machine
    # that made painting several times as slow. A short spin costs little there and saves a third on a quiet machine.
    # Read once, when torch loads; the second is for GNU's library and overrides the first.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    # What torch makes when it is imported is a million objects that stay: looking through them for garbage, while they
    # are made and ever after, took a tenth of a second of the first painting.
    gc.disable()
    import torch

    gc.freeze()
    gc.enable()
    torch.set_num_threads(available_cores())
    _keep_memory(_ALL)
    global _is_set_up
    _is_set_up = True


def _keep_memory(up_to: int) -> None:
    """Have pieces of memory of so many bytes that were let go of used again, instead of given back and asked for anew.

    By itself GNU's library asks the system for every larger piece, and the system fills each with zeros, page by page,
    when it is first written to. A painting makes and drops such pieces by the thousand: that was a sixth to a third of
    its time.
    """
    if _GLIBC is not None:
        _GLIBC.mallopt(_M_MMAP_THRESHOLD, up_to)
        _GLIBC.mallopt(_M_TRIM_THRESHOLD, _ALL)


def give_back_memory() -> None:
    """Give memory that holds nothing back to the system, which a process that is set up does not do by itself.

    Between paintings, so that a process which waits is a small one; and in large ones.
    """
    if _GLIBC is not None:
        _GLIBC.malloc_trim(0)


@contextmanager
def large_pieces_given_back(over: int) -> Iterator[None]:
    """Keep less memory than a process that is set up otherwise does, for the sake of large paintings.

    Between pieces of unlike sizes that are kept, gaps add up that no other fits into. Giving the large ones back takes
    time.

    Args:
        over: From how many bytes on a piece is a large one.
    """
    if not _is_set_up:
        yield
        return
    _keep_memory(over)
    try:
        yield
    finally:
        _keep_memory(_ALL)


def device() -> torch.device:
    """Where to paint: on what STYLIZER_DEVICE names ("cpu", "cuda", "cuda:1"), or else on a GPU if there is one.

    Raises:
        OptionError: The variable names something else, or a device that is not there.
    """
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    wanted = os.environ.get(DEVICE_VARIABLE) or ("cuda" if count else "cpu")
    named = re.fullmatch(r"cpu|cuda(?::(\d+))?", wanted, re.ASCII)
    if named is None or (wanted != "cpu" and int(named[1] or 0) >= count):
        allowed = ["cpu", *(["cuda"] if count else []), *(f"cuda:{index}" for index in range(count))]
        detail = f"{DEVICE_VARIABLE}, in the environment, is {wanted!r}; on this machine it can be {', '.join(allowed)}"
        raise OptionError(detail, field=DEVICE_VARIABLE, allowed=allowed)
    return torch.device(wanted)


@contextmanager
def exact_float32() -> Iterator[None]:
    """Multiply float32 in all its bits, and by the same algorithms every time, on a GPU as on a processor.

    Torch lets cuDNN round what float32 convolutions multiply to TF32, whose fractions have 10 bits. Here all that
    may be rounded is in bfloat16 already (`autocast`), which is quicker still. What is left in float32 is there for its
    exactness: colors, where 10 bits are no more than four steps to a shade, and distances of patches and statistics,
    which are small differences of large numbers.

    These are settings of the process; what they were before comes back.
    """
    import torch

    convolutions, products = torch.backends.cudnn.conv, torch.backends.cuda.matmul  # type: ignore[attr-defined]
    before = convolutions.fp32_precision, products.fp32_precision, torch.backends.cudnn.deterministic
    convolutions.fp32_precision = products.fp32_precision = "ieee"
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        convolutions.fp32_precision, products.fp32_precision, torch.backends.cudnn.deterministic = before


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory could not be had: that of a GPU, or the computer's own."""
    import torch

    # For the latter torch has no exception of its own, but its allocator names itself in every refusal.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(error)


def autocast(dtype: torch.dtype, device: str) -> torch.autocast:
    """Compute in `dtype` what can be: a context for networks, which changes nothing where that is float32.

    Args:
        dtype: See `autocast_dtype`.
        device: The type of device of what is computed, as torch names it: "cpu" or "cuda".
    """
    import torch

    return torch.autocast(device, dtype, enabled=dtype != torch.float32)


def autocast_dtype(device: str = "cpu") -> torch.dtype:
    """The precision for neural networks on `device`: bfloat16 where it is multiplied in hardware, else float32.

    Elsewhere bfloat16 is emulated, and slower than float32.

    Args:
        device: A type of device as torch names it: "cpu" or "cuda".
    """
    import torch

    if device == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device == "cpu":
        abilities = torch.cpu.get_capabilities()
        fast = bool(abilities.get("amx_bf16") or abilities.get("avx512_bf16"))
    else:
        fast = False
    return torch.bfloat16 if fast else torch.float32
