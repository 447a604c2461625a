"""EXIF as cameras and telephones write it."""

from __future__ import annotations

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.TiffImagePlugin import IFDRational

MARK = b"S3CRET"
"""In every value that no painting keeps."""
PLACE: dict[int, object] = {
    GPS.GPSLatitudeRef: "N",
    GPS.GPSLatitude: (51.0, 28.0, 38.0),
    GPS.GPSLongitudeRef: "W",
    GPS.GPSLongitude: (0.0, 0.0, 1.0),
    GPS.GPSAltitudeRef: 0,
}


def camera_exif(dpi: int | None = None) -> Image.Exif:
    """EXIF with a place, a serial number, maker notes, an owner and a comment, which have a mark, and a thumbnail."""
    exif = Image.Exif()
    exif[Base.Make] = "Example"
    exif[Base.Artist] = "Zoë".encode()
    exif[Base.Copyright] = "Zoe Example"
    exif[Base.HostComputer] = f"{MARK.decode()} computer"
    if dpi is not None:
        exif[Base.XResolution] = exif[Base.YResolution] = IFDRational(dpi)
        exif[Base.ResolutionUnit] = 2
    exif.get_ifd(IFD.Exif).update(
        {
            Base.DateTimeOriginal: "2026:11:23 01:02:03",
            Base.ExposureTime: IFDRational(1, 125),
            Base.ExposureBiasValue: IFDRational(-2, 3),
            Base.ISOSpeedRatings: 400,
            Base.ExifImageWidth: 4000,
            Base.BodySerialNumber: f"{MARK.decode()} serial",
            Base.CameraOwnerName: f"{MARK.decode()} owner",
            Base.ImageUniqueID: f"{MARK.decode()} id",
            Base.MakerNote: MARK + b" notes",
            Base.UserComment: b"ASCII\0\0\0" + MARK,
        }
    )
    exif.get_ifd(IFD.GPSInfo).update(PLACE | {GPS.GPSProcessingMethod: MARK + b" method"})
    return exif
