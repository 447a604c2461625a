"""Small clips that tests generate."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageSequence


def clip_frames(count: int, size: tuple[int, int] = (96, 64)) -> list[Image.Image]:
    """Return frames of a disk that crosses a gradient."""
    width, height = size
    ramp = np.linspace(40, 220, width, dtype=np.uint8)
    ground = Image.fromarray(np.repeat(np.tile(ramp, (height, 1))[..., None], 3, axis=2))
    frames = []
    for index in range(count):
        frame = ground.copy()
        x = round((width - 24) * index / max(1, count - 1))
        ImageDraw.Draw(frame).ellipse((x, height // 2 - 12, x + 24, height // 2 + 12), fill=(200, 60, 30))
        frames.append(frame)
    return frames


def gif(count: int = 6, size: tuple[int, int] = (96, 64), *, kind: str = "gif", milliseconds: int = 80) -> bytes:
    """Return an animated GIF, WebP or PNG."""
    first, *rest = clip_frames(count, size)
    buffer = io.BytesIO()
    first.save(buffer, kind, save_all=True, append_images=rest, duration=milliseconds, loop=0)
    return buffer.getvalue()


def video(count: int = 6, size: tuple[int, int] = (96, 64), *, kind: str = "mp4", fps: int = 12) -> bytes:
    """Return an MP4 or WebM video."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as container:
        stream = container.add_stream("libx264" if kind == "mp4" else "libvpx-vp9", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for image in clip_frames(count, size):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def read_frames(data: bytes) -> list[Image.Image]:
    """Return the frames of a clip, decoded by Pillow or PyAV."""
    if data[4:8] == b"ftyp" or data[:4] == b"\x1a\x45\xdf\xa3":
        import av

        with av.open(io.BytesIO(data), "r") as container:
            return [Image.fromarray(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    with Image.open(io.BytesIO(data)) as image:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]


def long_gif(count: int) -> bytes:
    """Return a GIF of 16 x 16 pixels with many frames, each of one pixel."""
    frame = bytes.fromhex("21f90400080000 00 2c0000000001000100 00 02024401 00".replace(" ", ""))
    return b"GIF89a" + bytes.fromhex("1000100080 0000 000000ffffff".replace(" ", "")) + count * frame + b"\x3b"


def variable_video(milliseconds: list[int], size: tuple[int, int] = (96, 64)) -> bytes:
    """Return an MP4 whose frames are shown for different times."""
    from fractions import Fraction

    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        at = 0
        for image, duration in zip(clip_frames(len(milliseconds), size), milliseconds, strict=True):
            frame = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            at += duration
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()
