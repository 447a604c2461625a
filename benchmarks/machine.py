"""Description of the benchmark machine, and its load from other processes."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

REPEATS = 10
PROCESSORS = Path("/proc/stat")


@dataclass(frozen=True)
class Machine:
    """Machine properties that affect painting time.

    Attributes:
        processor: Name, as reported by the system.
        cores: Usable cores.
        memory: GiB.
        system: Operating system.
        python: Version.
        torch: Version.
        extensions: Instruction set extensions relevant to networks.
        precision: Precision of the networks' matrix products.
        product: GFLOP/s of a product of two 2048 x 2048 matrices, in float32 and bfloat16.
        convolution: Milliseconds of a 3x3 convolution from 256 to 256 channels at 64 x 64, in float32 and bfloat16.
    """

    processor: str
    cores: int
    memory: float
    system: str
    python: str
    torch: str
    extensions: str
    precision: str
    product: tuple[float, float]
    convolution: tuple[float, float]


def describe_machine(float32: bool) -> Machine:
    """Describe this machine; `float32` means that networks must not use bfloat16."""
    import torch
    from torch.nn import functional

    from stylizer.compute import autocast_dtype
    from stylizer.cores import available_cores

    products, convolutions = [], []
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.ones(2048, 2048, dtype=dtype)
        image, filters = (
            torch.ones(shape, dtype=dtype).to(memory_format=torch.channels_last)
            for shape in ((1, 256, 64, 64), (256, 256, 3, 3))
        )
        products.append(2 * 2048**3 / least_seconds(partial(torch.mm, matrix, matrix)) / 1e9)
        convolutions.append(1e3 * least_seconds(partial(functional.conv2d, image, filters, padding=1)))
    abilities = torch.cpu.get_capabilities()
    names = {"AVX512-BF16": "avx512_bf16", "AMX": "amx_tile"}
    named = [name if abilities.get(ability) else f"no {name}" for name, ability in names.items()]
    return Machine(
        processor=_processor(),
        cores=available_cores(),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        python=platform.python_version(),
        torch=torch.__version__,
        extensions=", ".join([torch.backends.cpu.get_cpu_capability(), *named]),
        precision="float32" if float32 else str(autocast_dtype()).removeprefix("torch."),
        product=(products[0], products[1]),
        convolution=(convolutions[0], convolutions[1]),
    )


def _processor() -> str:
    """Return the name reported by Linux, or elsewhere by Python."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def least_seconds(work: Callable[[], object]) -> float:
    """Return the minimum seconds over several runs, after a warm-up run."""
    work()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


class Others:
    """CPU load from other processes while ours runs, as a fraction of all CPU time, 0 to 1.

    The load average would include us, and lags behind by a minute.
    """

    def __init__(self) -> None:
        self._busy, self._all = _processor_seconds()
        self._ours = _own_seconds()

    def share(self) -> float:
        """Return the load since creation; 0 if the system does not report it."""
        busy, everything = _processor_seconds()
        passed = everything - self._all
        if not passed:
            return 0.0
        return max(0.0, (busy - self._busy - (_own_seconds() - self._ours)) / passed)


def _processor_seconds() -> tuple[float, float]:
    """Return the seconds of all CPUs since boot: busy (including stolen), and total."""
    if not PROCESSORS.exists():
        return 0.0, 0.0
    # user, nice, system, idle, iowait, irq, softirq, steal; guest time is already included in user
    spent = [int(field) / os.sysconf("SC_CLK_TCK") for field in PROCESSORS.read_text().split()[1:9]]
    return sum(spent) - spent[3] - spent[4], sum(spent)


def _own_seconds() -> float:
    """Return the CPU seconds of this process and of its reaped children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
