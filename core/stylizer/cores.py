"""How many processor cores this process may keep busy: affinity, cgroup quotas, AWS Lambda's memory share."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

PROC = Path("/proc/self")
LAMBDA_MEMORY_VARIABLE = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"  # MB; Lambda sets it
# Lambda gives a function processor time in proportion to its memory, one vCPU per so many MB (Lambda Developer Guide,
# "Configure Lambda function memory"). It sets no cgroup quota, and shows more cores than that share.
LAMBDA_MB_PER_CORE = 1769


def available_cores(proc: Path = PROC, environment: Mapping[str, str] = os.environ) -> int:
    """Return the number of cores this process may keep busy, at least 1.

    The cores of its affinity mask, capped by the tightest CPU quota of its own cgroup and of every group above it
    (systemd's `CPUQuota=`, Docker, Kubernetes), and on AWS Lambda by the share that its memory buys. Quotas are rounded
    up: a quota of 1.7 cores is used up by two threads, and left unused in part by one.

    Args:
        proc: The process's folder in procfs.
        environment: Its environment variables.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [float(cores), *_cgroup_quotas(proc)]
    with suppress(ValueError):
        limits.append(int(environment.get(LAMBDA_MEMORY_VARIABLE, "")) / LAMBDA_MB_PER_CORE)
    # A quota is written with two decimals at most (CPUQuota=, --cpus): 2.0000001 is 2.
    return max(1, math.ceil(min(limits) - 0.005))


def _cgroup_quotas(proc: Path) -> Iterator[float]:
    """Yield the CPU quotas, in cores, of the process's cgroups and their ancestors; nothing where there are none."""
    try:
        own_groups = _own_groups((proc / "cgroup").read_text())
        mounts = (proc / "mountinfo").read_text().splitlines()
    except (OSError, UnicodeDecodeError):  # no Linux, or procfs is hidden
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
        root, mount_point = (_unescaped(field) for field in fields[3:5])
        if controller in own_groups:
            for folder in _group_and_ancestors(Path(mount_point), root, own_groups[controller]):
                with suppress(OSError, ValueError, ZeroDivisionError):
                    yield read(folder)


def _own_groups(text: str) -> dict[str, str]:
    """Parse /proc/self/cgroup: the path by controller; that of cgroup v2 by the empty name."""
    groups = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2) if line.count(":") >= 2 else ("", "?", "")
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _group_and_ancestors(mount_point: Path, root: str, group: str) -> list[Path]:
    """Folders of a cgroup and of every group above it that the mount shows.

    Args:
        mount_point: Where the hierarchy is mounted.
        root: The group that is shown there: "/", or a container's own.
        group: The process's group. In a container with its own cgroup namespace it is relative to the mount; where it
            lies outside the mount, the mount itself is all that can be read.
    """
    path = PurePosixPath(group)
    if path.is_relative_to(root):
        path = path.relative_to(root)
    elif ".." in path.parts or root != "/":
        path = PurePosixPath()
    parts = [part for part in path.parts if part != "/"]
    return [mount_point.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]


def _quota_v2(folder: Path) -> float:
    quota, period = (folder / "cpu.max").read_text().split()
    return math.inf if quota == "max" else int(quota) / int(period)


def _quota_v1(folder: Path) -> float:
    quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
    return math.inf if quota < 0 else quota / period


def _unescaped(field: str) -> str:
    """Undo mountinfo's octal escapes of blanks and backslashes."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
