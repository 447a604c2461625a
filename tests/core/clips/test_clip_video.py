from __future__ import annotations

import io
import sys
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from clip_files import SIDE, panned, video

from stylizer.clips import ClipLimits, Frame, probe, read_frames
from stylizer.clips import video as clip_video
from stylizer.clips.video import encode_h264, join_h264
from stylizer.errors import (
    ClipTooLong,
    CorruptImage,
    ImageError,
    MissingVideoSupport,
    TooManyPixels,
    UnsupportedImage,
)

STAMPS = [0, 33, 83, 100, 200, 233, 300, 310, 350]


def read_all(data: bytes) -> list[Frame]:
    info = probe(data)
    return list(read_frames(data, info, 0, info.frames, SIDE))


def test_variable_frame_rate_is_read() -> None:
    info = probe(video(panned(9, (2, 0)), STAMPS))
    assert (info.format, info.width, info.height, info.frames) == ("mp4", *SIDE, 9)
    assert info.durations_ms()[:8] == [after - before for before, after in pairwise(STAMPS)]


@pytest.mark.parametrize(("form", "codec"), [("webm", "libvpx-vp9"), ("webm", "libvpx"), ("matroska", "libx264")])
def test_webm_and_matroska_are_read(form: str, codec: str) -> None:
    data = video(panned(9, (2, 0)), STAMPS, form=form, codec=codec, audio=True)
    info = probe(data)
    assert (info.format, info.width, info.height, info.frames, info.has_audio) == ("webm", *SIDE, 9, True)
    assert len(list(read_frames(data, info, 0, 9, SIDE))) == 9


def test_decoded_frames_are_those_encoded_from_the_middle_too() -> None:
    frames = panned(30, (2, 0))
    data = video(frames)
    info = probe(data)
    whole = [frame.rgb for frame in read_frames(data, info, 0, 30, SIDE)]
    assert all(np.abs(a.astype(int) - b).mean() < 7 for a, b in zip(whole, frames, strict=True))
    part = [frame.rgb for frame in read_frames(data, info, 16, 24, SIDE)]
    assert all(np.array_equal(a, b) for a, b in zip(part, whole[16:24], strict=True))


def test_rotated_video_is_turned_upright() -> None:
    frames = panned(3, (2, 0))
    data = video(frames, rotation=90)
    info = probe(data)
    assert (info.width, info.height) == SIDE[::-1]
    first = next(read_frames(data, info, 0, 3, SIDE[::-1])).rgb
    assert np.abs(first.astype(int) - np.rot90(frames[0])).mean() < 7


def test_width_of_anamorphic_video_is_corrected() -> None:
    info = probe(video(panned(3, (2, 0)), sample_aspect_ratio=Fraction(4, 3)))
    assert (info.width, info.height) == (SIDE[0] * 4 // 3, SIDE[1])


@pytest.mark.parametrize(
    ("transfer", "primaries", "expected"),
    [(16, 9, 255), (18, 9, 168), (18, 1, 168), (16, 10, 150)],  # PQ and HLG; 10 is XYZ, of which no camera makes videos
)
def test_hdr_video_is_converted_to_srgb(transfer: int, primaries: int, expected: int) -> None:
    gray = [np.full((SIDE[1], SIDE[0], 3), 150, np.uint8)] * 2
    frames = read_all(video(gray, color_trc=transfer, color_primaries=primaries))
    np.testing.assert_allclose(frames[0].rgb, expected, atol=2)


def test_ten_bit_video_is_decoded() -> None:
    frames = panned(3, (2, 0))
    data = video(frames, codec="libx265", pixels="yuv420p10le")
    first = next(read_frames(data, probe(data), 0, 1, SIDE)).rgb
    assert np.abs(first.astype(int) - frames[0]).mean() < 9


@pytest.mark.parametrize("part", [0.2, 0.95])
def test_truncated_video_is_corrupt(part: float) -> None:
    data = video(panned(9, (2, 0)))
    with pytest.raises(CorruptImage):
        probe(data[: int(len(data) * part)])


def test_truncated_stream_with_leading_index_is_corrupt() -> None:
    whole = join_h264([encode_h264(panned(9, (2, 0)), 90)], probe(video(panned(9, (2, 0)))))
    assert probe(whole).frames == 9
    with pytest.raises(CorruptImage):
        read_all(whole[:-1500])


def packets(data: bytes) -> list[bytes]:
    with av.open(io.BytesIO(data), "r") as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def test_undecodable_frame_repeats_the_previous_one() -> None:
    data = video(panned(9, (2, 0)), form="webm", codec="libvpx-vp9")
    damaged = [data.replace(packet[:16], bytes(16)) for packet in packets(data)]
    frames = read_all(damaged[4])
    assert len(frames) == 9
    assert [np.array_equal(a.rgb, b.rgb) for a, b in pairwise(frames)].index(True) == 3
    with pytest.raises(CorruptImage, match="first frame cannot be decoded"):
        probe(damaged[0])
    with pytest.raises(CorruptImage, match="only 8 frames can be decoded"):
        read_all(damaged[8])


def test_video_without_frames_is_corrupt() -> None:
    data = video(panned(3, (2, 0)))
    count = data.index(b"stsz") + 12
    with pytest.raises(CorruptImage, match="no frames"):
        probe(data[:count] + bytes(4) + data[count + 4 :])


def test_frame_without_a_timestamp_is_corrupt() -> None:
    data = video(panned(9, (2, 0)), form="webm", codec="libvpx")
    at = data.index(next(packet for packet in packets(data)[1:] if len(packet) % 2))
    laced = bytes([data[at - 1] | 4, 1])  # two frames in one block
    changed = (data[: at - 1] + laced + data[at + 1 :]).replace(b"\x23\xe3\x83", b"\x23\xe3\x85")  # DefaultDuration
    with pytest.raises(CorruptImage, match="no timestamp"):
        probe(changed)


def test_random_bytes_after_a_signature_are_corrupt() -> None:
    noise = np.random.default_rng(1).integers(0, 256, 3000, np.uint8).tobytes()
    for head in (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", b"\x1a\x45\xdf\xa3"):
        with pytest.raises(ImageError):
            probe(head + noise)


def test_too_many_frames_are_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    data = video(panned(12, (2, 0)))

    def decode(*_arguments: object) -> None:
        raise AssertionError("a frame was decoded")

    monkeypatch.setattr(clip_video, "_decode", decode)
    with pytest.raises(ClipTooLong, match="more than 11 frames"):
        probe(data, limits=ClipLimits(max_frames=11))
    with pytest.raises(ClipTooLong, match=r"0\.5 seconds"):
        probe(data, limits=ClipLimits(max_seconds=0.4))
    with pytest.raises(TooManyPixels):
        probe(data, limits=ClipLimits(max_frame_pixels=6_000))


def test_decoder_refuses_frames_larger_than_the_limit() -> None:
    data = video(panned(3, (2, 0)))
    with clip_video._opened(data, "content") as (container, stream):
        assert not list(clip_video._decode(container, stream, 100))
    with clip_video._opened(data, "content") as (container, stream):
        assert len(list(clip_video._decode(container, stream, 96 * 72 * 2))) == 3


def test_file_with_audio_only_is_unsupported() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(UnsupportedImage, match="no video track"):
        probe(buffer.getvalue())


def test_other_codecs_are_unsupported() -> None:
    with pytest.raises(UnsupportedImage, match="encoded with mjpeg") as caught:
        probe(video(panned(3, (2, 0)), codec="mjpeg", pixels="yuvj420p"))
    assert "h264" in (caught.value.allowed or "")


def test_codec_that_ffmpeg_does_not_know_is_unsupported() -> None:
    data = video(panned(3, (2, 0)))
    assert b"avc1" in data[200:]
    with pytest.raises(UnsupportedImage, match="encoded with an unknown codec"):
        probe(data[:200] + data[200:].replace(b"avc1", b"zzzz"))


def test_undecodable_metadata_does_not_fail_the_clip() -> None:
    data = video(panned(3, (2, 0)))
    assert b"VideoHandler" in data
    assert probe(data.replace(b"VideoHandler", b"\xff\xfe\xfdeoHandler")).frames == 3


def test_video_without_pyav_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = video(panned(3, (2, 0)))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingVideoSupport, match=r"image-stylizer\[video\]"):
        probe(data)


def test_joined_segments_keep_times_and_audio() -> None:
    source = video(panned(9, (2, 0)), STAMPS, audio=True)
    info = probe(source)
    frames = panned(9, (2, 0))
    first = encode_h264(frames[:8], 90)
    with pytest.raises(ValueError, match="hold 8 frames"):
        join_h264([first], info)
    with pytest.raises(ValueError, match="more frames than the 9"):
        join_h264([first, first], info)
    joined = join_h264([first, encode_h264(frames[8:], 90)], info, source)
    result = probe(joined)
    assert result.durations_ms() == info.durations_ms()
    assert result.has_audio
    with av.open(io.BytesIO(joined), "r") as container, av.open(io.BytesIO(source), "r") as original:
        copied, expected = (b"".join(bytes(packet) for packet in file.demux(audio=0)) for file in (container, original))
    assert copied == expected
    decoded = [frame.rgb for frame in read_frames(joined, result, 0, 9, SIDE)]
    assert all(np.abs(a.astype(int) - b).mean() < 7 for a, b in zip(decoded, frames, strict=True))


def test_audio_before_the_first_frame_stays_in_sync() -> None:
    source = video(panned(9, (2, 0)), [120 + 40 * number for number in range(9)], audio=True)
    joined = join_h264([encode_h264(panned(9, (2, 0)), 90)], probe(source), source)

    def lead(data: bytes) -> Fraction:
        with av.open(io.BytesIO(data), "r") as container:
            first = {
                packet.stream.type: (packet.pts or 0) * packet.time_base
                for packet in reversed([*container.demux()][:-2])
            }
            return first["video"] - first["audio"]

    assert lead(joined) == lead(source) > Fraction(12, 100)


def test_audio_unsupported_by_mp4_is_dropped() -> None:
    source = video(panned(3, (2, 0)), form="matroska", audio="pcm_s16le")
    assert probe(source).has_audio
    assert not probe(join_h264([encode_h264(panned(3, (2, 0)), 90)], probe(source), source)).has_audio


def test_odd_sides_are_cropped_to_even_ones() -> None:
    frames = [np.full((71, 95, 3), 90, np.uint8)] * 2
    info = probe(encode_h264(frames, 90))
    assert (info.width, info.height) == (94, 70)
    assert encode_h264(frames, 90) == encode_h264(frames, 90)
