"""How much of the processor a painting may use."""

from __future__ import annotations

import gc
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cores(quota_file: Path = CGROUP_QUOTA) -> int:
    """Cores this process may keep busy: those it may run on, cut down to the container's quota; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, math.floor(int(quota) / int(period))))


def use_available_cores() -> None:
    """Set torch's threads to `available_cores()`; for programs to call once, since the library never does.

    Torch itself counts the machine's cores, and in a container with a quota its threads then wait for each other.
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


def autocast(dtype: torch.dtype, device: str = "cpu") -> torch.autocast:
    """Compute in `dtype` what can be: a context for networks, which changes nothing where that is float32."""
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
    else:
        abilities = torch.cpu.get_capabilities()
        fast = bool(abilities.get("amx_bf16") or abilities.get("avx512_bf16"))
    return torch.bfloat16 if fast else torch.float32
