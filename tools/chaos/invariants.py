"""Check the outcomes of the jobs against the invariants."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from disk_clips import read_frames
from PIL import Image

import stylizer
from stylizer.compute import configure_process
from tools.chaos.clients import Client, Ledger
from tools.chaos.figures import Figures, counted
from tools.chaos.job_requests import JobRequest

_SAMPLES = 12
_REASONS = {
    "broken": {"corrupt-image"},
    # The painter was killed at every attempt; or, on AWS, the message was received too often.
    "any": {"painter-died", "painting-failed"},
}


@dataclass(frozen=True)
class Evidence:
    """State read directly from the stores, not as reported by the service.

    Attributes:
        finished: Number of recorded transitions to succeeded, by job id.
        results: Keys of the stored results, by job id.
        moments: When paintings were finished.
        recoveries: End time of each fault.
        segments: Every list of segments that was recorded for a job, in order: the lease that painted each.
    """

    finished: Mapping[str, int]
    results: Mapping[str, Sequence[str]]
    moments: Sequence[datetime]
    recoveries: Sequence[datetime]
    segments: Sequence[tuple[str, Sequence[str]]]

    def longest_recovery(self) -> float:
        """Maximum seconds from the end of a fault to the next finished painting."""
        waits = (
            min((moment - over for moment in self.moments if moment >= over), default=None) for over in self.recoveries
        )
        return max((wait.total_seconds() for wait in waits if wait is not None), default=0.0)


def judge(
    figures: Figures, job_requests: Sequence[JobRequest], ledger: Ledger, client: Client, evidence: Evidence
) -> None:
    """Add the jobs' outcomes and any violations to the figures."""
    ends = ledger.ends
    status = Counter(str(job["status"]) for job in ends.values())
    why = Counter(job["error"]["type"].rpartition("/")[2] for job in ends.values() if job["error"])
    figures.add("jobs accepted", len(ledger.accepted))
    figures.promise(
        "never accepted",
        [
            f"job request {job_request.number}"
            for job_request in job_requests
            if job_request.number not in ledger.accepted
        ],
    )
    for name in ("succeeded", "canceled", "expired"):
        figures.add(name, status[name])
    figures.add("failed, with the reason", counted(why))
    missing = [number for number in ledger.accepted if number not in ends]
    late = [number for number in missing if client.knows(number)]
    figures.promise("lost", [ledger.accepted[number] for number in missing if number not in late])
    figures.promise("not ended in time", [ledger.accepted[number] for number in late])
    figures.promise("painted twice to the end", _twice(ends, evidence))
    figures.promise("ended for no good reason", _strange_ends(job_requests, ends))
    figures.promise("results that are not what they should be", _bad_results(job_requests, ends, client))
    _judge_clips(figures, evidence)
    figures.promise("answers that must never be", ledger.refused)  # includes those from downloading results
    figures.add("answers of the API by status (0: none)", dict(sorted(ledger.statuses.items())))
    figures.add("longest recovery, s", evidence.longest_recovery())


def _twice(ends: Mapping[int, dict[str, Any]], evidence: Evidence) -> list[str]:
    """Return jobs recorded as succeeded more than once, or with more than one result."""
    found = []
    for job in ends.values():
        times, keys = evidence.finished.get(job["id"], 0), evidence.results.get(job["id"], ())
        wanted = 1 if job["status"] == "succeeded" else 0
        if times != wanted or (wanted and len(keys) != 1):
            found.append(f"{job['id']} is {job['status']}, was finished {times} times, and has {', '.join(keys)}")
    return found


def _judge_clips(figures: Figures, evidence: Evidence) -> None:
    """Check that the list of segments of each clip only grew, so that none was painted again once it was stored."""
    stored: dict[str, Sequence[str]] = {}
    again = []
    for job_id, segments in evidence.segments:
        before = stored.get(job_id, ())
        if len(segments) != len(before) + 1 or list(segments[:-1]) != list(before):
            again.append(f"{job_id} had the segments {before}, then {segments}")
        stored[job_id] = segments
    figures.add("segments stored", sum(map(len, stored.values())))
    figures.add("clips continued by another painter", sum(len(set(segments)) > 1 for segments in stored.values()))
    figures.promise("segments painted again after they were stored", again)


def _strange_ends(job_requests: Sequence[JobRequest], ends: Mapping[int, dict[str, Any]]) -> list[str]:
    found = []
    for job_request in job_requests:
        job = ends.get(job_request.number)
        if job is None:
            continue
        allowed = _REASONS["any"] | (_REASONS["broken"] if job_request.kind == "broken" else set())
        match job["status"]:
            case "failed":
                is_right = job["error"]["type"].rpartition("/")[2] in allowed
            case "canceled":
                is_right = job_request.kind == "cancel"
            case "succeeded":
                is_right = job_request.kind != "broken"
            case _:
                is_right = False
        if not is_right:
            found.append(f"{job['id']}, of kind {job_request.kind}, is {job['status']}: {job['error']}")
    return found


def _bad_results(job_requests: Sequence[JobRequest], ends: Mapping[int, dict[str, Any]], client: Client) -> list[str]:
    """Return results that do not open, do not match the job's metadata, or differ from a run without faults."""
    found = []
    configure_process()
    done = [
        job_request
        for job_request in job_requests
        if job_request.number in ends and ends[job_request.number]["status"] == "succeeded"
    ]
    every = max(1, len(done) // _SAMPLES)
    for index, job_request in enumerate(done):
        job = ends[job_request.number]
        file = client.image(job["id"])
        peaceful = _painted_in_peace(job_request) if index % every == 0 else None
        wrong = "is not there" if file is None else _wrong(file, job_request, job, peaceful)
        if file is not None and job_request.kind == "clip":
            wrong = wrong or _wrong_frames(file, job_request)
        if wrong:
            found.append(f"{job['id']} {wrong}")
    return found


def _wrong(file: bytes, job_request: JobRequest, job: Mapping[str, Any], peaceful: bytes | None) -> str | None:
    if hashlib.sha256(file).hexdigest() != job["result"]["sha256"]:
        return "is another file"
    if _shape(file) != _expected_shape(job_request, job):
        return "has another shape"
    return "is not what is painted in peace" if peaceful not in (None, file) else None


def _wrong_frames(file: bytes, job_request: JobRequest) -> str | None:
    """Return what is wrong unless each frame of the clip is in the painting once and in order."""
    clip, painting = (_deviations(read_frames(data), job_request.shape) for data in (job_request.photo, file))
    shown = (painting @ clip.T).argmax(axis=1).tolist()
    return None if shown == [*range(len(clip))] else f"shows the frames {shown}"


def _deviations(frames: Sequence[Image.Image], shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Return each frame's difference from the mean frame as a unit vector, (frames, pixels)."""
    pixels = np.stack([np.asarray(frame.convert("L").resize(shape), np.float64).ravel() for frame in frames])
    pixels -= pixels.mean(axis=0)
    return np.asarray(pixels / np.linalg.norm(pixels, axis=1, keepdims=True))


def _shape(file: bytes) -> tuple[int, int, str | None]:
    if file[4:8] == b"ftyp":
        return (*read_frames(file)[0].size, "MP4")
    with Image.open(io.BytesIO(file)) as image:
        image.load()
        return (*image.size, image.format)


def _expected_shape(job_request: JobRequest, job: Mapping[str, Any]) -> tuple[int, int, str | None]:
    """Return the expected width, height and format; zeros if the job reports another size."""
    scale = job_request.fields["size"] / max(job_request.shape)
    even = 2 if job_request.fields["format"] == "mp4" else 1
    width, height = (max(1, round(side * scale)) // even * even for side in job_request.shape)
    told = (job["result"]["width"], job["result"]["height"])
    return (width, height, job_request.fields["format"].upper()) if told == (width, height) else (0, 0, None)


def _painted_in_peace(job_request: JobRequest) -> bytes:
    fields = job_request.fields
    chosen = {name: fields[name] for name in ("size", "quality", "seed", "strength") if name in fields}
    method = fields.get("method", stylizer.DEFAULT_METHOD)
    photo, style, options = io.BytesIO(job_request.photo), fields["style"], stylizer.Options(**chosen)
    if job_request.kind == "clip":
        return stylizer.stylize_clip(photo, style, method=method, options=options, format=fields["format"]).data
    return stylizer.stylize(photo, style, method=method, options=options).encode(fields["format"], 90)
