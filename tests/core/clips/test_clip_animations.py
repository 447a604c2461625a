from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clip_files import SIDE, animation, panned
from pictures import chunk, png
from PIL import Image

from stylizer.clips import ClipInfo, ClipLimits, Frame, animations, check_output, plan_segments, probe, read_frames
from stylizer.clips.animations import probe_animation
from stylizer.errors import ClipTooLong, CorruptImage, ImageError, OptionError, TooManyPixels, UnsupportedImage

DURATIONS = [40, 50, 170, 40]
FORMATS = ("gif", "webp", "png")


def gif_of(count: int, side: int = 16) -> bytes:
    """Return a GIF of identical one-color frames, written by hand since encoders merge them."""
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"!\xf9\x04\0\x0a\0\0\0" + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return head + frame * count + b";"


def webp_of(*chunks: bytes) -> bytes:
    """Return a WebP file with empty chunks."""
    body = b"WEBP" + b"".join(name + bytes(4) for name in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def read_all(data: bytes) -> list[Frame]:
    info = probe(data)
    return list(read_frames(data, info, 0, info.frames, SIDE))


@pytest.mark.parametrize("form", FORMATS)
def test_probe_reads_size_durations_and_loop(form: str) -> None:
    info = probe(animation(panned(4, (3, 0)), form, DURATIONS, loop=0))
    assert (info.format, info.width, info.height, info.frames) == (form, *SIDE, 4)
    assert info.durations_ms() == DURATIONS
    assert (info.seconds, info.fps) == pytest.approx((0.3, 4 / 0.3))
    assert info.loop == 0


def test_repetitions_are_counted_alike_in_all_formats() -> None:
    for form in FORMATS:
        loop = 2 if form == "gif" else 3  # a GIF counts the repetitions after the first
        assert probe(animation(panned(2, (3, 0)), form, [40, 40], loop=loop)).loop == 3


@pytest.mark.parametrize("form", [*FORMATS, "webp-lossless"])
def test_still_picture_is_a_clip_of_one_frame(form: str) -> None:
    buffer = io.BytesIO()
    name, _, lossless = form.partition("-")
    Image.fromarray(panned(1, (0, 0))[0]).save(buffer, name, **({"lossless": True} if lossless else {}))
    info = probe(buffer.getvalue())
    assert (info.width, info.height, info.frames, info.loop) == (*SIDE, 1, 1)


@pytest.mark.parametrize("form", FORMATS)
def test_decoded_frames_are_those_encoded(form: str) -> None:
    frames = panned(4, (3, 0))
    data = animation(frames, form, DURATIONS)
    info = probe(data)
    decoded = list(read_frames(data, info, 1, 4, SIDE))
    assert len(decoded) == 3
    for frame, expected in zip(decoded, frames[1:], strict=True):
        # A GIF has 256 colors only.
        assert np.abs(frame.rgb.astype(int) - expected).mean() < (8 if form == "gif" else 0.01)


@pytest.mark.parametrize("form", FORMATS)
def test_truncated_file_is_corrupt(form: str) -> None:
    data = animation(panned(4, (3, 0)), form, DURATIONS)
    with pytest.raises(CorruptImage) as caught:
        read_all(data[: len(data) * 2 // 3])
    assert caught.value.field == "content"


@pytest.mark.parametrize("form", FORMATS)
def test_every_truncation_raises_a_clip_error(form: str) -> None:
    data = animation(panned(2, (3, 0)), form, [40, 40])
    for cut in range(0, 400, 23):
        with pytest.raises(ImageError):
            probe(data[:cut])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (gif_of(0), "no frames"),
        (gif_of(0)[:-1] + b"X", "unknown type"),
        (gif_of(0)[:-1] + b"!\xfe\0" * 9, "more than 8 blocks"),
        (webp_of(b"XMP "), "no header"),
        (webp_of(*[b"XMP "] * 9), "no header"),
        (png(SIDE, 8, 2, b"").replace(b"IDAT", b"iDAT"), "no image data"),
        (png(SIDE, 8, 2, b"", chunk(b"tEXt", b"") * 9), "no image data"),
    ],
)
def test_file_without_a_picture_is_corrupt(data: bytes, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animations, "MAX_BLOCKS", 8)
    with pytest.raises(CorruptImage, match=words):
        probe(data)


def test_gif_without_trailer_is_complete() -> None:
    assert probe(gif_of(3)[:-1]) == probe(gif_of(3))


def test_gif_frame_beyond_the_canvas_is_cropped() -> None:
    whole = animation(panned(2, (3, 0)), "gif", [40, 40])
    data = whole[:6] + struct.pack("<HH", 60, 40) + whole[10:]
    info = probe(data)
    for frame, expected in zip(read_frames(data, info, 0, 2, (info.width, info.height)), read_all(whole), strict=True):
        np.testing.assert_array_equal(frame.rgb, expected.rgb[:40, :60])


def test_png_delays_are_arbitrary_fractions() -> None:
    delays = [Fraction(3001, 65521), Fraction(1, 65519), Fraction(999, 10007)]
    data = animation(panned(3, (3, 0)), "png", [40] * 3)
    for delay in delays:
        at = data.index(b"fcTL") + 24
        fraction = struct.pack(">HH", *delay.as_integer_ratio())
        data = data[: at - 24] + b"FCTL" + data[at - 20 : at] + fraction + data[at + 4 :]
    info = probe(data.replace(b"FCTL", b"fcTL"))
    delays[1] = Fraction(1, 10)  # as in browsers
    assert info.durations(Fraction(1, 10**6)) == [pytest.approx(float(delay) * 10**6, abs=1.5) for delay in delays]


@pytest.mark.parametrize(
    ("data", "limits", "error", "words"),
    [
        (gif_of(10_001), ClipLimits(), ClipTooLong, "more than 1,800 frames"),
        (gif_of(50), ClipLimits(max_pixels=39 * 16 * 16), ClipTooLong, "at most 39 frames of this size"),
        (gif_of(50), ClipLimits(max_animation_seconds=4), ClipTooLong, r"5\.0 seconds"),
        (gif_of(3, side=60_000), ClipLimits(), TooManyPixels, "megapixels"),
    ],
)
def test_each_limit_is_checked_before_decoding(
    data: bytes, limits: ClipLimits, error: type[ImageError], words: str
) -> None:
    with pytest.raises(error, match=words):
        probe(data, limits=limits)


@pytest.mark.parametrize(
    ("promised", "error", "words"), [(2, CorruptImage, "its header says 2"), (2**31, ClipTooLong, "frames")]
)
def test_wrong_frame_count_in_a_png_header_is_refused(promised: int, error: type[ImageError], words: str) -> None:
    data = animation(panned(3, (3, 0)), "png", [40, 40, 40])
    at = data.index(b"acTL") + 4
    with pytest.raises(error, match=words):
        probe_animation(data[:at] + struct.pack(">I", promised) + data[at + 4 :])


def test_gif_delays_up_to_10_ms_count_as_100_ms() -> None:
    data = gif_of(3).replace(b"!\xf9\x04\0\x0a\0", b"!\xf9\x04\0\x01\0")
    assert probe(data).durations_ms() == [100, 100, 100]


@pytest.mark.parametrize("data", [b"GIF8", b"%PDF-1.7", b"\xff\xd8\xff\xe0" + b"\0" * 40])
def test_other_files_are_unsupported(data: bytes) -> None:
    for read in (probe, probe_animation):
        with pytest.raises(UnsupportedImage):
            read(data)


def test_in_memory_image_is_not_a_clip() -> None:
    with pytest.raises(UnsupportedImage, match="not a file; it must be bytes, a path"):
        probe(Image.new("RGB", SIDE))


def test_info_survives_serialization(tmp_path: Path) -> None:
    path = tmp_path / "clip.gif"
    path.write_bytes(gif_of(20))
    info = probe(path)
    assert ClipInfo.from_json(info.to_json()) == info


def test_size_beyond_the_limits_names_the_largest_possible() -> None:
    info = ClipInfo("mp4", 1920, 1080, (1, 25), tuple(range(751)))
    assert check_output(info, 1080) == (1080, 608)
    with pytest.raises(OptionError, match="at most 1080 pixels") as caught:
        check_output(info, 1081)
    assert caught.value.field == "size"
    with pytest.raises(OptionError, match="at most 843 pixels for a clip of 750 frames as gif"):
        check_output(info, 1000, name="gif")
    assert check_output(info, 843, name="gif")
    with pytest.raises(
        OptionError, match=f"size is original, and the clip is {info.width} x {info.height} pixels; allo"
    ):
        check_output(info, "original")


def test_segments_cover_the_clip_once() -> None:
    info = ClipInfo("mp4", 64, 64, (1, 25), tuple(range(42)))
    segments = plan_segments(info, frames=16)
    assert [number for start, stop in segments for number in range(start, stop)] == list(range(41))
    assert all(start % 8 == 0 for start, _ in segments)
    with pytest.raises(ValueError, match="multiple of 8"):
        plan_segments(info, frames=10)
