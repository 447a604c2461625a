"""Image header inspection, compared with the decoder, and with forged headers."""

from __future__ import annotations

import struct

import pytest
from pictures import chunk, png, slope
from PIL import Image

from stylizer.images import decode, size_readers
from stylizer_service import image_headers
from tools.fuzz import seeds

NOTHING = {"size": None, "whole": False}


def examine(name: str, data: bytes, max_pixels: int = 10**6) -> dict[str, object]:
    answer, body = image_headers.examine({"format": name, "max_pixels": max_pixels}, data)
    assert body == b""
    return answer


def webp(name: bytes, data: bytes) -> bytes:
    """Make a WebP file with one chunk."""
    body = b"WEBP" + name + len(data).to_bytes(4, "little") + data
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def ispe(width: int, height: int) -> bytes:
    """Make an ispe box, which declares a size in HEIC and AVIF."""
    return b"\0\0\0\x14ispe\0\0\0\0" + struct.pack(">II", width, height)


@pytest.mark.parametrize("name", seeds.NAMES)
def test_upright_size_of_every_format_equals_its_pixels(name: str) -> None:
    data = seeds.make(name)
    height, width = decode(data).rgb.shape[:2]

    assert examine(seeds.format_of(name), data) == {"size": (width, height), "whole": True}


@pytest.mark.parametrize("name", ["jpeg baseline", "jpeg gray", "png rgb", "png interlaced", "webp plain"])
def test_image_truncated_in_pixel_data_is_incomplete(name: str) -> None:
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
    ids=["lossy", "lossless", "canvas", "another chunk"],
)
def test_webp_with_invalid_first_chunk_has_no_size(data: bytes) -> None:
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
def test_webp_size_is_read_from_every_chunk_type(data: bytes, size: tuple[int, int]) -> None:
    assert examine("webp", data) == {"size": size, "whole": True}


def test_size_is_reported_before_a_library_allocates_it() -> None:
    whole = seeds.make("avif rgb")

    assert examine("avif", whole + ispe(1001, 1000)) == {"size": (1001, 1000), "whole": True}
    width, height = seeds.SIZE
    upright = {"size": (width, height), "whole": True}
    assert examine("avif", whole, width * height)["whole"] is True
    assert examine("avif", whole + ispe(1000, 1000)) == examine("avif", whole)
    assert examine("avif", whole + ispe(2**20, 2**20)[:-1]) == examine("avif", whole), "a truncated ispe box"
    assert examine("jpeg", slope(*seeds.SIZE, "JPEG") + ispe(2**20, 2**20)) == upright, "JPEG has no boxes"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_unreadable_exif_leaves_orientation_unchanged() -> None:
    for exif in (b"Exif\0\0no tags at all", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"):
        assert examine("jpeg", slope(60, 40, "JPEG", exif=exif))["size"] == (60, 40)


@pytest.mark.parametrize("orientation", [1, 6])
def test_orientation_in_xmp_of_a_jpeg_counts(orientation: int) -> None:
    xmp = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{orientation}"/></x:xmpmeta>'
    data = slope(60, 40, "JPEG", xmp=xmp.encode())
    assert (
        examine("jpeg", data)["size"] == ((60, 40) if orientation == 1 else (40, 60)) == decode(data).rgb.shape[1::-1]
    )


@pytest.mark.parametrize("where", ["file", "metadata"])
def test_memory_error_is_not_reported_as_corrupt_image(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    if where == "file":
        monkeypatch.setitem(size_readers._READERS, "png", fail)
    else:
        monkeypatch.setattr(Image.Image, "getexif", fail)
    with pytest.raises(MemoryError):
        examine("png", slope())


def test_png_without_iend_is_complete_if_its_chunks_fit() -> None:
    whole = slope(60, 40)
    end = len(chunk(b"IEND", b""))

    assert examine("png", whole[:-end])["whole"] is True
    assert examine("png", whole[: -end - 1])["whole"] is False
    assert examine("png", whole[:-end] + chunk(b"IEND", b"")[:8])["whole"] is True
    assert examine("png", png((9, 9), 77, 99, b"")) == NOTHING


@pytest.mark.parametrize(("name", "data"), [("jpeg", b"\xff\xd8\xff\xd9"), ("tiff", b"II*\0\x08\0\0\0\0\0")])
def test_file_without_a_size_has_none(name: str, data: bytes) -> None:
    assert examine(name, data) == NOTHING


def test_jpeg_is_complete_if_eoi_follows_its_first_scan() -> None:
    whole = slope(60, 40, "JPEG")
    scan = whole.index(b"\xff\xda")

    assert examine("jpeg", whole[:scan] + b"\xff\xfe\0\4\xff\xd9" + whole[scan:-40])["whole"] is False
    assert examine("jpeg", whole[:-2])["whole"] is True, "only EOI is missing"
    assert examine("jpeg", whole[:-1])["whole"] is True
    assert examine("jpeg", whole[:scan] + b"\xff\xff\xff" + whole[scan:])["whole"] is True
    assert examine("jpeg", whole[:scan] + b"\xff\xd0" + whole[scan:])["whole"] is True, "a marker without a length"
    assert examine("jpeg", whole[:scan])["whole"] is False
