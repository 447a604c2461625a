"""What a painting is computed on: the device, how much of it, and how exactly."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from stylizer.cores import available_cores
from stylizer.errors import OptionError

if TYPE_CHECKING:
    import torch

DEVICE_VARIABLE = "STYLIZER_DEVICE"
# oneDNN's names of instruction sets that multiply no bfloat16.
_ISAS_WITHOUT_BFLOAT16 = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}
_TASKS = Path("/proc/self/task")  # one entry a thread
SPIN_COUNT = "100"  # iterations of GNU OpenMP's busy wait

# The C library of this process where it is GNU's; other systems manage memory otherwise.
_GLIBC = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # as malloc.h has them
_ALL = 2**31 - 1  # bytes, and the most that can be said
_is_configured = False
_threads_of_imports = 0
_has_threads = False
_has_lost_threads = False


def set_thread_defaults() -> None:
    """Make waiting OpenMP threads sleep soon, unless the user's environment says how they shall wait.

    GNU OpenMP's threads spin at every barrier. Beside a process that uses a core, they take the processor from the
    thread they wait for, and a painting takes many times as long (docs/benchmarks.md, "Beside busy processes"). A short
    spin avoids that, and is free on an idle machine. GOMP_SPINCOUNT is for GNU's runtime, which torch's builds for
    Linux use, and overrides OMP_WAIT_POLICY there; the latter is for other runtimes.

    Both are read once, when torch is loaded. Importing `stylizer` calls this; in a program that loads torch earlier
    they have no effect.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


def load_torch() -> None:
    """Import torch, and note how many threads NumPy and torch have started by that alone."""
    global _threads_of_imports
    if "torch" not in sys.modules:
        import numpy  # noqa: F401 - for its BLAS, which starts threads and survives a fork
        import torch  # noqa: F401

        _threads_of_imports = _native_threads()


def configure_process() -> None:
    """Configure this process for painting: threads, garbage collection, malloc.

    For programs to call once, before torch is loaded. The library does not call it, since all of it holds for the whole
    process. Torch itself counts the machine's cores and knows no quota; where OMP_NUM_THREADS does not say otherwise,
    there are as many threads as `available_cores()`.
    """
    # What torch makes when it is imported is a million objects that stay: looking through them for garbage, while they
    # are made and ever after, took a tenth of a second of the first painting.
    gc.disable()
    load_torch()
    import torch

    gc.freeze()
    gc.enable()
    if not os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(available_cores())
    _keep_memory(_ALL)
    global _is_configured
    _is_configured = True


def _keep_memory(up_to: int) -> None:
    """Make malloc reuse freed blocks up to `up_to` bytes instead of returning them to the system.

    By itself GNU's library asks the system for every larger block, and the system fills each with zeros, page by page,
    when it is first written to. A painting makes and drops such blocks by the thousand: that was a sixth to a third of
    its time.
    """
    if _GLIBC is not None:
        _GLIBC.mallopt(_M_MMAP_THRESHOLD, up_to)
        _GLIBC.mallopt(_M_TRIM_THRESHOLD, _ALL)


def trim_malloc() -> None:
    """Return free memory to the system, which a configured process does not do by itself.

    Between paintings, so that an idle process is a small one; and in large ones.
    """
    if _GLIBC is not None:
        _GLIBC.malloc_trim(0)


@contextmanager
def trim_large_allocations(over: int) -> Iterator[None]:
    """Return large blocks to the system as soon as they are freed, which a configured process does not do otherwise.

    For large paintings: between kept blocks of unlike sizes, gaps add up that no other block fits into. Returning them
    takes time.

    Args:
        over: Size in bytes from which on a block is large.
    """
    if not _is_configured:
        yield
        return
    _keep_memory(over)
    try:
        yield
    finally:
        _keep_memory(_ALL)


@contextmanager
def independent_of_caller() -> Iterator[None]:
    """Compute the same whatever the calling program set, and wherever it was forked.

    - New tensors are on the CPU unless a device is named, even if `torch.set_default_device` says otherwise. That
      default belongs to the thread, and so does this context. The default dtype belongs to the process: code in this
      package names its dtypes instead.
    - In a child forked after OpenMP's threads were started there is one thread: GNU OpenMP's other threads do not exist
      in the child, and waiting for them would never end.
    """
    import torch

    on_cpu = nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu")
    threads = torch.get_num_threads()
    with on_cpu:
        if not _has_lost_threads or threads == 1:
            yield
            return
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _native_threads() -> int:
    """Count the threads that Python did not start, such as OpenMP's; 0 where there is no procfs, nor GNU OpenMP."""
    try:
        return len(list(_TASKS.iterdir())) - threading.active_count()
    except OSError:
        return 0


def _note_threads() -> None:
    """Before a fork: note whether more threads than those of the imports run, which the child would wait for.

    In a program that had loaded torch before this package did, nothing is known of the imports, and any thread counts.
    OpenMP's threads stay once they have been started.
    """
    global _has_threads
    _has_threads = _has_threads or ("torch" in sys.modules and _native_threads() > _threads_of_imports)


def _recount_threads() -> None:
    """After a fork: lower the number of threads of the imports. NumPy's BLAS has ended its own to survive the fork."""
    global _threads_of_imports
    _threads_of_imports = min(_threads_of_imports, _native_threads())


def _note_lost_threads() -> None:
    """In the child of a fork: remember what the parent noted."""
    global _has_lost_threads
    _has_lost_threads = _has_lost_threads or _has_threads
    _recount_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_note_threads, after_in_parent=_recount_threads, after_in_child=_note_lost_threads)


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


def _onednn_may_use_bfloat16() -> bool:
    """Whether the environment leaves bfloat16 instructions to oneDNN, whose reference code is many times as slow."""
    most = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or ""
    return most.upper() not in _ISAS_WITHOUT_BFLOAT16


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
        fast = _onednn_may_use_bfloat16() and bool(abilities.get("amx_bf16") or abilities.get("avx512_bf16"))
    else:
        fast = False
    return torch.bfloat16 if fast else torch.float32
