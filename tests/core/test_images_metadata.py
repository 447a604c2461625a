"""EXIF that a painting keeps of its photo: a whitelist, however the photo states it and whatever else it contains."""

from __future__ import annotations

import io
import json
import random
import struct
from collections.abc import Callable

import pytest
from camera_exif import MARK, PLACE, camera_exif
from pictures import chunk, described_png, encoded
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from stylizer.images import decode, encode
from stylizer.images.metadata import MAX_VALUE_BYTES, Directory, Metadata, read_metadata, to_exif
from stylizer.options import FORMATS, Format, KeepMetadata

Save = Callable[..., bytes]
SIZE = (48, 32)
DPI = (300.0, 300.0)


def kept(data: bytes, keep: KeepMetadata = "exif+gps") -> Metadata:
    metadata = decode(data, keep_metadata=keep).metadata
    assert metadata is not None
    return metadata


def reloaded(exif: Image.Exif) -> Image.Exif:
    """The same EXIF with entries for its subdirectories, which Pillow's TIFF writer needs."""
    loaded = Image.Exif()
    loaded.load(exif.tobytes())
    loaded[Base.Artist] = exif[Base.Artist]  # read as Latin-1
    return loaded


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
def test_whitelisted_tags_are_read_from_every_format(save: Save, name: str) -> None:
    exif = camera_exif(dpi=300)
    settings = {"tiffinfo" if name == "TIFF" else "exif": reloaded(exif)}
    data = save(Image.new("RGB", SIZE, "red"), name, **settings)

    metadata = kept(data)

    assert metadata.dpi == DPI
    assert metadata.tags["image"][Base.Artist] == "Zoë"
    assert metadata.tags["exif"][Base.DateTimeOriginal] == "2026:11:23 01:02:03"
    assert metadata.tags["exif"][Base.ExposureBiasValue] == [[-2, 3]]
    assert metadata.tags["exif"][Base.ISOSpeedRatings] == [400]
    assert metadata.tags["gps"][GPS.GPSLatitude] == [[51, 1], [28, 1], [38, 1]]
    assert MARK.decode() not in str(metadata)


@pytest.mark.parametrize("keep", ["none", "exif"])
def test_place_is_read_only_if_asked_for(keep: KeepMetadata) -> None:
    data = encoded(Image.new("RGB", SIZE), exif=camera_exif())
    metadata = decode(data, keep_metadata=keep).metadata

    assert (metadata is None) == (keep == "none")
    assert metadata is None or "gps" not in metadata.tags


@pytest.mark.parametrize("form", FORMATS)
def test_metadata_is_written_to_every_format(form: Format) -> None:
    metadata = kept(encoded(Image.new("RGB", SIZE), exif=camera_exif(dpi=300)))

    data = encode(Image.new("RGB", (64, 40), "red"), format=form, metadata=metadata)

    with Image.open(io.BytesIO(data)) as image:
        image.load()
        exif = image.getexif()
        details = exif.get_ifd(IFD.Exif)
        assert image.size == (64, 40)
        assert exif.get(Base.Orientation, 1) == 1
        assert (details[Base.ExifImageWidth], details[Base.ExifImageHeight], details[Base.ColorSpace]) == (64, 40, 1)
        assert exif[Base.Copyright] == "Zoe Example"
        assert details[Base.ExposureTime] == pytest.approx(1 / 125)
        assert exif.get_ifd(IFD.GPSInfo)[GPS.GPSLatitude] == PLACE[GPS.GPSLatitude]
        assert (exif[Base.XResolution], exif[Base.ResolutionUnit]) == (300, 2)
        assert not exif.get_ifd(IFD.IFD1), "a thumbnail"
        if form in ("jpeg", "png", "tiff"):
            assert image.info["dpi"] == pytest.approx(DPI, abs=0.01)
    assert MARK not in data
    assert kept(data).tags == metadata.tags
    assert len(decode(data).rgb) == 40


@pytest.mark.parametrize("orientation", [3, 6])
def test_orientation_is_reset_since_pixels_are_upright(orientation: int) -> None:
    exif = camera_exif()
    exif[Base.Orientation] = orientation
    picture = decode(encoded(Image.new("RGB", SIZE), exif=exif), keep_metadata="exif")
    assert picture.metadata is not None

    size = picture.rgb.shape[1::-1]
    written = to_exif(picture.metadata, (size[0], size[1]))

    assert size == (SIZE if orientation < 5 else SIZE[::-1])
    assert written[Base.Orientation] == 1
    assert written.get_ifd(IFD.Exif)[Base.ExifImageWidth] == size[0]


def test_resolution_of_jfif_and_png_is_read_without_exif() -> None:
    image = Image.new("RGB", SIZE)
    assert kept(encoded(image, dpi=(150, 75))).dpi == (150, 75)
    in_meters = chunk(b"pHYs", struct.pack(">IIB", 11811, 11811, 1))
    assert kept(described_png(SIZE, in_meters)).dpi == pytest.approx(DPI, abs=0.01)
    assert decode(encoded(image, exif=Image.Exif()), keep_metadata="exif").metadata is None, "Pillow's default of 72"


def test_resolution_in_centimeters_is_converted() -> None:
    exif = camera_exif(dpi=100)
    exif[Base.ResolutionUnit] = 3
    assert kept(encoded(Image.new("RGB", SIZE), "PNG", exif=exif)).dpi == pytest.approx((254, 254))


def test_exif_cut_short_anywhere_never_costs_the_photo() -> None:
    exif = camera_exif(dpi=300).tobytes()
    for length in range(6, len(exif), 11):
        picture = decode(encoded(Image.new("RGB", SIZE), exif=exif[:length]), keep_metadata="exif+gps")
        encode(Image.new("RGB", SIZE), format="jpeg", metadata=picture.metadata)


def test_random_damage_gives_valid_metadata_or_none() -> None:
    randomness = random.Random(7)
    exif = camera_exif(dpi=300).tobytes()
    found = 0
    for _ in range(150):
        damaged = bytearray(exif)
        for _ in range(randomness.randrange(1, 12)):
            damaged[randomness.randrange(6, len(damaged))] = randomness.randrange(256)
        metadata = read_metadata(bytes(damaged), None, "exif+gps")
        if metadata is not None:
            found += 1
            assert Metadata.from_json(json.loads(json.dumps(metadata.to_json()))).dpi == metadata.dpi
            for form in ("jpeg", "tiff"):
                decode(encode(Image.new("RGB", SIZE), format=form, metadata=metadata))
    assert found > 30


def test_longest_metadata_fits_into_one_jpeg_segment() -> None:
    text = "é" * (MAX_VALUE_BYTES - 1)  # two bytes each, once decoded as Latin-1
    exif = Image.Exif()
    for tag in (Base.ImageDescription, Base.Make, Base.Model, Base.Software, Base.DateTime, Base.Artist):
        exif[tag] = text.encode("latin-1")
    details = exif.get_ifd(IFD.Exif)
    for tag in (Base.DateTimeOriginal, Base.OffsetTime, Base.SubsecTime, Base.LensMake, Base.LensModel):
        details[tag] = "x" * (MAX_VALUE_BYTES - 1)
    metadata = read_metadata(exif.tobytes(), None, "exif+gps")
    assert metadata is not None
    assert metadata.tags["image"][Base.Artist] == text
    assert len(metadata.tags["image"]) == 6
    assert len(metadata.tags["exif"]) == 5

    assert len(to_exif(metadata, SIZE).tobytes()) < 2**15
    encode(Image.new("RGB", SIZE), format="jpeg", metadata=metadata)


def test_longer_values_and_other_types_are_left_out() -> None:
    exif = Image.Exif()
    exif[Base.Artist] = "x" * MAX_VALUE_BYTES
    exif[Base.Make] = b"\0 \n"
    exif[Base.Model] = "Ca\0mera\n"
    details = exif.get_ifd(IFD.Exif)
    details[Base.ISOSpeedRatings], details[Base.Flash] = tuple(range(5)), 1
    data = exif.tobytes()
    short, undefined = (struct.pack(">HHI", Base.Flash, *kind) for kind in ((3, 1), (7, 4)))
    assert short in data

    metadata = read_metadata(data.replace(short, undefined), (0, 1e9), "exif")

    assert metadata == Metadata({"image": {Base.Model: "Ca"}}, None)


@pytest.mark.parametrize(
    "tags",
    [
        {"image": {str(Base.MakerNote): "notes", str(Base.Artist): ["x"]}},
        {"image": {str(Base.Artist): "x" * (2 * MAX_VALUE_BYTES + 1)}, "other": {"1": "x"}},
        {"image": {str(Base.Artist): "\ud800"}, "exif": {str(Base.ExposureTime): [[1, 0]]}},
        {"exif": {str(Base.ExposureTime): [1], str(Base.ISOSpeedRatings): [2**32], str(Base.Flash): [True]}},
        {"exif": {str(Base.FNumber): "2.8", str(Base.Flash): []}},
    ],
)
def test_json_with_other_values_than_allowed_gives_nothing(tags: dict[str, dict[str, object]]) -> None:
    metadata = Metadata.from_json({"tags": tags, "dpi": ["x", None]})

    assert not any(metadata.tags.values())
    assert metadata.dpi is None


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (GPS.GPSAltitude, [[-120, 10]]),
        (GPS.GPSAltitudeRef, [300]),
        (GPS.GPSDifferential, [70_000]),
    ],
)
def test_values_that_exif_cannot_hold_are_left_out(tag: int, value: list[object]) -> None:
    metadata = Metadata({"gps": {tag: value, GPS.GPSLatitudeRef: "N"}})  # type: ignore[dict-item]

    written = to_exif(metadata, SIZE)

    reread = Image.Exif()
    reread.load(written.tobytes())
    assert reread.get_ifd(IFD.GPSInfo)[GPS.GPSLatitudeRef] == "N"
    assert tag not in reread.get_ifd(IFD.GPSInfo)


@pytest.mark.parametrize(("directory", "tag"), [("exif", Base.LensModel), ("gps", GPS.GPSMapDatum)])
def test_text_in_any_directory_keeps_its_characters(directory: Directory, tag: int) -> None:
    metadata = Metadata({directory: {tag: "Objektiv für 50 µm"}})

    assert read_metadata(to_exif(metadata, SIZE).tobytes(), None, "exif+gps") == metadata
