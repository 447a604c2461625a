from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from stylizer import Canceled, OptionError, Options, Progress, stylize
from stylizer.compute import autocast_dtype, available_cores, device


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
        "import os, stylizer.compute as c; c.set_up_process(); import torch;"
        "print(os.environ['OMP_WAIT_POLICY'], torch.get_num_threads() == c.available_cores())"
    )
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")
    }
    if given:
        environment["OMP_WAIT_POLICY"] = given
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [given or "PASSIVE", "True"]


def test_a_process_that_is_set_up_keeps_its_memory_until_it_gives_it_back() -> None:
    script = """
import os
from contextlib import nullcontext
from pathlib import Path
from stylizer import compute

def held():  # MiB
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

def kept(mebibytes, way):  # of a piece that is let go of
    with way:
        before = held()
        piece = torch.ones(mebibytes << 20, dtype=torch.uint8)
        assert held() - before >= mebibytes - 1
        del piece
        return round((held() - before) / mebibytes)

import torch
print(kept(200, compute.large_pieces_given_back(64 << 20)))
compute.set_up_process()
print(kept(200, nullcontext()))
compute.give_back_memory()
print(kept(300, compute.large_pieces_given_back(64 << 20)))
print(kept(400, nullcontext()))
before = held()
compute.give_back_memory()
print(round((before - held()) / 400))
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    expected = ["0", "1", "0", "1", "1"] if platform.libc_ver()[0] == "glibc" else ["0"] * 5
    assert done.stdout.split() == expected


def test_where_the_c_library_is_not_gnus_a_process_is_set_up_all_the_same() -> None:
    script = """
import platform
platform.libc_ver = lambda: ("", "")  # as it is with musl
from stylizer import compute
compute.set_up_process()
with compute.large_pieces_given_back(64 << 20):
    compute.give_back_memory()
import torch
print(torch.get_num_threads() == compute.available_cores())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


@pytest.mark.parametrize(("in_hardware", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_gpu_computes_in_bfloat16_only_where_it_need_not_emulate_it(
    in_hardware: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_supported(including_emulation: bool = True) -> bool:
        return in_hardware or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    assert autocast_dtype("cuda") == dtype


@pytest.mark.parametrize(
    ("gpus", "wanted", "expected"),
    [
        (0, None, "cpu"),
        (0, "", "cpu"),
        (0, "cpu", "cpu"),
        (2, None, "cuda"),
        (2, "cpu", "cpu"),
        (2, "cuda", "cuda"),
        (2, "cuda:1", "cuda:1"),
    ],
)
def test_the_gpu_paints_where_there_is_one_unless_the_environment_says_otherwise(
    gpus: int, wanted: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pretend(gpus, wanted, monkeypatch)
    assert device() == torch.device(expected)


@pytest.mark.parametrize(
    ("gpus", "wanted", "allowed"),
    [
        (0, "gpu", ["cpu"]),
        (0, "cuda", ["cpu"]),
        (0, "cuda:0", ["cpu"]),
        (2, "cuda:2", ["cpu", "cuda", "cuda:0", "cuda:1"]),
        (1, "cuda:-1", ["cpu", "cuda", "cuda:0"]),
        (1, "CUDA", ["cpu", "cuda", "cuda:0"]),
        (1, "cuda:", ["cpu", "cuda", "cuda:0"]),
    ],
)
def test_a_device_that_is_not_there_is_told_before_anything_is_read(
    gpus: int, wanted: str, allowed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _pretend(gpus, wanted, monkeypatch)
    with pytest.raises(OptionError, match=re.escape(repr(wanted))) as caught:
        stylize("there-is-no-such-file.jpg", "woodcut")
    assert (caught.value.field, caught.value.allowed) == ("STYLIZER_DEVICE", allowed)


def _pretend(gpus: int, wanted: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.delenv("STYLIZER_DEVICE")
    if wanted is not None:
        monkeypatch.setenv("STYLIZER_DEVICE", wanted)


def test_float32_is_exact_on_a_gpu_while_something_is_painted_and_then_as_it_was() -> None:
    def settings() -> tuple[str, str, bool]:
        convolutions, products = torch.backends.cudnn.conv, torch.backends.cuda.matmul  # type: ignore[attr-defined]
        return convolutions.fp32_precision, products.fp32_precision, torch.backends.cudnn.deterministic

    seen = []

    def stop(_: Progress) -> None:
        seen.append(settings())
        raise Canceled("enough")

    before = settings()
    with pytest.raises(Canceled):
        stylize(Image.new("RGB", (64, 64)), "woodcut", options=Options(size=64), on_progress=stop)
    assert seen == [("ieee", "ieee", True)] != [before]
    assert settings() == before
