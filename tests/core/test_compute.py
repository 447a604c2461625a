from __future__ import annotations

import os
import platform
import re
import subprocess
import sys

import pytest
import torch
from PIL import Image

from stylizer import Canceled, OptionError, Options, Progress, stylize
from stylizer.compute import autocast_dtype, device


def _output(script: str, **variables: str) -> list[str]:
    """The words a new Python prints; of OpenMP's variables it has those given."""
    ours = ("OMP_WAIT_POLICY", "OMP_NUM_THREADS", "GOMP_SPINCOUNT")
    environment = {name: value for name, value in os.environ.items() if name not in ours} | variables
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["100", "PASSIVE"]),
        ({"GOMP_SPINCOUNT": "7"}, ["7", "PASSIVE"]),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, ["None", "ACTIVE"]),
        ({"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "9"}, ["9", "ACTIVE"]),
    ],
)
def test_import_sets_how_threads_wait_unless_set(given: dict[str, str], expected: list[str]) -> None:
    script = """
import os, sys, stylizer
assert "torch" not in sys.modules
print(os.environ.get("GOMP_SPINCOUNT"), os.environ.get("OMP_WAIT_POLICY"))
"""
    assert _output(script, **given) == expected


def test_threads_of_a_configured_process_follow_omp_num_threads() -> None:
    script = "from stylizer import compute as c; c.configure_process(); import torch; print(torch.get_num_threads())"
    assert _output(script, OMP_NUM_THREADS="1") == ["1"]


def test_configured_process_keeps_memory_until_trimmed() -> None:
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
print(kept(200, compute.trim_large_allocations(64 << 20)))
compute.configure_process()
print(kept(200, nullcontext()))
compute.trim_malloc()
print(kept(300, compute.trim_large_allocations(64 << 20)))
print(kept(400, nullcontext()))
before = held()
compute.trim_malloc()
print(round((before - held()) / 400))
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    expected = ["0", "1", "0", "1", "1"] if platform.libc_ver()[0] == "glibc" else ["0"] * 5
    assert done.stdout.split() == expected


def test_process_without_glibc_is_configured_all_the_same() -> None:
    script = """
import platform
platform.libc_ver = lambda: ("", "")  # as it is with musl
from stylizer import compute
compute.configure_process()
with compute.trim_large_allocations(64 << 20):
    compute.trim_malloc()
import torch
print(torch.get_num_threads() == compute.available_cores())
"""
    assert _output(script) == ["True"]


@pytest.mark.parametrize(("in_hardware", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_gpu_uses_bfloat16_only_without_emulation(
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
        (2, None, "cuda"),
        (2, "cpu", "cpu"),
        (2, "cuda", "cuda"),
        (2, "cuda:1", "cuda:1"),
    ],
)
def test_gpu_is_the_default_device_unless_the_variable_is_set(
    gpus: int, wanted: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pretend(gpus, wanted, monkeypatch)
    assert device() == torch.device(expected)


@pytest.mark.parametrize(
    ("gpus", "wanted", "allowed"),
    [
        (0, "gpu", ["cpu"]),
        (0, "cuda:0", ["cpu"]),
        (2, "cuda:2", ["cpu", "cuda", "cuda:0", "cuda:1"]),
        (1, "cuda:-1", ["cpu", "cuda", "cuda:0"]),
        (1, "CUDA", ["cpu", "cuda", "cuda:0"]),
        (1, "cuda:", ["cpu", "cuda", "cuda:0"]),
    ],
)
def test_missing_device_is_refused_before_reading_pictures(
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


def test_exact_float32_on_a_gpu_restores_the_settings() -> None:
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
