"""Format detection by magic numbers: the formats that are decoded, and names for others."""

from __future__ import annotations


class NotDecoded(Exception):
    """The format, or variant of a format, is not decoded; the message completes "the photo is"."""


RAW_PHOTO = "a raw photo ({}), as a camera stores it before developing; export it as JPEG, TIFF or HEIC"

_SIGNATURES = (
    (b"\xff\xd8", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
)
_OTHERS = (
    (b"%PDF", "a PDF document"),
    (b"8BPS", "a Photoshop document"),
    (b"BM", "a BMP picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\0\0\1\0", "an icon (ICO)"),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"#?RGBE", "a Radiance HDR picture"),
    (b"II\xbc\x01", "a JPEG XR picture"),
    (b"gimp xcf", "a GIMP document"),
    (b"DDS ", "a DirectDraw texture (DDS)"),
    (b"qoif", "a QOI picture"),
    (b"BPG\xfb", "a BPG picture"),
    (b"\x8aMNG\r\n\x1a\n", "an MNG animation"),
    (b"\x8bJNG\r\n\x1a\n", "a JNG picture"),
    (b"AT&TFORM", "a DjVu document"),
    (b"SIMPLE  =", "a FITS image"),
    (b"\x59\xa6\x6a\x95", "a Sun raster picture"),
    (b"\x01\xda", "an SGI picture"),
    (b"FUJIFILMCCD-RAW", RAW_PHOTO.format("RAF")),
    (b"IIU\0", RAW_PHOTO.format("RW2")),
    (b"IIRO", RAW_PHOTO.format("ORF")),
    (b"IIRS", RAW_PHOTO.format("ORF")),
    (b"MMOR", RAW_PHOTO.format("ORF")),
    (b"FOVb", RAW_PHOTO.format("X3F")),
    (b"\0MRM", RAW_PHOTO.format("MRW")),
)
_CANON_RAW = ((b"CR\x02", 8, "CR2"), (b"HEAPCCDR", 6, "CRW"))
# Generic brands of HEIF and its profiles: the item types tell the codec.
_GENERAL_BRANDS = {b"mif1", b"mif2", b"msf1", b"miaf", b"MiHB", b"MiHE", b"MiPr", b"MA1A", b"MA1B"}
_BRANDS = (
    ("avif", {b"avif", b"avis"}),
    ("heic", {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}),
)
_CODINGS = ((b"av01", "avif"), (b"hvc1", "heic"), (b"grid", "heic"))
_OTHER_BRANDS = {
    b"crx ": RAW_PHOTO.format("CR3"),
    b"jp2 ": "a JPEG 2000 picture",
    b"jpx ": "a JPEG 2000 picture",
    b"avci": "a HEIF picture coded by AVC",
    b"jxl ": "a JPEG XL picture",
}
_TGA_KINDS, _TGA_DEPTHS = {0: (2, 3, 10, 11), 1: (1, 9)}, (8, 15, 16, 24, 32)


def identify(data: bytes) -> str:
    """Return the format of a file in lower case, such as "jpeg".

    Raises:
        NotDecoded: The format is not decoded; the message names it if known.
    """
    for mark, at, name in _CANON_RAW:
        if data.startswith(mark, at):
            raise NotDecoded(RAW_PHOTO.format(name))
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp":
        return _identify_by_brands(data)
    raise NotDecoded(_describe(data))


def _identify_by_brands(data: bytes) -> str:
    box = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    brands = {box[at : at + 4] for at in range(0, len(box), 4) if at != 4}  # the second is a version number
    if box[:4] in _OTHER_BRANDS:
        raise NotDecoded(_OTHER_BRANDS[box[:4]])
    for name, known in _BRANDS:
        if brands & known:
            return name
    if brands & _GENERAL_BRANDS:
        for coding, name in _CODINGS:
            if b"infe" in data and coding in data:
                return name
        raise NotDecoded("a HEIF picture of an unknown coding")
    raise NotDecoded("a video or another media file")


def _describe(data: bytes) -> str:
    for signature, name in _OTHERS:
        if data.startswith(signature):
            return name
    if data[:1] == b"P" and data[1:2] in b"1234567fF" and data[2:3].isspace():
        return "a PNM or PFM picture"
    if data[128:132] == b"DICM":
        return "a DICOM image"
    if _is_tga(data):
        return "a TGA picture"
    if all(byte >= 9 for byte in data[:256]):
        return "an SVG drawing" if b"<svg" in data[:4096] else "text"
    return "not a picture, or of an unknown format"


def _is_tga(data: bytes) -> bool:
    """Detect TGA by its footer, or by a consistent header: old files have no signature."""
    if data[-18:] == b"TRUEVISION-XFILE.\0":
        return True
    if len(data) < 18 or data[2] not in _TGA_KINDS.get(data[1], ()) or data[16] not in _TGA_DEPTHS or data[17] & 0xC0:
        return False
    has_size = data[12:14] != b"\0\0" and data[14:16] != b"\0\0"
    return has_size and (data[7] in _TGA_DEPTHS if data[1] else not any(data[3:8]))
