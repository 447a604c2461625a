"""The command line with --api: same paintings and same messages as on this machine."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from camera_exif import camera_exif
from cloud.fault_proxy import Answer, Carry, fault_proxy, lose, refuse
from pictures import pixels
from PIL import Image
from PIL.ExifTags import Base
from waiting import PATIENCE, wait_for

from stylizer_client import Client

SMALL = ("--size", "64", "--quality", "draft")
FAST = ("--size", "64", "--method", "color")
Painting = Callable[[], AbstractContextManager[None]]
Run = Callable[..., tuple[int, str, str]]


def test_paint_by_api_matches_local_painting(run: Run, address: str, painting: Painting, folder: Path) -> None:
    styles = ("--style", "woodcut=2", "--style", "left.png", "--style", "mosaic@left.png")
    request = (*styles, "--mask", "left.png", "--strength", "0.8", "--seed", "3", "--keep-metadata", "exif")
    with Image.open(folder / "cat.jpg") as photo:
        photo.save(folder / "cat.jpg", exif=camera_exif())
    code, stdout, note = run("paint", "cat.jpg", *request, *SMALL, "-o", "here.png")
    assert code == 0, note
    with painting():
        code, stdout, stderr = run("paint", "cat.jpg", *request, *SMALL, "-o", "there.png", "--api", address)
    assert (code, stdout) == (0, "there.png\n"), stderr
    assert stderr.partition(" in ")[0] == note.partition(" in ")[0] == "painted 64 x 48 pixels"
    # Not bit for bit: the number of threads differs.
    assert np.abs(pixels(folder / "here.png") - pixels(folder / "there.png")).mean() < 0.5
    for name in ("here.png", "there.png"):
        with Image.open(folder / name) as painted:
            assert painted.getexif()[Base.Copyright] == "Zoe Example"
    assert not list(folder.glob(".*")), "no resume file is left"


def test_paint_by_api_reads_stdin_and_writes_stdout(address: str, painting: Painting, folder: Path) -> None:
    before = set(folder.iterdir())
    command = [sys.executable, "-m", "stylizer_cli", "paint", "-", "--style", "woodcut", *FAST, "-o", "-"]
    with painting():
        done = subprocess.run(
            [*command, "--api", address],
            cwd=folder,
            input=(folder / "cat.jpg").read_bytes(),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    with Image.open(io.BytesIO(done.stdout)) as painted:
        assert (painted.format, painted.size) == ("JPEG", (64, 48))
    assert done.stderr.startswith(b"painted 64 x 48 pixels in ")
    assert set(folder.iterdir()) == before


def test_paint_by_api_many_continues_after_failed_photos(
    run: Run, address: str, painting: Painting, folder: Path, client: Client
) -> None:
    for name in ("dog", "cow"):
        Image.effect_mandelbrot((96, 64), (-2, -1, 1, 1), 30 + len(name)).save(folder / f"{name}.png")
    (folder / "dog.png").replace(folder / "dog.webp")  # the suffix does not matter
    photos = ("cat.jpg", "text.jpg", "dog.webp", "cow.png", "none.jpg")
    command = ("paint", *photos, "--style", "mosaic", *FAST, "--to", "new/painted", "--api", address, "--jobs", "2")
    with painting():
        code, stdout, stderr = run(*command)
        assert code == 1
        painted = ["new/painted/cat-mosaic.jpg", "new/painted/cow-mosaic.png", "new/painted/dog-mosaic.webp"]
        assert sorted(stdout.split()) == painted
        assert sorted(stderr.splitlines()) == [
            "painted 3, failed 2",
            "stylizer: error: none.jpg: the photo 'none.jpg' cannot be read: No such file or directory",
            "stylizer: error: text.jpg: the photo is text; accepted: jpeg, png, webp, avif, tiff, gif, heic",
        ]
        assert sorted(str(path.relative_to(folder)) for path in (folder / "new/painted").iterdir()) == painted
        jobs = [job.id for job in client.jobs()]

        code, stdout, stderr = run(*command)
    assert (code, stdout) == (1, "")
    assert stderr.endswith("painted 0, skipped 3, failed 2\n")
    assert [job.id for job in client.jobs()] == jobs, "existing paintings are skipped"


def test_paint_locally_many_skips_existing_and_counts_failures(run: Run, folder: Path) -> None:
    command = ("paint", "cat.jpg", "text.jpg", "left.png", "--style", "mosaic", *FAST, "--to", "out")
    code, stdout, stderr = run(*command)
    assert (code, stdout) == (1, "out/cat-mosaic.jpg\nout/left-mosaic.png\n")
    assert stderr.splitlines()[0].startswith("stylizer: error: text.jpg: the photo is text; accepted: ")
    (folder / "out/cat-mosaic.jpg").write_bytes(b"mine")
    assert run(*command)[2].endswith("painted 0, skipped 2, failed 1\n")
    assert (folder / "out/cat-mosaic.jpg").read_bytes() == b"mine"
    assert run(*command, "--force")[2].endswith("painted 2, failed 1\n")
    assert pixels(folder / "out/cat-mosaic.jpg").shape == (48, 64, 3)


def test_paint_by_api_interrupted_resumes_the_same_jobs(
    run: Run, address: str, painting: Painting, folder: Path, client: Client
) -> None:
    command = ["paint", "cat.jpg", "left.png", "--style", "woodcut", *FAST, "--to", "out", "--api", address]
    process = subprocess.Popen(
        [sys.executable, "-m", "stylizer_cli", *command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_for(lambda: len(client.jobs()) == 2, "two jobs", process=process)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout) == (130, b"")
    assert stderr == b"stylizer: error: interrupted; repeat the command to resume\n"
    asked_for = [job.id for job in client.jobs()]

    with painting():
        assert run(*command)[0] == 0
    assert [job.id for job in client.jobs()] == asked_for, "no job is created twice"
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["cat-woodcut.jpg", "left-woodcut.png"]


def test_paint_by_api_replaces_a_canceled_job(
    run: Run, address: str, painting: Painting, folder: Path, client: Client
) -> None:
    command = ["paint", "cat.jpg", "--style", "woodcut", *FAST, "-o", "out.jpg", "--api", address]
    process = subprocess.Popen([sys.executable, "-m", "stylizer_cli", *command], cwd=folder)
    wait_for(client.jobs, "a job", process=process)
    process.kill()
    process.wait(PATIENCE)
    assert (folder / ".out.jpg.resume").exists()
    client.cancel(client.jobs()[0])

    with painting():
        assert run(*command)[0] == 0
    assert [job.status for job in client.jobs()] == ["succeeded", "canceled"]
    (folder / ".out.jpg.resume").write_text("{broken")
    with painting():
        assert run(*command, "--force")[0] == 0
    assert not list(folder.glob(".*"))


def test_paint_by_api_invalid_input_fails_as_locally(run: Run, address: str, folder: Path) -> None:
    for wrong in (
        ["--strength", "1.5"],
        ["--method", "texture", "--size", "2049"],
        ["--content-mask", "left.png", "--method", "color"],
        ["--features", "vgg19"],
        ["--style-scale", "4", "--size", "2048", "--method", "texture"],
        ["--mask", "text.jpg"],
        ["--style", "text.jpg"],
        ["--style", "woodcut=nan"],
        ["--format", "bmp"],
    ):
        style = [] if "--style" in wrong else ["--style", "woodcut"]
        command = ("paint", "cat.jpg", *style, "-o", "out.png", *wrong)
        here = run(*command)
        assert here[0] in (1, 2), wrong
        assert here[2].startswith("stylizer: error: ")
        assert run(*command, "--api", address) == here
    assert not list(folder.glob(".*"))


def test_paint_by_api_refused_input_has_the_local_exit_code(run: Run, address: str, folder: Path) -> None:
    Image.new("L", (50, 72)).save(folder / "narrow.png")
    (folder / "short.jpg").write_bytes((folder / "cat.jpg").read_bytes()[:600])
    for photo, wrong in (("cat.jpg", "--mask=narrow.png"), ("cat.jpg", "--style=mosaic=-1"), ("short.jpg", "--seed=1")):
        command = ("paint", photo, "--style", "woodcut", "-o", "out.png", wrong)
        here, there = run(*command), run(*command, "--api", address)
        assert there[:2] == here[:2]
        assert here[0] in (1, 2)
        assert there[2].count("\n") == 1
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--api", "art.example.com"], 2, "api is 'art.example.com'; it must be an address such as https://"),
        (["--api", "http://localhost:99999"], 2, "api is 'http://localhost:99999'; it must be an address such as"),
        (["--api", "http://localhost", "--key", "a b"], 2, "key has other characters than printable ASCII"),
        (["--key", "k"], 2, "key is given, which only goes with --api"),
        (["--jobs", "3"], 2, "jobs is given, which only goes with --api"),
        (["--jobs", "0", "--api", "http://localhost"], 2, "jobs is 0; it must be a whole number from 1 to 64"),
        (["-o", "a.jpg", "--to", "b"], 2, "both -o and --to say where to write"),
        (["left.png", "-o", "text.jpg"], 2, "output is 'text.jpg', which is not a folder, and there are several"),
        (["left.png", "-o", "new.jpg"], 2, "output is 'new.jpg', which is not a folder, and there are several"),
        (["--to", "text.jpg"], 2, "output is 'text.jpg', which is not a folder, and there are several"),
        (["-", "--to", "out"], 2, "photo is -, which cannot be one of many"),
        (["sub/cat.jpg", "--to", "out"], 2, "'cat.jpg' and 'sub/cat.jpg' would both become 'out/cat-woodcut.jpg'"),
    ],
)
def test_invalid_api_or_batch_options_exit_with_code_2(run: Run, arguments: list[str], code: int, words: str) -> None:
    found = run("paint", "cat.jpg", "--style", "woodcut", *arguments)
    assert found[:2] == (code, "")
    assert found[2].startswith(f"stylizer: error: {words}")
    assert found[2].count("\n") == 1


def test_api_without_httpx_names_the_client_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)  # makes the import fail
    code, stdout, stderr = run("paint", "cat.jpg", "--style", "woodcut", "--api", "http://localhost")
    assert (code, stdout) == (2, "")
    assert "the client is not installed: install image-stylizer[client]" in stderr


def test_unknown_style_fails_before_any_job_is_created(run: Run, address: str, client: Client) -> None:
    command = ("paint", "cat.jpg", "left.png", "--style", "wodcut", "--to", "out")
    for place in ([], ["--api", address]):
        code, _, stderr = run(*command, *place)
        assert code == 2
        assert stderr.startswith("stylizer: error: style is 'wodcut', which is neither a file nor one of ")
        assert stderr.count("\n") == 1
    assert client.jobs() == []


def test_unreachable_api_is_one_line_and_exit_code_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylizer_client.steps._FIRST_BACKOFF", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("STYLIZER_API", f"http://127.0.0.1:{port}")
    code, _, stderr = run("paint", "cat.jpg", "--style", "woodcut", "--to", "out")
    assert code == 1
    assert stderr.startswith(f"stylizer: error: http://127.0.0.1:{port} cannot be reached: ")
    assert stderr.count("\n") == 1
    assert run("paint", "cat.jpg", "--style", "woodcut", *FAST, "--to", "out", "--api", "")[0] == 0, (
        "an empty --api paints locally"
    )


def test_own_styles_are_added_listed_and_used(run: Run, address: str, painting: Painting, client: Client) -> None:
    code, added, stderr = run("styles", "add", "Quilt", "cat.jpg", "--api", address)
    assert code == 0, stderr
    _, listed, _ = run("styles", "--api", address)
    assert [line.split("\t")[:2] for line in listed.splitlines()][-1] == [added.strip(), "Quilt"]
    assert listed.splitlines()[:-1] == run("styles")[1].splitlines()
    with painting():
        assert run("paint", "left.png", "--style", added.strip(), *FAST, "--api", address, "-o", "a.png")[0] == 0

    assert run("styles", "add", "quilt", "cat.jpg")[:2] == (0, "quilt\n")
    assert run("styles")[1].splitlines()[-1].startswith("quilt\t")
    assert run("paint", "left.png", "--style", "quilt", *FAST, "-o", "b.png")[0] == 0
    with painting():
        # A local style is unknown to the service, so its picture is uploaded.
        assert run("paint", "left.png", "--style", "quilt", *FAST, "--api", address, "-o", "c.png")[0] == 0
    assert client.jobs(limit=1)[0].styles[0].style.startswith("upl_")
    code, _, stderr = run("styles", "add", "quilt", "cat.jpg", "--force", "--api", address)
    assert (code, "force is given, which does not apply to a service" in stderr) == (2, True)
    code, _, stderr = run("styles", "add", "quilt", "text.jpg", "--api", address)
    assert (code, stderr.startswith("stylizer: error: the style picture is text")) == (1, True)


def test_styles_add_api_option_overrides_the_environment(
    run: Run, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STYLIZER_API", "http://127.0.0.1:9")  # nothing listens there
    assert run("styles", "add", "quilt", "cat.jpg", "--api", "")[:2] == (0, "quilt\n")
    assert run("styles", "--api", "", "add", "patch", "cat.jpg")[:2] == (0, "patch\n")
    for command in (
        ("--api", address, "add", "Quilt", "cat.jpg"),
        ("--api", address, "add", "Quilt", "cat.jpg", "--key", "k"),
        ("add", "Quilt", "cat.jpg", "--api", address),
    ):
        code, added, stderr = run("styles", *command)
        assert (code, added.startswith("sty_")) == (0, True), stderr


def test_resume_while_api_is_overloaded_creates_no_second_job(
    run: Run, address: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylizer_client.steps._FIRST_BACKOFF", 0.001)
    with fault_proxy(address) as line:
        command = ("paint", "cat.jpg", "--style", "woodcut", *FAST, "-o", "out.jpg", "--api", line.address)
        line.go_wrong("GET /v1/stylizations/", lose, times=6)
        assert run(*command)[0] == 1
        line.go_wrong("POST /v1/stylizations", refuse(503, b'{"detail": "too busy"}'), times=6)
        code, _, stderr = run(*command)
        assert (code, stderr) == (1, "stylizer: error: too busy\n")
    assert len(client.jobs()) == 1


def test_compare_sheet_shows_photo_styles_and_all_variants(
    run: Run, address: str, painting: Painting, folder: Path
) -> None:
    ways = ("--method", "feedforward", "--method", "texture", "--strength", "0.5", "--strength", "1")
    code, stdout, stderr = run("compare", "cat.jpg", "--style", "woodcut", "--style", "left.png", *ways, *SMALL)
    assert (code, stdout, stderr) == (0, "cat-compare.jpg\n", "compared 8 paintings\n")
    sheet = pixels(folder / "cat-compare.jpg")
    # Two blocks of two rows, each with the photo or the style and two paintings of 64 x 48.
    assert sheet.shape[0] > 4 * 48
    assert sheet.shape[1] > 3 * 64
    code, _, stderr = run("compare", "cat.jpg", "--style", "woodcut", *ways, *SMALL)
    assert (code, "already exists" in stderr) == (2, True)
    with painting():
        options = ("--force", "--api", address, "-o", "there.png", "--method", "feedforward")
        assert run("compare", "cat.jpg", "--style", "woodcut", *SMALL, *options)[0] == 0
    assert pixels(folder / "there.png").shape[1] > 4 * 64
    assert run("compare", "cat.jpg", "--style", "woodcut", "--method", "magic")[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [["paint", "-", "--style", "woodcut", "-o", "-"], ["compare", "cat.jpg", "--style", "woodcut", "--strength", "1"]],
)
def test_interrupt_cancels_jobs_that_cannot_be_resumed(
    address: str, folder: Path, client: Client, arguments: list[str]
) -> None:
    command = [sys.executable, "-m", "stylizer_cli", *arguments, "--api"]
    with fault_proxy(address) as line, (folder / "cat.jpg").open("rb") as photo:
        process = subprocess.Popen(
            [*command, line.address], cwd=folder, stdin=photo, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        wait_for(lambda: line.count("GET /v1/stylizations/"), "a poll of the created job", process=process)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout) == (130, b"")
    assert stderr == b"stylizer: error: interrupted; nothing was written\n"
    assert {job.status for job in client.jobs()} == {"canceled"}


def test_ignored_interrupt_does_not_stop_the_command(run: Run, address: str, painting: Painting) -> None:
    def interrupt_first(carry: Carry) -> Answer:
        os.kill(os.getpid(), signal.SIGINT)
        return carry()

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as by nohup, or in the background of a script
    try:
        with painting(), fault_proxy(address) as line:
            line.go_wrong("POST /v1/stylizations", interrupt_first)
            assert run("paint", "cat.jpg", "--style", "woodcut", *FAST, "-o", "out.jpg", "--api", line.address)[0] == 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_job_accepted_after_the_interruption_is_canceled(address: str, folder: Path, client: Client) -> None:
    command = [sys.executable, "-m", "stylizer_cli", "compare", "cat.jpg", "--style", "woodcut", "--strength", "1"]
    process = None

    def interrupt_first(carry: Carry) -> Answer:
        assert process is not None
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)  # until it has been noticed; too short would only weaken the test
        return carry()

    with fault_proxy(address) as line:
        line.go_wrong("POST /v1/stylizations", interrupt_first)
        process = subprocess.Popen([*command, "--api", line.address], cwd=folder, stderr=subprocess.PIPE)
        _, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (130, b"stylizer: error: interrupted; nothing was written\n")
    assert {job.status for job in client.jobs()} == {"canceled"}


def test_help_and_styles_import_neither_torch_nor_httpx() -> None:
    for arguments in (["paint", "--help"], ["compare", "--help"], ["styles"], ["styles", "add", "--help"]):
        code = f"import sys\nfrom stylizer_cli.main import run\nrun({arguments})\n"
        code += "assert not {'torch', 'httpx'} & set(sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=os.environ, check=False)
        assert done.returncode == 0, done.stderr
