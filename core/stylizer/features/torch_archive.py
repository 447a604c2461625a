"""Tensors from a file that torch wrote before its version 1.6, without unpickling it.

Such a file is five pickles, of which the fourth is the state dict and the fifth lists the keys of its storages, and
then the numbers of each storage in that order. To unpickle is to run what a file says. Here the operations of the
pickles are only listed, and what they say of names, shapes and storages is picked out.
"""

from __future__ import annotations

import pickletools
from collections.abc import Collection, Sequence
from io import BufferedRandom, BufferedReader
from math import prod
from os import SEEK_CUR

import numpy as np
import torch
from torch import Tensor

BEFORE_THE_STATE = 3  # a magic number, the version of the format, what machine wrote it
STRINGS = {"BINUNICODE", "SHORT_BINSTRING"}  # the second where Python 2 wrote it
INTEGERS = {"BININT", "BININT1", "BININT2", "LONG1"}

Operations = Sequence[tuple[pickletools.OpcodeInfo, object, int | None]]
Opened = BufferedReader | BufferedRandom


def read_tensors(opened: Opened, wanted: Collection[str]) -> dict[str, Tensor]:
    """Tensors of a state dict, on the CPU.

    Args:
        opened: The file, at its beginning.
        wanted: Keys of the state dict; all others are passed over.

    Raises:
        ValueError: It is no such file, or does not hold all of these as plain little-endian float32.
    """
    *_, state, listed = (list(pickletools.genops(opened)) for _ in range(BEFORE_THE_STATE + 2))
    storages = [str(argument) for opcode, argument, _ in listed if opcode.name in STRINGS]
    types = {argument for opcode, argument, _ in state if opcode.name == "GLOBAL" and str(argument).endswith("Storage")}
    if types != {"torch FloatStorage"}:
        raise ValueError(f"the storages are of {types}, not of float32")
    places = _places(state, storages)
    tensors = {}
    for storage in storages:
        size = int.from_bytes(_read(opened, 8), "little")
        name, numbers = places[storage]
        if name in wanted:
            tensors[name] = _tensor(_read(opened, 4 * size), name, numbers)
        else:
            opened.seek(4 * size, SEEK_CUR)
    if missing := set(wanted) - tensors.keys():
        raise ValueError(f"{', '.join(sorted(missing))} is not in it")
    return tensors


def _places(state: Operations, storages: Collection[str]) -> dict[str, tuple[str, list[int]]]:
    """Whose each storage is, and the numbers with which it becomes a tensor: its offset, shape and strides.

    A tensor is written as its key, its storage's key, the storage itself, those numbers, and the call that makes it.
    """
    places: dict[str, tuple[str, list[int]]] = {}
    name, upcoming = "", ""
    numbers: list[int] | None = None
    for opcode, argument, _ in state:
        if opcode.name in STRINGS:
            if argument in storages:
                upcoming = str(argument)
                places[upcoming] = name, []
            elif argument != "storage":  # written out for the first one, then referred to
                name = str(argument)
        elif opcode.name == "BINPERSID":
            numbers = places[upcoming][1]
        elif opcode.name in INTEGERS and numbers is not None:
            numbers.append(int(str(argument)))
        elif opcode.name == "REDUCE":
            numbers = None
    return places


def _tensor(data: bytes, name: str, numbers: Sequence[int]) -> Tensor:
    offset, *rest = numbers
    shape, strides = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    inner = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    if offset or strides != inner or 4 * prod(shape) != len(data):
        raise ValueError(f"{name} has the shape {shape}, the strides {strides} and the offset {offset}: not plain")
    return torch.from_numpy(np.frombuffer(bytearray(data), "<f4").astype(np.float32, copy=False)).view(shape)


def _read(opened: Opened, size: int) -> bytes:
    data = opened.read(size)
    if len(data) < size:
        raise ValueError("the file ends too early")
    return data
