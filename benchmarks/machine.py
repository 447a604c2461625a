"""What the figures were measured on."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

REPEATS = 10


def print_machine(float32: bool) -> None:
    """Versions, cores, and how fast they multiply; `float32` says that networks are to do without bfloat16."""
    import torch
    from torch.nn import functional

    from stylizer.compute import autocast_dtype, available_cores

    extensions = torch.backends.cpu.get_cpu_capability()
    precision = torch.float32 if float32 else autocast_dtype()
    print(f"torch {torch.__version__}, {available_cores()} cores, {extensions}; networks in {precision}")
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.ones(2048, 2048, dtype=dtype)
        image, filters = (
            torch.ones(shape, dtype=dtype).to(memory_format=torch.channels_last)
            for shape in ((1, 256, 64, 64), (256, 256, 3, 3))
        )
        product = least_seconds(partial(torch.mm, matrix, matrix))
        convolution = least_seconds(partial(functional.conv2d, image, filters, padding=1))
        print(
            f"{dtype}: 2048-cube matrix product {2 * 2048**3 / product / 1e9:.0f} GFLOP/s; 3x3 convolution from 256 to "
            f"256 channels at 64x64, channels last, {1e3 * convolution:.1f} ms, "
            f"{2 * 9 * 256**2 * 64**2 / convolution / 1e9:.0f} GFLOP/s"
        )


def least_seconds(work: Callable[[], object]) -> float:
    """Of several times, after one to warm up."""
    work()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)
