"""Sandboxed decoding: equal to the core's, and isolated from crashes of decoders."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np
import pytest
from camera_exif import camera_exif
from pictures import slope
from PIL import Image
from waiting import PATIENCE

import stylizer_painter.decoding as decoding
from stylizer import images
from stylizer.errors import CorruptImage, ImageError, MaskMismatch
from stylizer.images import Limits
from stylizer_painter.decoding import SandboxedDecoder
from stylizer_service.ports import Unavailable
from stylizer_service.sandbox.sandbox import ResourceLimits, Sandbox
from tools.fuzz import seeds

LIMITS = Limits()


@pytest.fixture(scope="module")
def guarded() -> Iterator[SandboxedDecoder]:
    with closing(SandboxedDecoder()) as decoder:
        yield decoder


KINDS = ["jpeg exif", "png rgba", "png palette", "webp lossy", "avif rgba", "tiff gray16", "tiff cmyk", "gif animated"]
"""Each format, with and without alpha."""


@pytest.mark.parametrize("name", [*KINDS, "heic rgba"])
def test_sandbox_decodes_every_format_like_the_core(guarded: SandboxedDecoder, name: str) -> None:
    data = seeds.make(name)
    direct = images.decode(data)

    picture = guarded.decode(io.BytesIO(data), limits=LIMITS, field="content")

    assert picture.format == direct.format
    np.testing.assert_array_equal(picture.rgb, direct.rgb)
    assert (picture.alpha is None) == (direct.alpha is None)
    if picture.alpha is not None and direct.alpha is not None:
        np.testing.assert_array_equal(picture.alpha, direct.alpha)
    mask = guarded.decode_mask(data, shape=direct.rgb.shape[:2], limits=LIMITS, field="mask")
    np.testing.assert_array_equal(mask, images.decode_mask(data, shape=direct.rgb.shape[:2]))


def test_errors_equal_those_of_the_core(guarded: SandboxedDecoder) -> None:
    whole = seeds.make("png rgb")
    for data in (b"", b"some text", whole[: len(whole) // 2]):
        with pytest.raises(ImageError) as direct:
            images.decode(data, field="style")
        with pytest.raises(ImageError) as refused:
            guarded.decode(data, limits=LIMITS, field="style")
        assert type(refused.value) is type(direct.value)
        assert vars(refused.value) == vars(direct.value)
    with pytest.raises(MaskMismatch, match="the photo it is for has 9 x 9"):
        guarded.decode_mask(whole, shape=(9, 9), limits=LIMITS, field="mask")


def test_metadata_equals_that_of_the_core(guarded: SandboxedDecoder) -> None:
    data = slope(format="JPEG", exif=camera_exif(dpi=300))

    metadata = guarded.decode(data, limits=LIMITS, field="content", keep_metadata="exif+gps").metadata

    assert metadata is not None
    assert metadata == images.decode(data, keep_metadata="exif+gps").metadata
    assert guarded.decode(data, limits=LIMITS, field="content").metadata is None


def test_in_memory_image_is_not_decoded_in_a_fork(guarded: SandboxedDecoder) -> None:
    square = Image.new("L", (20, 20), 7)

    assert guarded.decode(square, limits=LIMITS, field="content").rgb.max() == 7
    assert guarded.decode_mask(square, shape=(20, 20), limits=LIMITS, field="mask").max() == 7


@pytest.mark.parametrize(
    ("conduct", "error", "words"),
    [
        ("crash", CorruptImage, "the mask is broken: its decoder crashed"),
        ("fill the memory", ImageError, "the mask needs too much memory to decode"),
        ("loop in C", ImageError, "the mask takes too long to decode"),
    ],
)
def test_decoder_failure_names_its_input(
    monkeypatch: pytest.MonkeyPatch, conduct: str, error: type[ImageError], words: str
) -> None:
    with closing(SandboxedDecoder()) as decoder, closing(Sandbox("tools.fuzz.hostile_worker:work")) as sandbox:
        monkeypatch.setattr(sandbox, "run", _doing(conduct, sandbox.run))
        monkeypatch.setattr(decoder, "_sandbox", sandbox)
        with pytest.raises(ImageError, match=words) as caught:
            decoder.decode_mask(seeds.make("png rgb"), shape=(1, 1), limits=LIMITS, field="mask")

    assert type(caught.value) is error
    assert caught.value.field == "mask"


def test_dead_sandbox_is_not_blamed_on_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SandboxedDecoder()) as decoder, closing(Sandbox("tools.fuzz.hostile_worker:work")) as sandbox:
        monkeypatch.setattr(sandbox, "run", _doing("kill the zygote", sandbox.run))
        monkeypatch.setattr(decoder, "_sandbox", sandbox)
        with pytest.raises(Unavailable):
            decoder.decode(seeds.make("png rgb"), limits=LIMITS, field="content")


def _doing(conduct: str, run: Callable[..., object]) -> Callable[..., object]:
    resource_limits = ResourceLimits(memory=2**27, cpu_seconds=1, seconds=30)
    return lambda _, data, __: run({"do": conduct}, data, resource_limits)


def test_sandbox_process_has_not_imported_torch() -> None:
    code = f"import sys, {decoding.__name__}; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], timeout=PATIENCE).returncode == 0
