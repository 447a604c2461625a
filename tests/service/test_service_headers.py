"""What the header of a picture tells: the same as all that its decoder has to say, and nothing that a liar wants."""

from __future__ import annotations

import struct

import pytest
from pictures import chunk, png, slope
from PIL import Image

from stylizer.images import decode, header
from stylizer_service import headers
from tools.fuzz import seeds

NOTHING = {"size": None, "whole": False}


def examine(name: str, data: bytes, max_pixels: int = 10**6) -> dict[str, object]:
    answer, body = headers.examine({"format": name, "max_pixels": max_pixels}, data)
    assert body == b""
    return answer


def webp(name: bytes, data: bytes) -> bytes:
    """A WebP of one chunk."""
    body = b"WEBP" + name + len(data).to_bytes(4, "little") + data
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def ispe(width: int, height: int) -> bytes:
    """The box by which HEIC and AVIF tell a size."""
    return b"\0\0\0\x14ispe\0\0\0\0" + struct.pack(">II", width, height)


@pytest.mark.parametrize("name", seeds.NAMES)
def test_upright_size_of_every_format_equals_its_pixels(name: str) -> None:
    data = seeds.make(name)
    height, width = decode(data).rgb.shape[:2]

    assert examine(seeds.format_of(name), data) == {"size": (width, height), "whole": True}


@pytest.mark.parametrize("name", ["jpeg baseline", "jpeg gray", "png rgb", "png interlaced", "webp plain"])
def test_a_picture_that_stops_in_its_pixels_is_not_whole(name: str) -> None:
    data = seeds.make(name)

    assert examine(seeds.format_of(name), data[: len(data) * 3 // 4])["whole"] is False


@pytest.mark.parametrize(
    "data",
    [
        webp(b"VP8 ", b"\0\0\0\x9d\x01\x2b" + struct.pack("<HH", 40, 30)),
        webp(b"VP8L", b"\x2e\0\0\0\0"),
        webp(b"VP8X", bytes(9)),
        webp(b"ANIM", bytes(20)),
    ],
    ids=["lossy", "lossless", "canvas", "none of them"],
)
def test_webp_with_a_mislabeled_first_chunk_has_no_size(data: bytes) -> None:
    assert examine("webp", data) == NOTHING


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 0x4000 | 40, 0x8000 | 30)), (40, 30)),
        (webp(b"VP8L", b"\x2f" + struct.pack("<I", 39 | 29 << 14)), (40, 30)),
        (webp(b"VP8X", bytes(4) + (39).to_bytes(3, "little") + (29).to_bytes(3, "little")), (40, 30)),
        (webp(b"VP8L", b"\x2f\xff\xff\xff\xff"), (16384, 16384)),
    ],
    ids=["lossy", "lossless", "canvas", "the largest"],
)
def test_the_size_of_a_webp_is_read_as_its_standard_writes_it(data: bytes, size: tuple[int, int]) -> None:
    assert examine("webp", data) == {"size": size, "whole": True}


def test_size_is_reported_before_a_library_allocates_it() -> None:
    whole = seeds.make("avif rgb")

    assert examine("avif", whole + ispe(1001, 1000)) == {"size": (1001, 1000), "whole": True}
    width, height = seeds.SIZE
    upright = {"size": (width, height), "whole": True}
    assert examine("avif", whole, width * height)["whole"] is True
    assert examine("avif", whole + ispe(1000, 1000)) == examine("avif", whole)
    assert examine("avif", whole + ispe(2**20, 2**20)[:-1]) == examine("avif", whole), "no size, but half of one"
    assert examine("jpeg", slope(*seeds.SIZE, "JPEG") + ispe(2**20, 2**20)) == upright, "no box of this format"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_metadata_that_cannot_be_read_turns_nothing() -> None:
    for exif in (b"Exif\0\0no tags at all", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"):
        assert examine("jpeg", slope(60, 40, "JPEG", exif=exif))["size"] == (60, 40)


@pytest.mark.parametrize("where", ["the file", "its metadata"])
def test_too_little_memory_is_not_taken_for_a_broken_picture(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    if where == "the file":
        monkeypatch.setitem(header._READERS, "png", fail)
    else:
        monkeypatch.setattr(Image.Image, "getexif", fail)
    with pytest.raises(MemoryError):
        examine("png", slope())


def test_a_png_without_an_end_is_whole_if_its_chunks_fit() -> None:
    whole = slope(60, 40)
    end = len(chunk(b"IEND", b""))

    assert examine("png", whole[:-end])["whole"] is True
    assert examine("png", whole[: -end - 1])["whole"] is False
    assert examine("png", whole[:-end] + chunk(b"IEND", b"")[:8])["whole"] is True
    assert examine("png", png((9, 9), 77, 99, b"")) == NOTHING


def test_a_jpeg_is_whole_if_its_end_comes_after_its_first_scan() -> None:
    whole = slope(60, 40, "JPEG")
    scan = whole.index(b"\xff\xda")

    assert examine("jpeg", whole[:scan] + b"\xff\xfe\0\4\xff\xd9" + whole[scan:-40])["whole"] is False
    assert examine("jpeg", whole[:-2])["whole"] is True, "only the end is lacking"
    assert examine("jpeg", whole[:-1])["whole"] is True
    assert examine("jpeg", whole[:scan] + b"\xff\xff\xff" + whole[scan:])["whole"] is True
    assert examine("jpeg", whole[:scan] + b"\xff\xd0" + whole[scan:])["whole"] is True, "a marker that has no length"
    assert examine("jpeg", whole[:scan])["whole"] is False
