"""The whole product as a person runs it: the `stylizer-server` command, its painter process, and HTTP."""

from __future__ import annotations

import io
import json
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from os import kill
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from camera_exif import camera_exif
from disk_clips import gif
from pictures import bomb, disk_photo, encoded
from PIL import Image, ImageChops
from waiting import PATIENCE, wait_for

from stylizer.images import decode

SMALL = {"size": "64", "quality": "draft"}
LONG = {"size": "448", "quality": "standard", "method": "texture"}

Job = dict[str, Any]
T = TypeVar("T")


class Server:
    """A `stylizer-server` on a free port, which can be killed and started again on the same data."""

    def __init__(self, data_dir: Path):
        self.client = httpx.Client(timeout=PATIENCE)
        self._data_dir = data_dir
        self._log = data_dir.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-c", "from stylizer_server.server import main; main()"]
        command += ["--port", "0", "--data-dir", str(self._data_dir)]
        with self._log.open("ab") as log:
            begin = log.tell()
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        found = self.wait_for(lambda: re.search(r"Page +(http://\S+)/", self.log()[begin:]), "the address")
        self.client.base_url = found[1]

    def end(self, how: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(PATIENCE)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        return self._log.read_text()

    def painter(self) -> int:
        """Process id of the painter started last."""
        return int(re.findall(r"painter started, process (\d+)", self.log())[-1])

    def accept(self, photo: bytes, *, key: str | None = None, **fields: str) -> str:
        answer = self.client.post(
            "/v1/stylizations",
            files={"content": ("cat.jpg", photo)},
            data={"style": "woodcut", **SMALL, **fields},
            headers={"Idempotency-Key": key} if key else {},
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def ids(self) -> list[str]:
        return [str(job["id"]) for job in self.client.get("/v1/stylizations").json()["items"]]

    def job(self, job_id: str) -> Job:
        answer = self.client.get(f"/v1/stylizations/{job_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait_for(self, look: Callable[[], T | None], what: str) -> T:
        return wait_for(look, what, log=self.log)

    def wait_until_painting(self, job_id: str) -> None:
        """Return when some of a job, but not all, is painted."""
        job = self.wait_for(lambda: self._job_that(job_id, lambda job: job["progress"] > 0), "a start")
        assert job["status"] == "running", job

    def wait_until_ended(self, job_id: str) -> Job:
        return self.wait_for(lambda: self._job_that(job_id, lambda _: False), "an end")

    def _job_that(self, job_id: str, fits: Callable[[Job], bool]) -> Job | None:
        """The job if it fits or has ended."""
        job = self.job(job_id)
        return job if fits(job) or job["status"] in ("succeeded", "failed", "canceled") else None

    def image(self, job_id: str) -> Image.Image:
        answer = self.client.get(f"/v1/stylizations/{job_id}/image", follow_redirects=True)
        assert answer.status_code == 200, answer.text
        return Image.open(io.BytesIO(answer.content))

    def upload(self, file: bytes) -> str:
        upload = self.client.post("/v1/uploads", json={"media_type": "image/jpeg"}).json()
        answer = self.client.post(upload["url"], data=upload["fields"], files={"file": ("any.jpg", file)})
        assert answer.status_code == 204, answer.text
        return str(upload["id"])


@contextmanager
def running(data_dir: Path) -> Iterator[Server]:
    server = Server(data_dir)
    server.start()
    yield server
    if server.is_running:
        server.end(signal.SIGTERM)
    server.client.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path / "data") as server:
        yield server


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all that neither end it nor kill its painter, and wait for their jobs."""
    with running(tmp_path_factory.mktemp("served") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A disk before a slope of light, 96 x 72."""
    return disk_photo()


def mask(size: tuple[int, int]) -> bytes:
    image = Image.new("L", size)
    image.paste(255, (0, 0, size[0] // 2, size[1]))
    return encoded(image, "PNG")


def test_one_form_gives_a_finished_painting(served: Server, photo: bytes) -> None:
    answer = served.client.post(
        "/v1/stylizations",
        files={"content": ("cat.jpg", photo)},
        data={"style": "woodcut", **SMALL},
        headers={"Prefer": "wait=60"},
    )

    job = answer.json()
    assert answer.status_code == 200, answer.text
    assert (job["status"], job["progress"], job["error"]) == ("succeeded", 1.0, None)
    assert (job["method"], job["result"]["features"]) == ("neighbor", "compact")
    painting = served.image(job["id"])
    assert painting.format == "JPEG"
    assert painting.size == (job["result"]["width"], job["result"]["height"]) == (64, 48)
    assert len(painting.convert("RGB").getcolors(64 * 48) or []) > 20  # not one flat color
    preview = served.client.get(job["preview"], follow_redirects=True)
    assert preview.headers["content-type"] == "image/jpeg"


def test_server_paints_colors_only_and_keeps_metadata(served: Server, photo: bytes) -> None:
    with Image.open(io.BytesIO(photo)) as image:
        content = encoded(image, exif=camera_exif(dpi=300))
    fields = {"method": "color", "format": "png", "keep_metadata": "exif+gps", "variants": "2"}
    job = served.wait_until_ended(served.accept(content, **fields))

    assert (job["status"], job["method"], job["options"]["keep_metadata"]) == ("succeeded", "color", "exif+gps")
    for result in job["results"]:
        metadata = decode(served.client.get(result["url"]).content, keep_metadata="exif+gps").metadata
        assert metadata is not None
        assert set(metadata.tags) == {"image", "exif", "gps"}
    original = Image.open(io.BytesIO(photo)).convert("RGB").resize((64, 48))
    assert ImageChops.difference(served.image(job["id"]).convert("RGB"), original).getbbox() is not None


def test_server_paints_by_optimization_with_shipped_features(served: Server, photo: bytes) -> None:
    form = {"style": "woodcut", "method": "optimization", "size": "96", "quality": "draft", "format": "png"}
    answer = served.client.post(
        "/v1/stylizations", files={"content": ("cat.jpg", photo)}, data=form, headers={"Prefer": "wait=60"}
    )
    job = served.wait_until_ended(answer.json()["id"])
    fainter = {**form, "size": 96, "content": served.upload(photo), "features": "compact", "strength": 0}
    untouched = served.wait_until_ended(served.client.post("/v1/stylizations", json=fainter).json()["id"])

    assert (job["status"], job["error"]) == ("succeeded", None)
    assert (job["method"], job["options"]["features"], job["result"]["features"]) == ("optimization", None, "compact")
    assert (untouched["status"], untouched["options"]["features"]) == ("succeeded", "compact")
    images = [served.image(each["id"]).convert("RGB") for each in (job, untouched)]
    assert [image.size for image in images] == [(96, 72)] * 2
    assert len(images[0].getcolors(96 * 72) or []) > 20  # not one flat color
    assert max(high for _, high in ImageChops.difference(*images).getextrema()) > 50  # type: ignore[misc]


def test_uploads_masks_blends_own_styles_and_formats_are_painted(served: Server, photo: bytes) -> None:
    client = served.client
    content, half = served.upload(photo), served.upload(mask((96, 72)))
    own = client.post("/v1/styles", json={"upload": served.upload(photo), "title": "Mine"}).json()["id"]
    small = {"content": content, "size": 64, "quality": "draft"}
    bodies: list[Job] = [
        {**small, "style": own, "format": "png"},
        {**small, "style": "mosaic", "mask": half, "format": "png"},
        {**small, "style": "mosaic", "strength": 0, "format": "png"},
        {**small, "styles": [{"style": "woodcut", "weight": 2}, {"style": content}], "format": "webp"},
        {**small, "style": "woodcut", "preserve_color": "luminance", "seed": 3},
        {**small, "style": "woodcut", "method": "texture", "content_mask": half},
    ]
    jobs = [served.wait_until_ended(client.post("/v1/stylizations", json=w).json()["id"]) for w in bodies]

    assert [job["status"] for job in jobs] == ["succeeded"] * len(jobs), jobs
    images = [served.image(job["id"]) for job in jobs]
    assert [image.format for image in images] == ["PNG", "PNG", "PNG", "WEBP", "JPEG", "JPEG"]
    assert {image.size for image in images} == {(64, 48)}
    # Where the mask is black, and where the strength is 0, the photo is left alone.
    masked, photo_itself = images[1].convert("RGB"), images[2].convert("RGB")
    difference = ImageChops.difference(masked, photo_itself)
    assert difference.crop((40, 0, 64, 48)).getbbox() is None
    assert difference.crop((0, 0, 24, 48)).getbbox() is not None
    # All are listed, newest first, over as many pages as it takes.
    first = client.get("/v1/stylizations?limit=3").json()
    rest = client.get("/v1/stylizations", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [j["id"] for j in first["items"] + rest["items"]] == [j["id"] for j in jobs[::-1]]


def test_bad_input_is_named_and_harms_nothing(served: Server, photo: bytes) -> None:
    def form(*parts: tuple[str, str | bytes]) -> httpx.Response:
        body = [(n, (None, v) if isinstance(v, str) else (f"{n}.jpg", v)) for n, v in parts]
        return served.client.post("/v1/stylizations", files=body)

    def with_content(data: bytes) -> httpx.Response:
        return form(("content", data), ("style", "woodcut"), ("size", "64"))

    good: list[tuple[str, str | bytes]] = [("content", photo), ("style", "woodcut")]
    upload, before = served.upload(photo), served.ids()
    refusals = [
        (with_content(b""), 422, "empty-image", "content"),
        (with_content(b"this is just text, whatever its name says"), 422, "unsupported-image", "content"),
        (with_content(photo[: len(photo) // 2]), 422, "corrupt-image", "content"),
        (with_content(bomb()), 422, "too-many-pixels", "content"),
        (form(("content", photo), ("style", "crayon")), 422, "unknown-style", "style"),
        (form(*good, ("strength", "1.5")), 422, "invalid-request", "strength"),
        (form(*good, ("mask", mask((90, 72)))), 422, "mask-mismatch", "mask"),
        (form(*good, ("content", photo)), 422, "invalid-request", "content"),
        (form(*good, ("sise", "64")), 422, "invalid-request", "sise"),
        (with_content(bytes(33 * 2**20)), 413, "image-too-large", "content"),
        (
            served.client.post("/v1/stylizations", json={"content": upload, "style": "woodcut", "strength": 1.5}),
            422,
            "invalid-request",
            "strength",
        ),
    ]
    for answer, status, code, field in refusals:
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, problem["type"], problem["field"]) == (status, f"/problems/{code}", field)
        assert problem["allowed"], problem
    malformed = served.client.post("/v1/stylizations", content=b"{oops", headers={"Content-Type": "application/json"})
    assert (malformed.status_code, malformed.json()["type"]) == (400, "/problems/malformed-json")
    assert served.client.get("/v1/nothing").status_code == 404
    assert served.client.delete("/v1/stylizations").status_code == 405

    health = served.client.get("/healthz").json()
    assert (health["queued"], health["worker_alive"]) == (0, True)
    assert served.ids() == before
    assert served.wait_until_ended(served.accept(photo))["status"] == "succeeded"
    assert served.log().count("painter started") == 1
    assert "Traceback" not in served.log()


def test_api_answers_during_a_painting_and_cancel_stops_it(served: Server, photo: bytes) -> None:
    job_id = served.accept(photo, **LONG)
    served.wait_until_painting(job_id)

    answers = [served.client.get(path) for path in ("/healthz", "/v1/styles", "/v1/stylizations", "/")]
    preview = served.wait_for(lambda: served.job(job_id)["preview"], "a preview")
    seen = served.client.get(preview, follow_redirects=True)
    still = served.job(job_id)
    canceled = served.client.post(f"/v1/stylizations/{job_id}/cancel").json()

    assert [answer.status_code for answer in answers] == [200] * 4
    assert max(Image.open(io.BytesIO(seen.content)).size) <= 320
    assert still["status"] == "running"
    assert canceled["status"] == "canceled"
    # The painter is free for the next one, and the canceled one stays so.
    assert served.wait_until_ended(served.accept(photo))["status"] == "succeeded"
    assert served.job(job_id)["status"] == "canceled"
    assert served.client.get(f"/v1/stylizations/{job_id}/image").status_code == 409


def test_no_job_is_lost_or_painted_twice_when_processes_die(server: Server, photo: bytes) -> None:
    jobs = [server.accept(photo, key="one", **LONG), server.accept(photo), server.accept(photo, seed="2")]
    server.wait_until_painting(jobs[0])
    killed = server.painter()
    kill(killed, signal.SIGKILL)
    server.wait_for(lambda: server.painter() != killed, "a new painter")
    server.wait_for(lambda: server.job(jobs[0])["progress"] == 0, "the job to be taken back")
    server.wait_until_painting(jobs[0])
    server.end(signal.SIGKILL)
    server.start()

    assert [server.wait_until_ended(job)["status"] for job in jobs] == ["succeeded"] * 3
    assert server.accept(photo, key="one", **LONG) == jobs[0]
    assert [server.log().count(f"{job}: succeeded") for job in jobs] == [1, 1, 1]
    assert server.image(jobs[0]).size == (448, 336)


def test_ctrl_c_ends_server_and_painter_and_keeps_the_job(server: Server, photo: bytes) -> None:
    server.wait_for(lambda: server.client.get("/healthz").json()["worker_alive"], "the painter")
    job_id = server.accept(photo, **LONG)
    server.wait_until_painting(job_id)
    answers: list[httpx.Response] = []
    body = {"content": server.upload(photo), "style": "mosaic"}

    def wait_for_another() -> None:
        client = httpx.Client(base_url=server.client.base_url, timeout=PATIENCE)
        answers.append(client.post("/v1/stylizations", json=body, headers={"Prefer": "wait=60"}))
        client.close()

    waiting = threading.Thread(target=wait_for_another)
    waiting.start()
    server.wait_for(lambda: len(server.client.get("/v1/stylizations").json()["items"]) == 2, "the second job")
    painter = server.painter()

    code = server.end(signal.SIGINT)
    waiting.join()

    assert code == 0
    assert "Traceback" not in server.log()
    assert [answer.status_code for answer in answers] == [202]  # told at once, not cut off
    with pytest.raises(ProcessLookupError):
        kill(painter, 0)
    server.start()
    assert server.job(job_id)["status"] in ("queued", "running")
    for job in json.loads(server.client.get("/v1/stylizations").text)["items"]:
        server.client.post(f"/v1/stylizations/{job['id']}/cancel")


def test_killed_painter_costs_a_clip_no_finished_segment(server: Server, tmp_path: Path) -> None:
    clip, options = gif(48), {"animate": "true", "method": "feedforward"}
    undisturbed = server.wait_until_ended(server.accept(clip, **options))
    database = sqlite3.connect(tmp_path / "data/stylizer.db", timeout=PATIENCE, isolation_level=None)
    with closing(database):
        database.executescript("""
            CREATE TABLE segment_log (segments TEXT);
            CREATE TRIGGER log_segments AFTER UPDATE OF segments ON jobs WHEN new.segments <> old.segments
            BEGIN INSERT INTO segment_log VALUES (new.segments); END;
        """)
        job_id = server.accept(clip, **options)
        server.wait_for(lambda: database.execute("SELECT * FROM segment_log").fetchall(), "the first segment")
        kill(server.painter(), signal.SIGKILL)

        job = server.wait_until_ended(job_id)

        log = [json.loads(row[0]) for row in database.execute("SELECT segments FROM segment_log")]
    assert (job["status"], job["result"]["frames"]) == ("succeeded", 48), job
    assert job["result"]["sha256"] == undisturbed["result"]["sha256"]
    assert [len(segments) for segments in log] == [1, 2, 3]  # each was recorded once
    assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(log))
    assert len(set(log[-1])) == 2  # the first by the painter that was killed
