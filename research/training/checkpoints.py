"""What a training is resumed from, as a file that can hold numbers and text and nothing that runs.

The tensors are those of a safetensors file. Its text says, as JSON, how they and all else were nested.
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
    """Write the checkpoint in the folder `out`, whole or not at all.

    Args:
        state: Dicts by words or integers, lists, tuples, tensors, numbers, words, booleans and None, however nested.
        out: The folder.

    Raises:
        TypeError: There is something else in it.
    """
    tensors: dict[str, Tensor] = {}
    nested = json.dumps(_described(state, tensors))
    part = out / f"{CHECKPOINT}.part"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, {"state": nested})
    part.replace(out / CHECKPOINT)


def read_checkpoint(out: Path) -> dict[str, Any]:
    """The state in the checkpoint of the folder `out`, on the CPU; what were tuples are lists."""
    with safe_open(out / CHECKPOINT, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        state: dict[str, Any] = _restored(json.loads(file.metadata()["state"]), tensors)
    return state


def _described(value: object, tensors: dict[str, Tensor]) -> object:
    """A value as JSON has it, each container with what it is; tensors are put aside and named by a number."""
    match value:
        case Tensor():
            tensors[str(len(tensors))] = value
            return {"tensor": str(len(tensors) - 1), "strides": value.stride()}
        case dict():  # as pairs, since the keys of JSON are words only
            return {"dict": [[key, _described(item, tensors)] for key, item in value.items()]}
        case list() | tuple():
            return {"list": [_described(item, tensors) for item in value]}
    return value


def _restored(value: Any, tensors: dict[str, Tensor]) -> Any:
    match value:
        case {"tensor": name, "strides": strides}:
            # Laid out as it was: Adam's fused step goes through memory, whatever the strides of what it is given are.
            saved = tensors[name]
            return torch.empty_strided(saved.shape, strides, dtype=saved.dtype).copy_(saved)
        case {"dict": pairs}:
            return {key: _restored(item, tensors) for key, item in pairs}
        case {"list": items}:
            return [_restored(item, tensors) for item in items]
    return value
