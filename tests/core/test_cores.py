from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from stylizer.cores import available_cores

CORES = 8


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(CORES)), raising=False)


class Host:
    """A procfs and a cgroup hierarchy as a process sees them, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.proc, self._folder, self._mounts = folder / "proc", folder, [""]
        self.proc.mkdir()

    def own_groups(self, *lines: str) -> None:
        (self.proc / "cgroup").write_text("".join(f"{line}\n" for line in lines))

    def mount(self, name: str, kind: str, options: str = "rw", root: str = "/") -> None:
        self._mounts.append(f"30 24 0:26 {root} {self._folder / name} rw,nosuid shared:4 - {kind} {kind} {options}\n")
        (self.proc / "mountinfo").write_text("".join(self._mounts))

    def write(self, group: str, **files: str) -> None:
        folder = self._folder / group
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(f"{text}\n")

    def cores(self, environment: Mapping[str, str] | None = None) -> int:
        return available_cores(self.proc, environment or {})


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_cores_without_procfs_are_those_of_the_affinity(host: Host) -> None:
    assert host.cores() == CORES


@pytest.mark.parametrize(
    ("cpu_max", "cores"),
    [
        ("max 100000", CORES),
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("150000 100000", 2),  # rounded up: one thread would leave a third of it unused
        ("200000 100000", 2),
        ("100000 50000", 2),
        ("99900000 100000", CORES),
        ("", CORES),
        ("100000 0", CORES),
    ],
)
def test_cores_of_a_v2_root_group_follow_its_quota(host: Host, cpu_max: str, cores: int) -> None:
    host.mount("cgroup", "cgroup2")
    host.own_groups("0::/")
    host.write("cgroup", cpu__max=cpu_max)
    assert host.cores() == cores


@pytest.mark.parametrize(("slice_quota", "unit_quota", "cores"), [("max", "200000", 2), ("300000", "max", 3)])
def test_cores_of_a_systemd_unit_follow_the_tightest_quota(
    host: Host, slice_quota: str, unit_quota: str, cores: int
) -> None:
    host.mount("cgroup", "cgroup2")
    host.own_groups("0::/system.slice/stylizer.service")
    host.write("cgroup/system.slice", cpu__max=f"{slice_quota} 100000")  # the root group itself has no cpu.max
    host.write("cgroup/system.slice/stylizer.service", cpu__max=f"{unit_quota} 100000")
    host.write("cgroup/system.slice/other.service", cpu__max="100000 100000")
    assert host.cores() == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", CORES), ("400000", 4), ("50000", 1)])
def test_cores_of_a_v1_group_follow_its_quota(host: Host, quota: str, cores: int) -> None:
    host.mount("memory", "cgroup", "rw,memory")
    host.mount("cpu,cpuacct", "cgroup", "rw,cpu,cpuacct")
    host.own_groups("4:memory:/", "3:cpu,cpuacct:/batch/painter", "0::/")
    host.write("cpu,cpuacct", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    host.write("cpu,cpuacct/batch/painter", cpu__cfs_quota_us=quota, cpu__cfs_period_us="100000")
    assert host.cores() == cores


def test_cores_in_a_v1_container_follow_its_mounted_group(host: Host) -> None:
    # Docker without a cgroup namespace: the path is the host's, and the mount shows that group alone.
    host.mount("cpu", "cgroup", "rw,cpu", root="/docker/1f2e")
    host.own_groups("3:cpu:/docker/1f2e")
    host.write("cpu", cpu__cfs_quota_us="300000", cpu__cfs_period_us="100000")
    assert host.cores() == 3


@pytest.mark.parametrize("own", ["0::/kubepods/pod7/9a8b", "0::/../../elsewhere"])
def test_cores_of_a_group_outside_the_mount_follow_the_mount(host: Host, own: str) -> None:
    host.mount("cgroup", "cgroup2", root="/kubepods/pod6/1c2d")
    host.own_groups(own)
    host.write("cgroup", cpu__max="200000 100000")
    assert host.cores() == 2


def test_cores_are_found_below_a_mount_point_with_a_blank(host: Host) -> None:
    host.mount(r"c\040group", "cgroup2")
    host.own_groups("0::/")
    host.write("c group", cpu__max="100000 100000")
    assert host.cores() == 1


@pytest.mark.parametrize(
    ("memory", "cores"), [("128", 1), ("1769", 1), ("3008", 2), ("3538", 2), ("10240", 6), ("", CORES), ("much", CORES)]
)
def test_cores_on_lambda_follow_the_memory_share(host: Host, memory: str, cores: int) -> None:
    assert host.cores({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory}) == cores


def test_cores_with_garbled_procfs_are_those_of_the_affinity(host: Host) -> None:
    host.mount("cgroup", "cgroup2")
    host.own_groups("nonsense", "0:")
    (host.proc / "mountinfo").write_text("nonsense\n- - -\n1 2 3 / /somewhere rw - cgroup2 cgroup2 rw\n")
    assert host.cores() == CORES
