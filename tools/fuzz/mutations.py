"""An endless supply of broken images: each is a seed with a few changes, reproducible by its number."""

from __future__ import annotations

import random
from collections.abc import Callable

from tools.fuzz import seeds

_LENGTHS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_HEAD = 700  # most parsing errors are triggered near the start
_LONGEST = 2**17
Change = Callable[[random.Random, bytearray], None]


def mutated(seed: int, index: int) -> tuple[str, bytes]:
    """Return input `index` of the run with this seed: the name of the original image, and the bytes."""
    rng = random.Random(f"{seed}:{index}")
    name = rng.choice(seeds.NAMES)
    return name, changed(rng, seeds.make(name))


def changed(rng: random.Random, original: bytes) -> bytes:
    """Return a file with a few random changes."""
    data = bytearray(original)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        rng.choice(_CHANGES)(rng, data)
    return bytes(data[:_LONGEST])


def _place(rng: random.Random, data: bytearray) -> int:
    last = max(0, len(data) - 1)
    return rng.randint(0, min(last, _HEAD) if rng.random() < 0.6 else last)


def _flip(rng: random.Random, data: bytearray) -> None:
    if data:
        data[_place(rng, data)] ^= 1 << rng.randrange(8)


def _overwrite(rng: random.Random, data: bytearray) -> None:
    at = _place(rng, data)
    count = rng.choice((1, 2, 4, 8, 64))
    data[at : at + count] = rng.randbytes(count)


def _lie_about_a_length(rng: random.Random, data: bytearray) -> None:
    at, size = _place(rng, data), rng.choice((1, 2, 4, 8))
    number = rng.choice((*_LENGTHS, len(data), len(data) + 1)) & (1 << 8 * size) - 1
    data[at : at + size] = number.to_bytes(size, rng.choice(("big", "little")))


def _count_up_or_down(rng: random.Random, data: bytearray) -> None:
    if data:
        at = _place(rng, data)
        data[at] = (data[at] + rng.choice((-1, 1, 16))) % 256


def _cut(rng: random.Random, data: bytearray) -> None:
    del data[_place(rng, data) :]


def _remove(rng: random.Random, data: bytearray) -> None:
    at = _place(rng, data)
    del data[at : at + rng.choice((1, 2, 12, 100))]


def _repeat(rng: random.Random, data: bytearray) -> None:
    at, count = _place(rng, data), rng.choice((1, 4, 12, 64, 512))
    data[at:at] = data[at : at + count] * rng.choice((1, 2, 50))


def _move(rng: random.Random, data: bytearray) -> None:
    at, count = _place(rng, data), rng.choice((4, 12, 64, 512))
    part = data[at : at + count]
    del data[at : at + count]
    target = _place(rng, data)
    data[target:target] = part


def _splice(rng: random.Random, data: bytearray) -> None:
    other = seeds.make(rng.choice(seeds.NAMES))
    start = rng.randrange(len(other))
    at = _place(rng, data)
    data[at : at + rng.choice((0, 100))] = other[start : start + rng.choice((8, 100, 1000))]


def _zero(rng: random.Random, data: bytearray) -> None:
    at, count = _place(rng, data), rng.choice((1, 4, 64))
    data[at : at + count] = bytes(min(count, len(data) - at))


_CHANGES: tuple[Change, ...] = (
    _flip,
    _flip,
    _overwrite,
    _lie_about_a_length,
    _lie_about_a_length,
    _count_up_or_down,
    _cut,
    _remove,
    _repeat,
    _move,
    _splice,
    _zero,
)
