from __future__ import annotations

import struct

import pytest
from pictures import slope

from stylizer.errors import UnsupportedImage
from stylizer.images import decode

TGA = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 32, 32, 24, 0) + bytes(3072)
NAMED = [
    (b"FUJIFILMCCD-RAW 0201", r"a raw photo \(RAF\)"),
    (b"II*\0\x10\0\0\0CR\x02\0", r"a raw photo \(CR2\)"),
    (b"II\x1a\0\0\0HEAPCCDR", r"a raw photo \(CRW\)"),
    (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", r"a raw photo \(CR3\)"),
    (b"IIU\0\x18\0\0\0", r"a raw photo \(RW2\)"),
    (b"IIRO\x08\0\0\0", r"a raw photo \(ORF\)"),
    (b"FOVb\0\0\3\0", r"a raw photo \(X3F\)"),
    (b"\0MRM\0\1\0\0", r"a raw photo \(MRW\)"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51\0\x2f", "a JPEG 2000 picture"),
    (b"\0\0\1\0\1\0\x20\x20", r"an icon \(ICO\)"),
    (TGA, "a TGA picture"),
    (b"no header that says so" + bytes(90) + b"TRUEVISION-XFILE.\0", "a TGA picture"),
    (b"\x76\x2f\x31\x01\2\0\0\0", "an OpenEXR picture"),
    (b"8BPS\0\1", "a Photoshop document"),
    (b"\xff\x0a\xfa\x1f", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    (b"P6\n32 32\n255\n", "a PNM or PFM picture"),
    (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
    (b"#?RADIANCE\n", "a Radiance HDR picture"),
    (b"qoif\0\0\0\x20", "a QOI picture"),
    (bytes(128) + b"DICM", "a DICOM image"),
    (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "a video"),
    (b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf", "a HEIF picture of an unknown coding"),
]


@pytest.mark.parametrize(("data", "words"), NAMED)
def test_format_that_is_not_decoded_is_named(data: bytes, words: str) -> None:
    with pytest.raises(UnsupportedImage, match=f"the photo is {words}.*; accepted: jpeg"):
        decode(data)


def test_version_number_is_no_brand() -> None:
    with pytest.raises(UnsupportedImage, match="a video"):
        decode(b"\0\0\0\x14ftypqt  heicqt  " + slope())
