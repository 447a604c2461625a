"""Small clips for tests, made from a synthetic scene."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

Bytes = npt.NDArray[np.uint8]

SIDE = 96, 72  # width and height of the frames
MILLISECOND = Fraction(1, 1000)


def scene(seed: int = 0, size: tuple[int, int] = (220, 160)) -> Image.Image:
    """Return a smooth random landscape with shapes in it, without noise."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(30, 225, (12, 16, 3)).astype(np.uint8))
    image = np.array(coarse.resize(size, Image.Resampling.BICUBIC))
    for _ in range(14):
        left, top = random.integers(0, size[0] - 20), random.integers(0, size[1] - 20)
        width, height = random.integers(8, 40, 2)
        image[top : top + height, left : left + width] = random.integers(0, 255, 3)
    return Image.fromarray(image)


def panned(count: int, step: tuple[float, float], *, noise: float = 0, seed: int = 0) -> list[Bytes]:
    """Return frames of a camera that moves over the scene by `step` pixels a frame, with sensor noise."""
    random = np.random.default_rng(seed)
    whole = scene(seed)
    frames = []
    for number in range(count):
        left, top = 20 + step[0] * number, 20 + step[1] * number
        view = whole.transform(SIDE, Image.Transform.AFFINE, (1, 0, left, 0, 1, top), Image.Resampling.BICUBIC)
        noisy = np.asarray(view, np.float32) + noise * random.normal(size=(SIDE[1], SIDE[0], 3))
        frames.append(np.rint(noisy).clip(0, 255).astype(np.uint8))
    return frames


def animation(frames: Sequence[Bytes], form: str, durations: Sequence[int], loop: int = 0) -> bytes:
    """Encode frames as GIF, WebP (lossless) or PNG, with durations in milliseconds."""
    first, *others = [Image.fromarray(frame) for frame in frames]
    settings: dict[str, Any] = {"lossless": True} if form == "webp" else {}
    buffer = io.BytesIO()
    first.save(buffer, form, save_all=True, append_images=others, duration=list(durations), loop=loop, **settings)
    return buffer.getvalue()


def video(
    frames: Sequence[Bytes],
    stamps: Sequence[int] | None = None,
    *,
    form: str = "mp4",
    rotation: int = 0,
    audio: bool | str = False,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    **properties: object,
) -> bytes:
    """Encode frames as a video, with timestamps in milliseconds.

    Args:
        frames: Each (height, width, 3).
        stamps: Start of each frame; by default 40 ms apart.
        form: Container.
        rotation: Counterclockwise, in degrees.
        audio: Whether there is half a second of a tone, from 0 on, or its codec.
        codec: Video codec.
        pixels: Pixel format.
        properties: Attributes of the codec context, such as `color_trc`.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=30, options={"crf": "12", "threads": "1"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        stream.time_base = stream.codec_context.time_base = MILLISECOND
        for name, value in properties.items():
            setattr(stream.codec_context, name, value)
        if rotation:
            stream.set_display_rotation(rotation)
        kind = audio if isinstance(audio, str) else "aac" if form == "mp4" else "libopus"
        sound: Any = container.add_stream(kind, rate=48_000) if audio else None
        for number, pixels_of_frame in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels_of_frame), format="rgb24")
            frame.pts, frame.time_base = (stamps[number] if stamps else 40 * number), MILLISECOND
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            wave = np.sin(np.arange(24_000) * 0.05, dtype=np.float32)[None] * np.float32(0.3)
            samples = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            samples.sample_rate, samples.pts = 48_000, 0
            container.mux(sound.encode(samples))
            container.mux(sound.encode())
    return buffer.getvalue()
