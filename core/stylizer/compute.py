"""Compute environment: device, threads, precision and memory."""

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
# oneDNN's names of instruction sets without bfloat16 products.
_ISAS_WITHOUT_BFLOAT16 = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}
_TASKS = Path("/proc/self/task")  # one entry per thread
SPIN_COUNT = "100"  # iterations of GNU OpenMP's busy wait

# The C library if it is glibc; other allocators need no tuning.
_GLIBC = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # as malloc.h has them
_MAX_BYTES = 2**31 - 1  # the largest value that mallopt accepts
_is_configured = False
_threads_of_imports = 0
_has_threads = False
_has_lost_threads = False


def set_thread_defaults() -> None:
    """Let waiting OpenMP threads sleep early, unless the environment sets a wait policy.

    GNU OpenMP's threads spin at every barrier. On a machine with other busy processes they take CPU time from the
    thread they wait for, which slows a painting many times (docs/benchmarks.md, "Beside busy processes"). A short spin
    avoids that, and costs nothing on an idle machine. GOMP_SPINCOUNT is read by GNU's runtime, which torch's Linux
    builds use, and overrides OMP_WAIT_POLICY there; the latter is for other runtimes.

    Both are read once, when torch is loaded. Importing `stylizer` calls this function; it has no effect in a program
    that loads torch earlier.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


def load_torch() -> None:
    """Import torch, and record the number of threads that the imports of NumPy and torch start."""
    global _threads_of_imports
    if "torch" not in sys.modules:
        import numpy  # noqa: F401 - its BLAS starts threads, and survives a fork
        import torch  # noqa: F401

        _threads_of_imports = _native_threads()


def configure_process() -> None:
    """Configure this process for painting: threads, garbage collection, malloc.

    Programs call it once, before torch is loaded. The library does not, since the settings are process-wide. The number
    of threads is OMP_NUM_THREADS, by default `available_cores()`; torch's own default ignores quotas.
    """
    # Importing torch creates a million long-lived objects. Exempting them from garbage collection saves a tenth of a
    # second of the first painting.
    gc.disable()
    load_torch()
    import torch

    gc.freeze()
    gc.enable()
    if not os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(available_cores())
    _set_malloc_thresholds(_MAX_BYTES)
    global _is_configured
    _is_configured = True


def _set_malloc_thresholds(up_to: int) -> None:
    """Make malloc reuse freed blocks up to `up_to` bytes instead of returning them to the system.

    By default glibc maps every larger block on each allocation, and the kernel zeroes its pages on first access. A
    painting allocates thousands of them, which took a sixth to a third of its time.
    """
    if _GLIBC is not None:
        _GLIBC.mallopt(_M_MMAP_THRESHOLD, up_to)
        _GLIBC.mallopt(_M_TRIM_THRESHOLD, _MAX_BYTES)


def trim_malloc() -> None:
    """Return free memory to the system, which a configured process does not do by itself.

    Called between paintings, to keep idle processes small, and within large ones.
    """
    if _GLIBC is not None:
        _GLIBC.malloc_trim(0)


@contextmanager
def trim_large_allocations(over: int) -> Iterator[None]:
    """Return large blocks to the system as soon as they are freed, which a configured process does not do otherwise.

    For large paintings, whose freed blocks of different sizes fragment the heap. Costs time.

    Args:
        over: Size in bytes from which a block is large.
    """
    if not _is_configured:
        yield
        return
    _set_malloc_thresholds(over)
    try:
        yield
    finally:
        _set_malloc_thresholds(_MAX_BYTES)


@contextmanager
def independent_of_caller() -> Iterator[None]:
    """Isolate the computation from the caller's torch defaults and from forks.

    - New tensors are on the CPU unless a device is given, regardless of `torch.set_default_device`. That default is
      thread-local, as is this context. The default dtype is process-wide, so code in this package always passes dtypes.
    - A child forked after OpenMP's threads were started uses one thread: the others do not exist in the child, and
      waiting for them would deadlock.
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
    """Count the threads that Python did not start, such as OpenMP's; 0 on systems without procfs."""
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
    """Return the device named by STYLIZER_DEVICE ("cpu", "cuda", "cuda:1"); by default a GPU if available.

    Raises:
        OptionError: The value is invalid, or the device is not available.
    """
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    name = os.environ.get(DEVICE_VARIABLE) or ("cuda" if count else "cpu")
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", name, re.ASCII)
    if match is None or (name != "cpu" and int(match[1] or 0) >= count):
        allowed = ["cpu", *(["cuda"] if count else []), *(f"cuda:{index}" for index in range(count))]
        detail = f"{DEVICE_VARIABLE}, in the environment, is {name!r}; on this machine it can be {', '.join(allowed)}"
        raise OptionError(detail, field=DEVICE_VARIABLE, allowed=allowed)
    return torch.device(name)


@contextmanager
def exact_float32() -> Iterator[None]:
    """Disable TF32 and nondeterministic cuDNN algorithms.

    By default torch lets cuDNN round the factors of float32 convolutions to TF32, with a 10-bit fraction. Here all
    that tolerates rounding is in bfloat16 already (`autocast`), which is faster still. float32 is used where precision
    matters: colors, where 10 bits give only four steps per 8-bit shade, and distances of patches and statistics, which
    are small differences of large numbers.

    The settings are process-wide and restored on exit.
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
    """Return whether `error` is a failed allocation, on a GPU or on the host."""
    import torch

    # torch has no exception type for the latter, but its CPU allocator names itself in the message.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(error)


def autocast(dtype: torch.dtype, device: str) -> torch.autocast:
    """Return the autocast context of networks for `dtype`, which does nothing for float32.

    Args:
        dtype: See `autocast_dtype`.
        device: Device type, "cpu" or "cuda".
    """
    import torch

    return torch.autocast(device, dtype, enabled=dtype != torch.float32)


def _onednn_may_use_bfloat16() -> bool:
    """Return whether the environment lets oneDNN use bfloat16 instructions; its reference code is many times slower."""
    max_isa = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or ""
    return max_isa.upper() not in _ISAS_WITHOUT_BFLOAT16


def autocast_dtype(device: str = "cpu") -> torch.dtype:
    """Return the precision of networks on `device`: bfloat16 where the hardware multiplies it, else float32.

    Emulated bfloat16 is slower than float32.

    Args:
        device: Device type, "cpu" or "cuda".
    """
    import torch

    if device == "cuda":
        supported = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device == "cpu":
        capabilities = torch.cpu.get_capabilities()
        supported = _onednn_may_use_bfloat16() and bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
    else:
        supported = False
    return torch.bfloat16 if supported else torch.float32
