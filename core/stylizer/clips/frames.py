"""Decoding of frames, and encoding of animated pictures."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
from PIL import GifImagePlugin, Image, ImageFile, PngImagePlugin, WebPImagePlugin

from stylizer.clips import video
from stylizer.clips.animations import probe_animation
from stylizer.clips.info import ANIMATIONS, VIDEOS, ClipFormat, ClipInfo, clip_format
from stylizer.clips.limits import DEFAULT_CLIP_LIMITS, ClipLimits
from stylizer.errors import CorruptImage, UnsupportedImage
from stylizer.images import Picture
from stylizer.images.pillow_settings import default_pillow_settings
from stylizer.images.pixels import to_srgb
from stylizer.images.sources import ImageSource, read
from stylizer.transparency import resize_picture

Bytes = npt.NDArray[np.uint8]

_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "gif": GifImagePlugin.GifImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "png": PngImagePlugin.PngImageFile,
}
GIF_UNIT = Fraction(1, 100)  # seconds
MIN_GIF_DELAY = 2  # in units; browsers replace shorter ones by 100 ms
PALETTE_FRAMES = 16  # number of frames sampled for the palette of a GIF
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # timestamp of all zip entries, so that equal contents give equal bytes
_TRANSPARENT = 255  # index in the palette of a GIF
_OPAQUE_FROM = 128  # alpha from which a pixel of a GIF is opaque


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame: colors (height, width, 3), and alpha (height, width) unless it is opaque."""

    rgb: Bytes
    alpha: Bytes | None = None

    def image(self) -> Image.Image:
        """Return the frame as an image of mode RGB or RGBA."""
        image = Image.fromarray(self.rgb)
        if self.alpha is not None:
            image.putalpha(Image.fromarray(self.alpha))
        return image


class FrameReader(Protocol):
    """Decoder of frames. `read_frames` decodes in the calling process."""

    def __call__(  # noqa: D102
        self, source: bytes, info: ClipInfo, start: int, stop: int, size: tuple[int, int], /
    ) -> Iterator[Frame]: ...


def load(source: ImageSource, limits: ClipLimits = DEFAULT_CLIP_LIMITS, field: str = "content") -> bytes:
    """Read the file of a clip.

    Raises:
        UnsupportedImage: The source is an in-memory image.
        ImageError: The file cannot be read, is empty or too large.
    """
    if not isinstance(source, bytes | bytearray | memoryview | str | os.PathLike) and not hasattr(source, "read"):
        allowed = "bytes, a path, or an open binary file"
        raise UnsupportedImage(f"the clip is not a file; it must be {allowed}", field=field, allowed=allowed)
    return read(cast(bytes, source), limits.of_frames(), field)


def probe(source: ImageSource, *, limits: ClipLimits = DEFAULT_CLIP_LIMITS, field: str = "content") -> ClipInfo:
    """Read the headers of a clip and check them against `limits`; of a video, also decode the first frame.

    Args:
        source: GIF, WebP, PNG, MP4 or WebM: a path, the bytes of a file or an open file. A still picture is a clip of
            one frame.
        limits: Limits of the clip.
        field: The input it came in, for the error message.

    Raises:
        MissingVideoSupport: The clip is a video, and PyAV is not installed.
        ImageError: The file is not a clip, is broken, or exceeds a limit.
    """
    data = load(source, limits, field)
    name = clip_format(data[:64])
    if name is None:
        allowed = "an animated GIF, WebP or PNG, or an MP4 or WebM video"
        raise UnsupportedImage(f"the clip is of an unknown format; it must be {allowed}", field=field, allowed=allowed)
    return video.probe_video(data, limits, field) if name in VIDEOS else probe_animation(data, limits, field)


def read_frames(source: bytes, info: ClipInfo, start: int, stop: int, size: tuple[int, int]) -> Iterator[Frame]:
    """Decode the frames [start, stop), upright, in sRGB, resampled to `size` (width, height).

    Raises:
        CorruptImage: The clip ends early or is broken.
    """
    if info.format in VIDEOS:
        for rgb in video.read_video(source, info, start, stop, size):
            yield Frame(rgb)
        return
    with default_pillow_settings():
        try:
            with _PLUGINS[info.format](io.BytesIO(source)) as image:
                for index in _frame_indices(image, start, stop):
                    image.seek(index)
                    yield _frame(image, info, size)
        except (OSError, EOFError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise CorruptImage(f"the clip is broken: {error}", field="content") from error


def _frame_indices(image: ImageFile.ImageFile, start: int, stop: int) -> range:
    """Return Pillow's frame indices: the default image of an APNG, if not part of the animation, comes first."""
    shift = 1 if image.info.get("default_image") else 0
    return range(start + shift, stop + shift)


def _frame(image: ImageFile.ImageFile, info: ClipInfo, size: tuple[int, int]) -> Frame:
    converted = image.convert("RGBA" if image.has_transparency_data or image.mode == "RGBA" else "RGB")
    if converted.size != (info.width, info.height):  # a frame larger than the canvas, which browsers crop
        converted = converted.crop((0, 0, info.width, info.height))
    alpha = np.asarray(converted.getchannel("A")) if converted.mode == "RGBA" else None
    if alpha is not None and alpha.min() == 255:
        alpha = None
    rgb = np.asarray(to_srgb(converted.convert("RGB"), image.info.get("icc_profile")))
    resized = np.asarray(resize_picture(Picture(rgb, alpha, info.format), size))
    if alpha is not None:
        alpha = np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.LANCZOS))
    return Frame(resized, alpha)


def pack_frames(frames: Sequence[Frame]) -> bytes:
    """Serialize frames losslessly: an uncompressed zip of lossless WebP pictures."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for number, frame in enumerate(frames):
            part = io.BytesIO()
            frame.image().save(part, "webp", lossless=True, exact=True, quality=30, method=1)
            entry = zipfile.ZipInfo(f"{number:05}.webp", ZIP_EPOCH)
            archive.writestr(entry, part.getvalue())
    return buffer.getvalue()


def unpack_frames(data: bytes) -> Iterator[Frame]:
    """Yield the frames from a file of `pack_frames`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in sorted(archive.namelist()):
            with Image.open(io.BytesIO(archive.read(name)), formats=["WEBP"]) as image:
                pixels = np.asarray(image)
            yield Frame(pixels[..., :3], pixels[..., 3] if pixels.shape[2] == 4 else None)


def encode_animation(frames: Iterable[Frame], info: ClipInfo, name: ClipFormat, quality: int) -> bytes:
    """Encode an animated picture.

    Args:
        frames: All frames of the clip.
        info: Provides frame durations and the loop count.
        name: "gif", "webp" or "png".
        quality: 1-100, for WebP.
    """
    images = [frame.image() for frame in frames]
    if len(images) != info.frames:
        raise ValueError(f"the segments hold {len(images)} frames, and the clip has {info.frames}")
    has_alpha = any(image.mode == "RGBA" for image in images)
    if has_alpha:
        images = [image.convert("RGBA") for image in images]
    loop = info.loop if info.format in ANIMATIONS else 0
    settings: dict[str, object] = {"loop": loop, "duration": info.durations_ms()}
    if name == "webp":
        # Pillow 13 drops the alpha channel of lossy animations.
        settings |= {"quality": quality, "method": 4, "lossless": has_alpha}
    elif name == "gif":
        images = _indexed(images)
        delays = [max(MIN_GIF_DELAY, delay) for delay in info.durations(GIF_UNIT)]
        settings |= {"duration": [10 * delay for delay in delays], "optimize": False}
        if loop:
            settings["loop"] = loop - 1  # the file counts repetitions after the first
        if loop == 1:
            del settings["loop"]
        if any("transparency" in image.info for image in images):
            settings |= {"disposal": 2}
    if len(images) == 1:
        settings = {key: value for key, value in settings.items() if key not in ("loop", "duration")}
    buffer = io.BytesIO()
    images[0].save(buffer, name, save_all=len(images) > 1, append_images=images[1:], **settings)
    return buffer.getvalue()


def _indexed(images: Sequence[Image.Image]) -> list[Image.Image]:
    """Quantize to one palette for all frames, without dithering: palettes per frame and dithering would flicker."""
    step = -(-len(images) // PALETTE_FRAMES)
    sample = [np.asarray(image.convert("RGB").resize((96, 96))) for image in images[::step]]
    palette = Image.fromarray(np.concatenate(sample)).quantize(_TRANSPARENT, Image.Quantize.MEDIANCUT)
    indexed = []
    for image in images:
        reduced = image.convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE)
        if image.mode == "RGBA":
            alpha = np.asarray(image.getchannel("A"))
            reduced.paste(_TRANSPARENT, mask=Image.fromarray(((alpha < _OPAQUE_FROM) * 255).astype(np.uint8)))
            reduced.info["transparency"] = _TRANSPARENT
        indexed.append(reduced)
    return indexed
