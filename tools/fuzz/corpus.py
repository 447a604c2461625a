"""All inputs of a run, in order: valid images, truncated ones, malicious files, then mutations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from tools.fuzz import chunks, seeds, tables
from tools.fuzz.chunks import Weapon
from tools.fuzz.mutations import mutated

WEAPONS: dict[str, Weapon] = {**chunks.WEAPONS, **tables.WEAPONS}
_SHARES = (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)


@dataclass(frozen=True, slots=True)
class Input:
    """One input file.

    Attributes:
        kind: "seed", "cut short", "weapon", "polyglot" or "mutation".
        format: The format it claims to have.
        name: Unique within the run, and sufficient to recreate it.
        data: Its bytes.
    """

    kind: str
    format: str
    name: str
    data: bytes


def whole() -> Iterator[Input]:
    """Yield every seed."""
    for name in seeds.NAMES:
        yield Input("seed", seeds.format_of(name), name, seeds.make(name))


def cut_short() -> Iterator[Input]:
    """Yield every seed, truncated at many offsets."""
    for name in seeds.NAMES:
        data = seeds.make(name)
        for share in _SHARES:
            yield Input("cut short", seeds.format_of(name), f"{name} to {share:.0%}", data[: int(len(data) * share)])


def weapons() -> Iterator[Input]:
    """Yield handwritten malicious files, each targeting a specific decoder behavior."""
    for name, make in WEAPONS.items():
        yield Input("weapon", name.partition(" ")[0], name, make())


def polyglots() -> Iterator[Input]:
    """Yield files that are valid in two formats."""
    for first in ("jpeg baseline", "png rgb", "gif plain", "webp lossy", "tiff raw", "avif rgb", "heic rgb"):
        for second in ("png animated", "jpeg cmyk", "tiff pages", "heic rgba"):
            data = seeds.make(first) + seeds.make(second)
            yield Input("polyglot", seeds.format_of(first), f"{first}, then {second}", data)
    for name, head in (("a PDF", b"%PDF-1.7\n"), ("a script", b"#!/bin/sh\nexit\n"), ("a page", b"<script></script>")):
        yield Input("polyglot", "other", f"{name}, then a JPEG", head + seeds.make("jpeg baseline"))
    for size in range(4):
        yield Input("polyglot", "other", f"{size} bytes", b"\xff\xd8\xff"[:size])


def mutations(seed: int) -> Iterator[Input]:
    """Yield mutations endlessly."""
    for index in count():
        name, data = mutated(seed, index)
        yield Input("mutation", seeds.format_of(name), f"{index} of {name}", data)
