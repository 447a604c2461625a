"""Valid images of every format and mode that the decoder accepts: the seeds of mutations."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import heifs
import numpy as np
import pictures
import tiffs
from camera_exif import camera_exif
from PIL import Image, ImageCms

from stylizer.images import encode
from stylizer.images.metadata import Metadata, read_metadata

SIZE = (48, 40)


@cache
def make(name: str, size: tuple[int, int] = SIZE) -> bytes:
    """Return the seed of that name, always the same bytes.

    Args:
        name: One of `NAMES`.
        size: (width, height) in pixels.
    """
    return _SEEDS[name](size)


def format_of(name: str) -> str:
    """Return the format of a seed, such as "tiff"."""
    return name.partition(" ")[0]


def pixels(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """Return noise over a gradient, in any mode."""
    width, height = size
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 200, width)[None, :, None] * np.ones((height, 1, 4))
    rgba = Image.fromarray((ramp + rng.integers(0, 55, (height, width, 4))).astype(np.uint8))
    if mode in ("I", "F", "I;16"):
        gray = np.asarray(rgba.convert("L"))
        kind = {"I": np.int32, "F": np.float32, "I;16": np.uint16}[mode]
        return Image.fromarray((gray.astype(kind) * kind(200)).astype(kind))
    if mode == "P":
        return rgba.convert("RGB").quantize(64)
    if mode == "LAB":
        srgb, lab_space = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        lab = ImageCms.profileToProfile(rgba.convert("RGB"), srgb, lab_space, outputMode="LAB")
        assert lab is not None
        return lab
    return rgba.convert(mode)


def save(image: Image.Image, format: str, **settings: object) -> bytes:  # noqa: A002 - Pillow's name
    """Encode with Pillow, or with pillow_heif as "HEIF"."""
    buffer = io.BytesIO()
    if format == "HEIF":
        import pillow_heif

        pillow_heif.from_pillow(image).save(buffer, **settings)
    else:
        image.save(buffer, format, **settings)
    return buffer.getvalue()


def png(size: tuple[int, int], depth: int, color: int, rows: bytes, before: bytes = b"", interlace: int = 0) -> bytes:
    """Return a PNG from its uncompressed rows, each with its filter byte; `before` precedes the image data."""
    return pictures.png(size, depth, color, zlib.compress(rows, 1), before, interlace)


_PLANES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def _raw_png(depth: int, color: int, interlace: bool = False) -> Callable[[tuple[int, int]], bytes]:
    def make_png(size: tuple[int, int]) -> bytes:
        rng = np.random.default_rng(depth * 10 + color)
        passes = _adam7(size) if interlace else [size]
        rows = b"".join(
            b"\0" + rng.bytes((width * depth * _PLANES[color] + 7) // 8)
            for width, height in passes
            if width
            for _ in range(height)
        )
        palette = pictures.chunk(b"PLTE", rng.bytes(3 * 2**depth)) if color == 3 else b""
        return png(size, depth, color, rows, palette, int(interlace))

    return make_png


def _adam7(size: tuple[int, int]) -> list[tuple[int, int]]:
    width, height = size
    starts = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    return [(-(-(width - x) // step_x), -(-(height - y) // step_y)) for x, y, step_x, step_y in starts]


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x8825] = 6, "a description", {1: "N", 2: (1.0, 2.0, 3.0)}
    return exif.tobytes()


def _metadata() -> Metadata | None:
    return read_metadata(camera_exif(dpi=300).tobytes(), None, "exif+gps")


def _srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _by_pillow(mode: str, format: str, **settings: object) -> Callable[[tuple[int, int]], bytes]:  # noqa: A002
    return lambda size: save(pixels(size, mode), format, **settings)


def _animated(format: str, **settings: object) -> Callable[[tuple[int, int]], bytes]:  # noqa: A002
    def make_animation(size: tuple[int, int]) -> bytes:
        frames = [Image.new("RGB", size, color) for color in ("teal", "gold")]
        return save(pixels(size), format, save_all=True, append_images=frames, duration=40, **settings)

    return make_animation


def _tiled_tiff(size: tuple[int, int]) -> bytes:
    """Return a TIFF of uncompressed 16 x 16 tiles, which Pillow cannot write."""
    across, down = -(-size[0] // 16), -(-size[1] // 16)
    count, at = across * down, 8
    data = np.random.default_rng(1).bytes(count * 768)
    offsets = struct.pack(f"<{count}I", *(at + 768 * index for index in range(count)))
    lengths = struct.pack(f"<{count}I", *([768] * count))
    at += len(data)
    bits_at, offsets_at, lengths_at, directory_at = at, at + 8, at + 8 + len(offsets), at + 8 + 2 * len(offsets)
    tags = [(256, 4, 1, size[0]), (257, 4, 1, size[1]), (258, 3, 3, bits_at), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(277, 3, 1, 3), (322, 4, 1, 16), (323, 4, 1, 16)]
    tags += [(324, 4, count, offsets_at), (325, 4, count, lengths_at)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    bits = struct.pack("<4H", 8, 8, 8, 0)
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", directory_at) + data + bits + offsets + lengths + directory


def _transparent_png(depth: int, color: int, value: tuple[int, ...]) -> Callable[[tuple[int, int]], bytes]:
    """Return a maker of PNGs with random samples and one transparent color."""

    def make_png(size: tuple[int, int]) -> bytes:
        rng = np.random.default_rng(depth)
        rows = b"".join(b"\0" + rng.bytes((size[0] * depth * _PLANES[color] + 7) // 8) for _ in range(size[1]))
        return png(size, depth, color, rows, pictures.chunk(b"tRNS", struct.pack(f">{len(value)}H", *value)))

    return make_png


def _tiff(count: int, dtype: str, photometric: int, **layout: Any) -> Callable[[tuple[int, int]], bytes]:
    """Return a maker of TIFFs with noise over a slope in `count` samples."""

    def make_tiff(size: tuple[int, int]) -> bytes:
        light = (
            np.random.default_rng(count).random((size[1], size[0], count)) / 4 + np.linspace(0, 0.7, size[0])[:, None]
        )
        kind = np.dtype(dtype)
        samples = (light if kind.kind == "f" else light * np.iinfo(kind).max).astype(kind)
        return tiffs.tiff(samples, photometric, **layout)

    return make_tiff


def _enlarged_gif(data: bytes) -> bytes:
    """Enlarge the logical screen, so that the frame covers only part of it."""
    width, height = struct.unpack_from("<HH", data, 6)
    return data[:6] + struct.pack("<HH", width + 8, height + 9) + data[10:]


_SEEDS: dict[str, Callable[[tuple[int, int]], bytes]] = {
    "jpeg baseline": _by_pillow("RGB", "JPEG", subsampling=2, restart_marker_rows=1),
    "jpeg progressive": lambda size: save(
        pixels(size), "JPEG", progressive=True, subsampling=0, exif=_exif(), icc_profile=_srgb(), comment="a comment"
    ),
    "jpeg exif": lambda size: save(pixels(size), "JPEG", exif=camera_exif(dpi=300)),
    "jpeg cmyk": _by_pillow("CMYK", "JPEG"),
    "jpeg gray": _by_pillow("L", "JPEG", progressive=True),
    "png rgb": lambda size: save(pixels(size), "PNG", exif=_exif(), icc_profile=_srgb()),
    "png rgba": _by_pillow("RGBA", "PNG"),
    "png palette": _by_pillow("P", "PNG", transparency=3),
    **{f"png gray{depth}": _raw_png(depth, 0) for depth in (1, 2, 4, 8, 16)},
    **{f"png palette{depth}": _raw_png(depth, 3) for depth in (1, 2, 4, 8)},
    **{f"png rgb{depth}": _raw_png(depth, 2) for depth in (8, 16)},
    **{f"png graya{depth}": _raw_png(depth, 4) for depth in (8, 16)},
    **{f"png rgba{depth}": _raw_png(depth, 6) for depth in (8, 16)},
    "png interlaced": _raw_png(8, 6, interlace=True),
    "png animated": _animated("PNG"),
    "webp lossy": lambda size: save(pixels(size, "RGBA"), "WEBP", method=0, exif=_exif(), icc_profile=_srgb()),
    "webp plain": _by_pillow("RGB", "WEBP", method=0),
    "webp lossless": _by_pillow("RGBA", "WEBP", method=0, lossless=True),
    "webp animated": _animated("WEBP", method=0),
    "avif rgb": lambda size: save(pixels(size), "AVIF", speed=10, exif=_exif(), icc_profile=_srgb()),
    "avif rgba": _by_pillow("RGBA", "AVIF", speed=10, subsampling="4:4:4"),
    "avif gray": _by_pillow("L", "AVIF", speed=10, subsampling="4:0:0"),
    "avif animated": _animated("AVIF", speed=10),
    "tiff exif": lambda size: encode(pixels(size), format="tiff", metadata=_metadata()),
    "tiff raw": _by_pillow("RGB", "TIFF"),
    "tiff bilevel fax": _by_pillow("1", "TIFF", compression="group4"),
    "tiff bilevel": _by_pillow("1", "TIFF", compression="group3"),
    "tiff lzw": lambda size: save(pixels(size, "RGBA"), "TIFF", compression="tiff_lzw", icc_profile=_srgb()),
    "tiff deflate": _by_pillow("L", "TIFF", compression="tiff_adobe_deflate"),
    "tiff packbits": _by_pillow("P", "TIFF", compression="packbits"),
    "tiff jpeg": _by_pillow("RGB", "TIFF", compression="jpeg"),
    "tiff zstd": _by_pillow("RGB", "TIFF", compression="zstd"),
    "tiff lzma": _by_pillow("RGB", "TIFF", compression="lzma"),
    "tiff cmyk": _by_pillow("CMYK", "TIFF", compression="tiff_lzw"),
    "tiff lab": _by_pillow("LAB", "TIFF"),
    "tiff gray16": _by_pillow("I;16", "TIFF"),
    "tiff int32": _by_pillow("I", "TIFF", compression="tiff_deflate"),
    "tiff float": _by_pillow("F", "TIFF", compression="tiff_deflate"),
    "tiff big": _by_pillow("RGB", "TIFF", big_tiff=True, compression="tiff_lzw"),
    "tiff pages": lambda size: save(
        pixels(size), "TIFF", save_all=True, append_images=[pixels(size, "L")] * 3, exif=_exif()
    ),
    "tiff tiled": _tiled_tiff,
    "gif plain": _by_pillow("P", "GIF", transparency=2),
    "gif interlaced": _by_pillow("L", "GIF", interlace=1, comment=b"a comment"),
    "gif animated": _animated("GIF", loop=0),
    "heic rgb": lambda size: save(pixels(size), "HEIF", quality=60, exif=_exif()),
    "heic rgba": _by_pillow("RGBA", "HEIF", quality=60),
    "heic gray": _by_pillow("L", "HEIF", quality=60),
    "jpeg without its end": lambda size: save(pixels(size), "JPEG", restart_marker_rows=1)[:-2],
    "jpeg with stray bytes": lambda size: b"\xff\xd8\0x" + save(pixels(size), "JPEG", progressive=True)[2:],
    "jpeg with a short header": lambda size: b"\xff\xd8\xff\xe0\0\7JFIF\0" + save(pixels(size), "JPEG")[20:],
    "png transparent gray": _transparent_png(2, 0, (1,)),
    "png transparent color": _transparent_png(16, 2, (3, 2, 1)),
    "png of high range": lambda size: pictures.described_png(size, pictures.chunk(b"cICP", bytes([9, 16, 0, 1]))),
    "png of wide gamut": lambda size: pictures.described_png(
        size, pictures.chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
    ),
    "png of linear light": lambda size: pictures.described_png(size, pictures.chunk(b"gAMA", b"\0\1\x86\xa0")),
    "png with damaged metadata": lambda size: pictures.described_png(
        size, pictures.chunk(b"pHYs", b"\0") + pictures.chunk(b"iCCP", b"x\0\0x") + pictures.chunk(b"eXIf", b"MM")
    ),
    "png animated in part": pictures.partly_animated_png,
    "gif in part": lambda size: _enlarged_gif(save(pixels(size, "P"), "GIF")),
    "tiff planar 16": _tiff(3, "u2", 2, planar=True, deflate=True, predictor=2),
    "tiff big big-endian": _tiff(3, "u1", 2, big=True, order=">"),
    "tiff float rgb": _tiff(3, "f4", 2, deflate=True, predictor=3),
    "tiff float tiled": _tiff(4, "f2", 2, tile=16, order=">", extra=(1,)),
    "tiff rgb 32": _tiff(3, "u4", 2, tile=16, planar=True),
    "tiff white is zero 16": _tiff(1, "u2", 0, order=">"),
    "tiff gray and alpha": _tiff(2, "u1", 1, planar=True, extra=(2,)),
    "tiff cmyk and alpha": _tiff(5, "u1", 5, extra=(2,)),
    "tiff lab 16": _tiff(3, "u2", 8),
    "tiff on its side": _tiff(3, "u2", 2, tags={274: (1, (6,))}),
    "avif cropped": lambda size: heifs.with_property(
        save(pixels(size), "AVIF", speed=10, exif=_exif()), heifs.clap(size[0] // 2, size[1] // 2)
    ),
    "avif without a size of alpha": lambda size: heifs.without_alpha_size(save(pixels(size, "RGBA"), "AVIF", speed=10)),
    "avif of a general brand": lambda size: heifs.with_general_brand(save(pixels(size), "AVIF", speed=10)),
    "heic of a general brand": lambda size: heifs.with_general_brand(save(pixels(size), "HEIF", quality=60)),
    "heic of wide gamut": _by_pillow(
        "RGB",
        "HEIF",
        quality=60,
        save_nclx_profile=True,
        color_primaries=12,
        transfer_characteristics=13,
        matrix_coefficients=6,
    ),
}
NAMES = tuple(_SEEDS)
