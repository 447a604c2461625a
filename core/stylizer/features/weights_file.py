"""Downloaded weights: search path, integrity check, download."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from http.client import HTTPException
from io import BufferedRandom, BufferedReader
from pathlib import Path
from urllib.request import urlopen

import torch
from torch import Tensor

from stylizer.errors import MissingWeights
from stylizer.options import FeaturesName

FOLDER_VARIABLE = "STYLIZER_WEIGHTS"
SILENCE = 30.0  # seconds without data after which a download is aborted
CHUNK = 2**20

OnBytes = Callable[[int, int | None], None]
"""Progress callback of a download: bytes received, and total bytes if known."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A published file of weights.

    Attributes:
        features: Value of `Options.features` that needs the file.
        name: Name of the file.
        sha256: SHA-256 of its content, in hexadecimal.
    """

    features: FeaturesName
    name: str
    sha256: str


def folders() -> list[Path]:
    """Return the search path of weights: the folder in STYLIZER_WEIGHTS, then torch's cache."""
    own = os.environ.get(FOLDER_VARIABLE)
    named = [Path(own).expanduser()] if own else []
    return [folder.resolve() for folder in (*named, Path(torch.hub.get_dir()) / "checkpoints")]


def read(file: WeightsFile, wanted: Collection[str]) -> dict[str, Tensor]:
    """Read tensors of the state dict in the first intact copy of `file`, on the CPU.

    Args:
        file: Written by `torch.save`.
        wanted: Keys of the state dict.

    Raises:
        MissingWeights: There is none; the message says where was looked and how to fetch one.
    """
    problems = []
    for path in (folder / file.name for folder in folders()):
        try:
            # Hashed and read through one handle, so that what is read is what was hashed.
            with path.open("rb") as opened:
                problem = _difference(opened, file)
                if problem is None:
                    opened.seek(0)
                    # Only tensors, and only of the file whose hash is known.
                    state = torch.load(opened, map_location="cpu", weights_only=True)  # noqa: TID251
                    return {key: state[key] for key in wanted}
        except OSError as error:
            problem = error.strerror or str(error)
        problems.append(f"{path} ({problem})")
    detail = (
        f"features is {file.features!r}, whose weights are not on this machine: looked for {' and '.join(problems)}; "
        f"fetch them with 'stylizer fetch {file.features}'"
    )
    raise MissingWeights(detail, field="features", allowed=["compact"])


def find(file: WeightsFile, where: list[Path]) -> Path | None:
    """Return the path of the first intact copy of `file` in the folders `where`, or None."""
    for path in (folder / file.name for folder in where):
        try:
            with path.open("rb") as opened:
                if _difference(opened, file) is None:
                    return path
        except OSError:  # same as missing
            continue
    return None


def download(file: WeightsFile, url: str, folder: Path, on_bytes: OnBytes) -> Path:
    """Download `file` from `url` to `folder`, atomically, and verify its hash.

    Raises:
        MissingWeights: The download failed, its hash is wrong, or it cannot be written.
    """
    path = folder / file.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _download(file, url, path, on_bytes)
    except (OSError, HTTPException) as error:  # URLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise MissingWeights(f"{url} cannot be fetched to {path}: {reason}", field="features") from error
    return path


def _download(file: WeightsFile, url: str, path: Path, on_bytes: OnBytes) -> None:
    part = path.with_name(f".{secrets.token_hex(6)}.part")
    try:
        with urlopen(url, timeout=SILENCE) as answer, part.open("w+b") as out:  # noqa: S310 - the caller's own, and hashed
            length = answer.headers.get("Content-Length")
            total, here = int(length) if length else None, 0
            while chunk := answer.read(CHUNK):
                out.write(chunk)
                here += len(chunk)
                on_bytes(here, total)
            out.seek(0)
            problem = _difference(out, file)
        if problem is not None:
            detail = f"the download from {url} is not {file.name}, or is truncated: {problem}; nothing was stored"
            raise MissingWeights(detail, field="features")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _difference(opened: BufferedReader | BufferedRandom, file: WeightsFile) -> str | None:
    """Describe how the hash of a file differs from the expected one; None if it does not."""
    found = hashlib.file_digest(opened, "sha256").hexdigest()
    return None if found == file.sha256 else f"its SHA-256 is {found}, not {file.sha256}"
