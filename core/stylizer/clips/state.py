"""Serialization of the state between two segments of a clip."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stylizer.clips.frames import ZIP_EPOCH
from stylizer.clips.stabilizer import Layer, SceneState
from stylizer.errors import InvalidState
from stylizer.tensors import pixels_to_tensor, tensor_to_pixels

_IDENTITY = "identity"
_MAX_ENTRY = 512 * 2**20
_LAYER_ENTRIES = ("painting.webp", "painted.webp", "seen.webp")


def dump_state(state: SceneState | None, identity: str) -> bytes:
    """Serialize a state.

    Args:
        state: None if the next frame depends on no earlier one.
        identity: What the state belongs to; `load_state` compares it.
    """
    entries = {_IDENTITY: identity.encode()}
    if state is not None:
        layer = state.layer
        for name, pixels in zip(_LAYER_ENTRIES, (layer.painting, layer.source, layer.frame), strict=True):
            entries[name] = _picture(pixels)
        entries["since.npy"] = _array(state.since_matches)
        entries |= {f"matches/{key}.npy": _array(grid) for key, grid in state.matches.items()}
        entries |= {f"tables/{key}.npy": _array(table) for key, table in state.tables.items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in entries.items():
            form = zipfile.ZIP_STORED if name.endswith(".webp") else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), data, form)
    return buffer.getvalue()


def load_state(data: bytes, identity: str) -> SceneState | None:
    """Restore a state.

    Raises:
        InvalidState: `data` is damaged, or has another identity.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if any(entry.file_size > _MAX_ENTRY for entry in archive.infolist()):
                raise InvalidState("state is damaged: it is too large", field="state")
            entries = {name: archive.read(name) for name in archive.namelist()}
        found = entries.pop(_IDENTITY).decode()
        if found != identity:
            raise InvalidState(f"state belongs to {found}, not to {identity}", field="state", allowed=identity)
        if not entries:
            return None
        layer = Layer(*(_tensor_of_picture(entries[name]) for name in _LAYER_ENTRIES))
        return SceneState(layer, _group(entries, "matches/"), _group(entries, "tables/"), _tensor(entries["since.npy"]))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError, SyntaxError) as error:
        raise InvalidState(f"state is damaged: {error}", field="state") from error


def _group(entries: dict[str, bytes], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix).removesuffix(".npy"): _tensor(data)
        for name, data in entries.items()
        if name.startswith(prefix)
    }


def _picture(pixels: Tensor) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(tensor_to_pixels(pixels)).save(buffer, "webp", lossless=True, quality=30, method=1)
    return buffer.getvalue()


def _tensor_of_picture(data: bytes) -> Tensor:
    with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
        return pixels_to_tensor(np.asarray(image.convert("RGB")))


def _array(values: Tensor) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values.numpy(), allow_pickle=False)
    return buffer.getvalue()


def _tensor(data: bytes) -> Tensor:
    return torch.from_numpy(np.load(io.BytesIO(data), allow_pickle=False))
