"""Number of CPU cores available to this process: affinity, cgroup quotas, AWS Lambda's memory share."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

PROC = Path("/proc/self")
LAMBDA_MEMORY_VARIABLE = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"  # MB; Lambda sets it
# Lambda allocates CPU in proportion to memory, one vCPU per this many MB (Lambda Developer Guide, "Configure Lambda
# function memory"). It sets no cgroup quota, and reports more cores than that share.
LAMBDA_MB_PER_CORE = 1769


def available_cores(proc: Path = PROC, environment: Mapping[str, str] = os.environ) -> int:
    """Return the number of cores available to this process, at least 1.

    The cores of its affinity mask, capped by the lowest CPU quota of its cgroup and of all ancestors (systemd's
    `CPUQuota=`, Docker, Kubernetes), and on AWS Lambda by the share of its memory size. Quotas are rounded up: one
    thread would waste part of a quota of 1.7 cores.

    Args:
        proc: Folder of the process in procfs.
        environment: Environment variables of the process.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [float(cores), *_cgroup_quotas(proc)]
    with suppress(ValueError):
        limits.append(int(environment.get(LAMBDA_MEMORY_VARIABLE, "")) / LAMBDA_MB_PER_CORE)
    # Quotas have at most two decimals (CPUQuota=, --cpus): 2.0000001 is 2.
    return max(1, math.ceil(min(limits) - 0.005))


def _cgroup_quotas(proc: Path) -> Iterator[float]:
    """Yield the CPU quotas, in cores, of the process's cgroups and their ancestors."""
    try:
        process_groups = _parse_cgroups((proc / "cgroup").read_text())
        mounts = (proc / "mountinfo").read_text().splitlines()
    except (OSError, UnicodeDecodeError):  # not Linux, or procfs is hidden
        return
    for line in mounts:
        # mountinfo (proc_pid_mountinfo(5)): ID parent device root mount-point options [tags] - type source options
        mount, _, filesystem = line.partition(" - ")
        fields, types = mount.split(), filesystem.split()
        if len(fields) < 5 or len(types) < 3:
            continue
        if types[0] == "cgroup2":
            controller, read = "", _quota_v2
        elif types[0] == "cgroup" and "cpu" in types[2].split(","):
            controller, read = "cpu", _quota_v1
        else:
            continue
        root, mount_point = (_unescape(field) for field in fields[3:5])
        if controller in process_groups:
            for folder in _group_and_ancestors(Path(mount_point), root, process_groups[controller]):
                with suppress(OSError, ValueError, ZeroDivisionError):
                    yield read(folder)


def _parse_cgroups(text: str) -> dict[str, str]:
    """Parse /proc/self/cgroup to paths by controller; the key of cgroup v2 is empty."""
    groups = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2) if line.count(":") >= 2 else ("", "?", "")
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _group_and_ancestors(mount_point: Path, root: str, group: str) -> list[Path]:
    """Return the folders of a cgroup and of all ancestors visible in the mount.

    Args:
        mount_point: Mount point of the hierarchy.
        root: Group at the mount point: "/", or that of a container.
        group: Group of the process. In a container with a cgroup namespace it is relative to the mount; outside the
            mount, only the mount point itself is readable.
    """
    path = PurePosixPath(group)
    path = path.relative_to(root) if path.is_relative_to(root) else PurePosixPath()
    parts = [part for part in path.parts if part != "/"]
    return [mount_point.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]


def _quota_v2(folder: Path) -> float:
    quota, period = (folder / "cpu.max").read_text().split()
    return math.inf if quota == "max" else int(quota) / int(period)


def _quota_v1(folder: Path) -> float:
    quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
    return math.inf if quota < 0 else quota / period


def _unescape(field: str) -> str:
    """Undo mountinfo's octal escapes of blanks and backslashes."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
