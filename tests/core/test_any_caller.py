"""The library in a program that has set torch and Pillow up for itself, or that forks."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageFile

from stylizer import METHOD_NAMES, CorruptImage, Options, stylize
from stylizer.images import decode

_PRELUDE = """
import os, signal, sys
from PIL import Image
import stylizer

def paint(method="feedforward", style="woodcut"):
    photo = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
    options = stylizer.Options(size=64, quality="draft")
    return stylizer.stylize(photo, style, method=method, options=options).image.tobytes()

def in_child(work):
    child = os.fork()
    if child == 0:
        signal.alarm(50)  # ends a child that hangs
        os._exit(0 if work() else 3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


def _run(script: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "STYLIZER_DEVICE": "cpu"}
    command = [sys.executable, "-c", _PRELUDE + script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_forked_child_paints_after_the_parent_imported() -> None:
    script = """
from stylizer import stylize
threads = []

def paint_watching():
    import torch
    stylizer.stylize(Image.new("RGB", (64, 64)), "woodcut", options=stylizer.Options(size=64, quality="draft"),
                     on_progress=lambda _: threads.append(torch.get_num_threads()))
    return set(threads) == {2}

print(in_child(paint_watching))
"""
    assert _run(script) == "0\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_forked_child_paints_after_the_parent_painted() -> None:
    # A fork ends the threads of NumPy's BLAS, which changes the number of threads before the next fork.
    script = f"""
in_child(lambda: True)
for method in {METHOD_NAMES}:
    paint(method)
for method in {METHOD_NAMES}:
    print(method, in_child(lambda: paint(method)))
"""
    assert _run(script).splitlines() == [f"{method} 0" for method in METHOD_NAMES]


def test_import_of_every_core_module_starts_no_thread() -> None:
    script = """
import importlib, pkgutil, numpy, torch  # NumPy's BLAS starts threads of its own, which it takes care of in a fork
before = len(os.listdir("/proc/self/task"))
for module in pkgutil.walk_packages(sys.modules["stylizer"].__path__, "stylizer."):
    importlib.import_module(module.name)
print(len(os.listdir("/proc/self/task")) - before)
"""
    if not Path("/proc/self/task").exists():
        pytest.skip("counts threads by procfs")
    assert _run(script) == "0\n"


def test_painting_is_the_same_with_other_torch_defaults() -> None:
    script = f"""
import hashlib
for method in {METHOD_NAMES}:
    print(hashlib.sha256(paint(method)).hexdigest())
"""
    expected = _run(script)
    defaults = "import torch; torch.set_default_dtype(torch.float64); torch.set_default_device('meta')"
    kept = "assert (torch.get_default_dtype(), torch.get_default_device().type) == (torch.float64, 'meta')"
    assert _run(defaults + script + kept) == expected


def _jpeg(size: int = 96) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((size, size), 80).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def test_truncated_photo_is_refused_where_the_caller_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    whole = _jpeg()
    with pytest.raises(CorruptImage, match="photo"):
        stylize(whole[: len(whole) // 2], "woodcut", options=Options(size=64))
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@pytest.mark.parametrize("most", [None, 16])
@pytest.mark.parametrize("kind", ["JPEG", "GIF", "WEBP", "TIFF"])
def test_photo_is_read_whatever_pillows_pixel_limit(
    most: int | None, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(file, kind)
    expected = decode(file.getvalue()).rgb
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
    assert (decode(file.getvalue()).rgb == expected).all()
    assert most == Image.MAX_IMAGE_PIXELS
