from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stylizer.compute import available_cores


def test_a_container_may_use_the_cores_of_its_quota(tmp_path: Path) -> None:
    everything = available_cores(tmp_path / "there-is-no-quota")
    assert everything >= 1
    for quota, cores in (
        ("max 100000", everything),
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("99900000 100000", everything),
    ):
        (tmp_path / "cpu.max").write_text(f"{quota}\n")
        assert available_cores(tmp_path / "cpu.max") == cores


@pytest.mark.parametrize("given", [None, "ACTIVE"])
def test_waiting_threads_sleep_unless_the_caller_says_otherwise(given: str | None) -> None:
    script = (
        "import os, stylizer.compute as c; c.use_available_cores(); import torch;"
        "print(os.environ['OMP_WAIT_POLICY'], torch.get_num_threads() == c.available_cores())"
    )
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")
    }
    if given:
        environment["OMP_WAIT_POLICY"] = given
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [given or "PASSIVE", "True"]
