"""Checkpoints as safetensors files, which cannot contain code.

Tensors are stored as such; the metadata holds the nested structure and all other values as JSON.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

CHECKPOINT = "checkpoint.safetensors"


def write_checkpoint(state: dict[str, Any], out: Path) -> None:
    """Write the checkpoint in the folder `out` atomically.

    Args:
        state: Dicts with string or integer keys, lists, tuples, tensors, numbers, strings, booleans and None, nested.
        out: The folder.

    Raises:
        TypeError: `state` contains another type.
    """
    tensors: dict[str, Tensor] = {}
    nested = json.dumps(_described(state, tensors))
    part = out / f"{CHECKPOINT}.part"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, {"state": nested})
    part.replace(out / CHECKPOINT)


def read_checkpoint(out: Path) -> dict[str, Any]:
    """Return the state of the checkpoint in the folder `out`, on the CPU; tuples become lists."""
    with safe_open(out / CHECKPOINT, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        state: dict[str, Any] = _restored(json.loads(file.metadata()["state"]), tensors)
    return state


def _described(value: object, tensors: dict[str, Tensor]) -> object:
    """Return `value` for JSON with tagged containers; move tensors to `tensors` and refer to them by number."""
    match value:
        case Tensor():
            tensors[str(len(tensors))] = value
            return {"tensor": str(len(tensors) - 1), "strides": value.stride()}
        case dict():  # as pairs, since JSON keys are strings
            return {"dict": [[key, _described(item, tensors)] for key, item in value.items()]}
        case list() | tuple():
            return {"list": [_described(item, tensors) for item in value]}
    return value


def _restored(value: Any, tensors: dict[str, Tensor]) -> Any:
    match value:
        case {"tensor": name, "strides": strides}:
            # Restore the strides: Adam's fused step walks through memory and ignores differing strides.
            saved = tensors[name]
            return torch.empty_strided(saved.shape, strides, dtype=saved.dtype).copy_(saved)
        case {"dict": pairs}:
            return {key: _restored(item, tensors) for key, item in pairs}
        case {"list": items}:
            return [_restored(item, tensors) for item in items]
    return value
