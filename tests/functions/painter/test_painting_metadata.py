"""Metadata of inputs (place, time, camera, author) is not in any output of the service."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import pillow_heif
import pytest
from pictures import encoded
from PIL import ExifTags, Image, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo

import stylizer
from stylizer.options import FORMATS
from stylizer_painter.reporting import small_jpeg

MARK = b"S3CRET"
TEXT = MARK.decode()
XMP = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf>{TEXT} xmp</rdf></x:xmpmeta>'.encode()
IPTC = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00\x12\x1c\x02\x50\x00\x0d" + MARK + b" byline"
PLACE = {1: "N", 2: (51.0, 28.0, 38.0), 3: "W", 4: (0.0, 0.0, 1.0), 29: f"{TEXT} date"}


def photo() -> Image.Image:
    return Image.effect_mandelbrot((64, 48), (-2, -1, 1, 1), 60).convert("RGB")


def camera() -> bytes:
    """Return EXIF as phones write it: place, serial number, maker notes, and a thumbnail in the second directory."""
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = f"{TEXT} description"
    exif[ExifTags.Base.Artist] = f"{TEXT} artist"
    exif.get_ifd(ExifTags.IFD.Exif).update(
        {
            ExifTags.Base.BodySerialNumber: f"{TEXT} serial",
            ExifTags.Base.CameraOwnerName: f"{TEXT} owner",
            ExifTags.Base.MakerNote: MARK + b" notes",
            ExifTags.Base.UserComment: b"ASCII\0\0\0" + MARK,
            ExifTags.Base.DateTimeOriginal: "2026:11:23 01:02:03",
        }
    )
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(PLACE)
    return exif.tobytes() + MARK + b" thumbnail"


def save(kind: str, **metadata: object) -> bytes:
    return encoded(photo(), kind, **metadata)


def jpeg() -> bytes:
    data = save("JPEG", exif=camera(), xmp=XMP, comment=MARK + b" comment")
    segment = b"\xff\xed" + struct.pack(">H", len(IPTC) + 2) + IPTC
    return data[:2] + segment + data[2:] + MARK + b" after the end, where telephones put films"


def png() -> bytes:
    info = PngInfo()
    info.add_text("Comment", f"{TEXT} text")
    info.add_text("Author", f"{TEXT} author", zip=True)
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return save("PNG", pnginfo=info, exif=camera())


def tiff() -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[ExifTags.Base.ImageDescription] = f"{TEXT} description"
    tags[ExifTags.Base.HostComputer] = f"{TEXT} computer"
    tags[700], tags.tagtype[700] = XMP, 1
    tags[33723], tags.tagtype[33723] = IPTC, 7
    return save("TIFF", tiffinfo=tags)


def heic() -> bytes:
    buffer = io.BytesIO()
    file = pillow_heif.from_pillow(photo())
    file.save(buffer, exif=camera(), xmp=XMP)
    return buffer.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "jpeg": jpeg,
    "png": png,
    "webp": lambda: save("WEBP", exif=camera(), xmp=XMP),
    "avif": lambda: save("AVIF", exif=camera(), xmp=XMP),
    "tiff": tiff,
    "heic": heic,
    "gif": lambda: save("GIF", comment=MARK + b" comment"),
}


@pytest.mark.parametrize("name", FILES)
def test_result_has_no_metadata_of_photo_or_style(name: str) -> None:
    data = FILES[name]()
    assert MARK in data
    if name in ("jpeg", "png", "webp", "avif"):
        with Image.open(io.BytesIO(data)) as image:
            assert image.getexif().get_ifd(ExifTags.IFD.GPSInfo)[2] == PLACE[2]
            assert MARK in image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote]
    painting = stylizer.stylize(data, data, method="color", options=stylizer.Options(size=64))
    written = {kind: painting.encode(kind, 90) for kind in FORMATS} | {"preview": small_jpeg(painting.image)}
    for kind, result in written.items():
        assert MARK not in result, kind
        with Image.open(io.BytesIO(result)) as image:
            said = set(image.info)
            image.load()
            exif = image.getexif()
            own = dict(TiffImagePlugin.ImageFileDirectory_v2()) if kind != "tiff" else _layout(image)
            assert dict(exif) == own, kind
            assert not exif.get_ifd(ExifTags.IFD.GPSInfo), kind
            assert not exif.get_ifd(ExifTags.IFD.Exif), kind
            assert not said & {"exif", "xmp", "comment", "photoshop", "icc_profile", "XML:com.adobe.xmp", "Author"}, (
                kind
            )


def _layout(image: Image.Image) -> dict[int, object]:
    """TIFF tags that describe the layout of the pixels."""
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    allowed = {
        "ImageWidth", "ImageLength", "BitsPerSample", "Compression", "PhotometricInterpretation", "StripOffsets",
        "SamplesPerPixel", "RowsPerStrip", "StripByteCounts", "PlanarConfiguration", "Predictor", "SampleFormat",
    }  # fmt: skip
    found = dict(image.getexif())
    assert {ExifTags.TAGS[tag] for tag in found} <= allowed
    return found
