"""Metadata that a painting keeps of its photo: a whitelist of EXIF tags (CIPA DC-008, EXIF 3.0), and the resolution.

Nothing is copied as a block: each tag of the whitelist is read by itself, checked, and encoded again. Thumbnails, maker
notes, user comments, serial numbers, the owner's name and unique ids are not on the list, nor are XMP and IPTC. The
list bounds the size: 27 texts of at most `MAX_VALUE_BYTES` bytes (twice as many in UTF-8) and some numbers, 64 KiB at
worst.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.TiffImagePlugin import IFDRational

from stylizer.images.tiff import Tag, Tiff, read_directories
from stylizer.options import KeepMetadata

Directory = Literal["image", "exif", "gps"]
Value = str | list[int] | list[list[int]]
"""Text, whole numbers, or fractions as pairs of numerator and denominator."""

MAX_VALUE_BYTES = 800
_MAX_NUMBERS = 4
_MAX_DPI = 65_535.0  # what JFIF can hold
_TEXT, _INTEGERS, _RATIONALS = "text", "integers", "rationals"
_ASCII, _BYTE, _SHORT, _LONG, _RATIONAL, _SIGNED_RATIONAL = 2, 1, 3, 4, 5, 10
_INTEGER_CODES = {_BYTE: "B", _SHORT: "H", _LONG: "I"}
_RATIONAL_CODES = {_RATIONAL: "I", _SIGNED_RATIONAL: "i"}
_INCH, _CENTIMETER = 2, 3

_WHITELIST: dict[Directory, dict[int, str]] = {
    "image": dict.fromkeys(
        (Base.ImageDescription, Base.Make, Base.Model, Base.Software, Base.DateTime, Base.Artist, Base.Copyright), _TEXT
    ),
    "exif": {
        **dict.fromkeys(
            (
                *(Base.DateTimeOriginal, Base.DateTimeDigitized),
                *(Base.OffsetTime, Base.OffsetTimeOriginal, Base.OffsetTimeDigitized),
                *(Base.SubsecTime, Base.SubsecTimeOriginal, Base.SubsecTimeDigitized),
                *(Base.LensMake, Base.LensModel),
            ),
            _TEXT,
        ),
        **dict.fromkeys(
            (
                *(Base.ExposureProgram, Base.ISOSpeedRatings, Base.SensitivityType, Base.RecommendedExposureIndex),
                *(Base.MeteringMode, Base.LightSource, Base.Flash, Base.SensingMethod, Base.CustomRendered),
                *(Base.ExposureMode, Base.WhiteBalance, Base.FocalLengthIn35mmFilm, Base.SceneCaptureType),
                *(Base.GainControl, Base.Contrast, Base.Saturation, Base.Sharpness, Base.SubjectDistanceRange),
            ),
            _INTEGERS,
        ),
        **dict.fromkeys(
            (
                *(Base.ExposureTime, Base.FNumber, Base.ShutterSpeedValue, Base.ApertureValue, Base.BrightnessValue),
                *(Base.ExposureBiasValue, Base.MaxApertureValue, Base.SubjectDistance, Base.FocalLength),
                *(Base.DigitalZoomRatio, Base.LensSpecification),
            ),
            _RATIONALS,
        ),
    },
    "gps": {
        **dict.fromkeys(
            (
                *(GPS.GPSLatitudeRef, GPS.GPSLongitudeRef, GPS.GPSStatus, GPS.GPSMeasureMode, GPS.GPSSpeedRef),
                *(GPS.GPSTrackRef, GPS.GPSImgDirectionRef, GPS.GPSMapDatum, GPS.GPSDestBearingRef, GPS.GPSDateStamp),
            ),
            _TEXT,
        ),
        **dict.fromkeys((GPS.GPSAltitudeRef, GPS.GPSDifferential), _INTEGERS),
        **dict.fromkeys(
            (
                *(GPS.GPSLatitude, GPS.GPSLongitude, GPS.GPSAltitude, GPS.GPSTimeStamp, GPS.GPSDOP, GPS.GPSSpeed),
                *(GPS.GPSTrack, GPS.GPSImgDirection, GPS.GPSDestBearing, GPS.GPSHPositioningError),
            ),
            _RATIONALS,
        ),
    },
}


@dataclass(frozen=True, slots=True)
class Metadata:
    """Metadata of a photo, without pixel dimensions and orientation, which are those of the painting.

    Attributes:
        tags: Values by directory and tag; tags of the whitelist only.
        dpi: Horizontal and vertical resolution in pixels per inch; None if unknown.
    """

    tags: Mapping[Directory, Mapping[int, Value]] = field(default_factory=dict)
    dpi: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return JSON-serializable values; see `from_json`."""
        return {"tags": self.tags, "dpi": self.dpi}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Metadata:
        """Restore from `to_json`. What is not on the whitelist, or has no allowed value, is left out."""
        tags: dict[Directory, dict[int, Value]] = {}
        for directory, kinds in _WHITELIST.items():
            found = values["tags"].get(directory, {})
            tags[directory] = {
                tag: found[str(tag)]
                for tag, kind in kinds.items()
                if str(tag) in found and _is_allowed(found[str(tag)], kind)
            }
        dpi = values["dpi"]
        return cls(tags, None if dpi is None else _checked_dpi(*dpi))


def read_metadata(exif: bytes | None, dpi: tuple[float, float] | None, keep: KeepMetadata) -> Metadata | None:
    """Read the metadata that is to be kept; None if there is none. Malformed values are left out.

    Args:
        exif: An EXIF block, or a TIFF file, which has the same structure.
        dpi: Resolution stated outside of EXIF, which takes precedence.
        keep: What to keep: "exif" or "exif+gps".
    """
    data = (exif or b"").removeprefix(b"Exif\0\0")
    image, exif_directory, gps = read_directories(data, (IFD.Exif, IFD.GPSInfo), MAX_VALUE_BYTES)
    tags = {"image": _values(image, "image"), "exif": _values(exif_directory, "exif")}
    if keep == "exif+gps":
        tags["gps"] = _values(gps, "gps")
    metadata = Metadata(
        {name: values for name, values in tags.items() if values},  # type: ignore[misc] # keys are directories
        (_checked_dpi(*dpi) if dpi else None) or _resolution(image),
    )
    return metadata if metadata.tags or metadata.dpi else None


def to_exif(metadata: Metadata, size: tuple[int, int]) -> Image.Exif:
    """Return the EXIF block of a painting of `size` (width, height), which is upright and in sRGB."""
    exif = Image.Exif()
    exif[Base.Orientation] = 1
    if metadata.dpi is not None:
        exif[Base.XResolution], exif[Base.YResolution] = (IFDRational(value) for value in metadata.dpi)
        exif[Base.ResolutionUnit] = _INCH
    for tag, value in metadata.tags.get("image", {}).items():
        exif[tag] = _encodable_value(value)
    exif.get_ifd(IFD.Exif).update(
        {Base.ExifVersion: b"0300", Base.ColorSpace: 1, Base.ExifImageWidth: size[0], Base.ExifImageHeight: size[1]}
        | _encodable(IFD.Exif, metadata.tags.get("exif", {}))
    )
    if place := metadata.tags.get("gps"):
        exif.get_ifd(IFD.GPSInfo).update({GPS.GPSVersionID: b"\2\4\0\0"} | _encodable(IFD.GPSInfo, place))
    return exif


def _encodable(directory: IFD, values: Mapping[int, Value]) -> dict[int, Any]:
    """Return the values as Pillow takes them, without those that do not fit the type which EXIF gives their tag."""
    encodable = {}
    for tag, value in values.items():
        trial = Image.Exif()
        trial.get_ifd(directory)[tag] = encodable[tag] = _encodable_value(value)
        try:
            trial.tobytes()
        except (struct.error, ValueError, TypeError, OverflowError):
            del encodable[tag]
    return encodable


class _Utf8(str):
    """Text that Pillow writes as UTF-8, which EXIF 3.0 allows, and not as ASCII with a "?" for other characters."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return super().encode()


def _encodable_value(value: Value) -> Any:
    """Return a value as Pillow takes it."""
    if isinstance(value, str):
        return _Utf8(value)
    values = tuple(IFDRational(*each) if isinstance(each, list) else each for each in value)
    return values[0] if len(values) == 1 else values


def _values(found: Tiff, directory: Directory) -> dict[int, Value]:
    values = {}
    for tag, kind in _WHITELIST[directory].items():
        value = _value(found.tags[tag], kind, found.order) if tag in found.tags else None
        if value is not None and _is_allowed(value, kind):
            values[tag] = value
    return values


def _value(tag: Tag, kind: str, order: str) -> Value | None:
    if kind == _TEXT:
        return _text(tag.data) if tag.type == _ASCII else None
    if tag.count > _MAX_NUMBERS:
        return None
    if kind == _INTEGERS and tag.type in _INTEGER_CODES:
        return list(struct.unpack(f"{order}{tag.count}{_INTEGER_CODES[tag.type]}", tag.data))
    if kind == _RATIONALS and tag.type in _RATIONAL_CODES:
        numbers = struct.unpack(f"{order}{2 * tag.count}{_RATIONAL_CODES[tag.type]}", tag.data)
        return [list(pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
    return None


def _text(data: bytes) -> str:
    """Decode text as UTF-8, or else as Latin-1; control characters become spaces."""
    data = data.partition(b"\0")[0]
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return "".join(character if character.isprintable() else " " for character in text).strip()


def _is_allowed(value: object, kind: str) -> bool:
    """Whether a value is of the kind, with content, and within the bounds."""
    if kind == _TEXT:
        # Printable text can be encoded; Latin-1 doubles in UTF-8.
        return isinstance(value, str) and value.isprintable() and 0 < len(value.encode()) <= 2 * MAX_VALUE_BYTES
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_NUMBERS:
        return False
    if kind == _INTEGERS:
        return all(type(number) is int and 0 <= number < 2**32 for number in value)
    return all(isinstance(pair, list) and len(pair) == 2 and _is_rational(*pair) for pair in value)


def _is_rational(numerator: object, denominator: object) -> bool:
    if type(numerator) is not int or type(denominator) is not int or denominator == 0:
        return False
    is_unsigned = 0 <= numerator < 2**32 and 0 < denominator < 2**32
    return is_unsigned or (abs(numerator) < 2**31 and abs(denominator) < 2**31)


def _resolution(image: Tiff) -> tuple[float, float] | None:
    """Return the resolution that the main directory states, in pixels per inch."""
    units = {_INCH: 1.0, _CENTIMETER: 2.54}
    unit = units.get(image.number(Base.ResolutionUnit, _INCH))
    sides = []
    for tag in (Base.XResolution, Base.YResolution):
        value = _value(image.tags[tag], _RATIONALS, image.order) if tag in image.tags else None
        if unit is None or value is None or not _is_allowed(value, _RATIONALS):
            return None
        numerator, denominator = (int(number) for number in value[0])  # type: ignore[union-attr] # a pair
        sides.append(unit * numerator / denominator)
    return _checked_dpi(*sides)


def _checked_dpi(across: object, down: object) -> tuple[float, float] | None:
    with suppress(TypeError, ValueError):
        values = float(across), float(down)  # type: ignore[arg-type]
        if all(math.isfinite(value) and 1 <= value <= _MAX_DPI for value in values):
            return values
    return None
