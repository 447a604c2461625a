"""What is refused on arrival, and that the core would refuse it in the same words of type."""

from __future__ import annotations

import errno
import io
import zlib
from collections.abc import Callable
from contextlib import closing

import pytest
from pictures import chunk, png
from PIL import Image, PngImagePlugin

from stylizer.errors import ImageError
from stylizer.images import decode
from stylizer_service import image_headers
from stylizer_service.ports import Unavailable
from stylizer_service.probe import Probe, ProbedImage
from stylizer_service.problems import Problem, ProblemError
from stylizer_service.sandbox.sandbox import Sandbox
from stylizer_service.settings import Settings
from tools.fuzz import seeds
from tools.fuzz.corpus import WEAPONS

Picture = Callable[..., bytes]


def probe(data: bytes, field: str = "content", **limits: int) -> ProbedImage | Problem:
    try:
        checker = Probe(Settings.model_validate(limits))
        return checker.check(checker.read(io.BytesIO(data), field=field), field=field)
    except ProblemError as error:
        return error.problem


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is that large, in a few bytes."""
    return png((width, height), 8, 2, zlib.compress(bytes(100_000), 9))


@pytest.mark.parametrize(
    "name", ["jpeg exif", "png rgb", "webp lossy", "avif rgb", "tiff exif", "gif plain", "heic rgb"]
)
def test_every_accepted_format_is_told_by_its_bytes(name: str) -> None:
    data = seeds.make(name)
    height, width = decode(data).rgb.shape[:2]

    assert probe(data) == ProbedImage(width, height, f"image/{seeds.format_of(name)}")  # type: ignore[arg-type]


def test_png_size_is_read_wherever_its_metadata_stands(picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    data = picture(60, 40, "PNG")
    exif = Image.Exif()
    exif[0x0112] = 6
    late = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    at = data.index(b"IEND") - 4
    turned = data[:at] + late + data[at:]
    assert decode(turned).rgb.shape[:2] == (60, 40)
    decoded: list[object] = []
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", decoded.append)

    found = [image_headers.examine({"format": "png", "max_pixels": 10**6}, file)[0] for file in (data, turned)]

    assert found == [{"size": (60, 40), "whole": True}, {"size": (40, 60), "whole": True}]
    assert not decoded


@pytest.mark.parametrize(
    ("data", "code", "allowed"),
    [
        (b"", "empty-image", "at least 1 byte"),
        (b"just some text, called photo.jpg", "unsupported-image", "image/jpeg"),
        (b"%PDF-1.7 and so on", "unsupported-image", "image/avif"),
        (seeds.make("jpeg baseline").replace(b"\xff\xc0", b"\xff\xc3"), "unsupported-image", "image/png"),
        (png_of(30_000, 30_000), "too-many-pixels", "at most 50 megapixels"),
        (png_of(1000, 15), "image-too-small", "at least 16 pixels a side"),
        (png_of(1000, 60), "extreme-aspect-ratio", "at most 16 times as long as wide"),
    ],
    ids=["empty", "text", "pdf", "lossless", "bomb", "low", "long"],
)
def test_unusable_pictures_are_refused_as_by_the_core(data: bytes, code: str, allowed: str) -> None:
    problem = probe(data)
    with pytest.raises(ImageError) as caught:
        decode(data)

    assert isinstance(problem, Problem)
    assert (problem.code, problem.field) == (code, "content") == (caught.value.code, caught.value.field)
    assert problem.allowed is not None
    assert allowed in problem.allowed
    if isinstance(problem.allowed, str):
        assert problem.allowed == caught.value.allowed


@pytest.mark.parametrize(
    "settings", [{}, {"progressive": True}, {"format": "PNG"}, {"format": "WEBP"}, {"format": "AVIF"}], ids=str
)
def test_a_picture_that_is_cut_short_is_refused(picture: Picture, settings: dict[str, object]) -> None:
    settings = {"format": "JPEG"} | settings
    # A thumbnail with an end of its own must not pass for the end of the photo.
    exif = Image.Exif()
    exif[0x010E] = picture(16, 16, "JPEG").decode("latin-1")
    whole = picture(400, 300, **settings, **({"exif": exif} if settings["format"] == "JPEG" else {}))

    for share in (0.1, 0.5, 0.98) if settings["format"] in ("JPEG", "PNG") else (0.5,):
        problem = probe(whole[: int(len(whole) * share)])
        assert isinstance(problem, Problem)
        assert problem.code == "corrupt-image"
    assert isinstance(probe(whole + b"what some phones append"), ProbedImage)


def test_a_file_over_the_limit_is_refused_by_its_length(picture: Picture) -> None:
    data = picture()

    assert isinstance(probe(data, max_bytes=len(data)), ProbedImage)
    problem = probe(data, max_bytes=len(data) - 1)

    assert isinstance(problem, Problem)
    assert (problem.code, problem.status) == ("image-too-large", 413)


def test_a_mask_is_only_limited_in_bytes_and_pixels() -> None:
    assert isinstance(probe(png_of(1000, 15), "mask"), ProbedImage)
    problem = probe(png_of(30_000, 30_000), "content_mask")

    assert isinstance(problem, Problem)
    assert (problem.code, problem.field) == ("too-many-pixels", "content_mask")


@pytest.mark.parametrize(
    "head",
    [
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0\xff\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"II*\0\xff\xff\xff\xff",
        b"RIFF\xff\xff\xff\xffWEBPVP8 ",
        b"\0\0\0\x18ftypavif\0\0\0\0avif",
        b"\0\0\0\x18ftypheic\0\0\0\0heic",
    ],
)
def test_a_file_that_only_begins_like_a_picture_is_broken(head: bytes) -> None:
    for data in (head, head + bytes(200), head + b"\xff" * 200):
        problem = probe(data)
        assert isinstance(problem, Problem)
        assert problem.code == "corrupt-image"


def test_a_webp_is_looked_at_without_memory_for_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylizer_service.probe._OVERHEAD", 2**24)

    assert probe(WEAPONS["webp a small picture on a canvas within limits"]()) == ProbedImage(7071, 7071, "image/webp")


def test_stray_bytes_between_jpeg_segments_are_skipped(picture: Picture) -> None:
    whole = picture(60, 40, "JPEG")

    for between in (bytes(100), b"\xff" * 100, b"\xff\xd0", b"\xff\xfe\0\0"):
        data = whole[:20] + between + whole[20:]
        assert decode(data).rgb.shape[:2] == (40, 60)
        assert probe(data) == ProbedImage(60, 40, "image/jpeg")


def test_picture_that_exceeds_cpu_or_crashes_names_its_field(picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = picture(60, 40, "JPEG")

    monkeypatch.setattr("stylizer_service.probe.CPU_SECONDS", 1)
    monkeypatch.setattr("stylizer_service.probe._SECONDS", 120)
    with closing(Sandbox("tools.fuzz.hostile_worker:spin")) as sandbox:
        monkeypatch.setattr("stylizer_service.probe._SANDBOX", sandbox)
        slow = probe(whole, field="style")
    with closing(Sandbox("tools.fuzz.hostile_worker:crash")) as sandbox:
        monkeypatch.setattr("stylizer_service.probe._SANDBOX", sandbox)
        crashing = probe(whole, field="mask")

    assert isinstance(slow, Problem)
    assert (slow.code, slow.field) == ("unusable-image", "style")
    assert isinstance(crashing, Problem)
    assert (crashing.code, crashing.field) == ("corrupt-image", "mask")


def test_picture_of_too_many_parts_is_refused_before_parsing(picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, examined = picture(60, 40, "JPEG"), []
    monkeypatch.setattr(Sandbox, "run", lambda *given: examined.append(given))

    problem = probe(whole[:2] + b"\xff\xfe\0\2" * 1_001 + whole[2:])

    assert isinstance(problem, Problem)
    assert (problem.code, problem.field) == ("corrupt-image", "content")
    assert "more than 1,000 segments" in problem.detail
    assert examined == []


def test_a_file_that_cannot_be_read_now_is_not_called_broken(picture: Picture) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:  # noqa: ARG002
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(Unavailable, match="the mask cannot be checked"):
        Probe(Settings()).read(Failing(picture()), field="mask")


def test_busy_machine_does_not_blame_the_picture(picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylizer_service.probe._SECONDS", 1)
    whole = picture(60, 40, "JPEG")
    with closing(Sandbox("tools.fuzz.hostile_worker:sleep")) as sandbox:
        monkeypatch.setattr("stylizer_service.probe._SANDBOX", sandbox)
        with pytest.raises(Unavailable):
            probe(whole)
