"""`python -m tools.fuzz.clips`: feed header check, decoder and library with mutated animations and videos."""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from disk_clips import gif, variable_video, video

from stylizer.clips.frames import FrameReader, probe, read_frames
from stylizer.clips.info import ClipInfo, clip_format
from stylizer.clips.limits import ClipLimits
from stylizer.errors import StylizerError
from stylizer_painter.clip_decoding import SANDBOXED_CLIPS
from stylizer_service.clip_probe import probe_clip
from stylizer_service.ports import Unavailable
from stylizer_service.problems import ProblemError
from stylizer_service.settings import Settings
from tools.fuzz.mutations import changed

_SEEDS: dict[str, Callable[[], bytes]] = {
    **{name: lambda name=name: gif(5, (48, 40), kind=name) for name in ("gif", "webp", "png")},  # type: ignore[misc]
    **{name: lambda name=name: video(6, (64, 48), kind=name) for name in ("mp4", "webm")},  # type: ignore[misc]
    "mp4 variable": lambda: variable_video([40, 200, 40, 120], (64, 48)),
}
TARGETS = ("header-check", "decoder", "library")
_SECONDS = 60.0  # for one input
_LIMITS = ClipLimits(max_frame_pixels=500_000, max_frames=200)


@dataclass
class Figures:
    """Outcomes.

    Attributes:
        verdicts: "accepted" or the code of the refusal, by target.
        defects: Anything else than a clip or a refusal.
        slowest: Longest time in seconds, and the input.
    """

    verdicts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    defects: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")

    @property
    def count(self) -> int:
        """Number of inputs."""
        return max((counts.total() for counts in self.verdicts.values()), default=0)


@cache
def _seed(name: str) -> bytes:
    return _SEEDS[name]()


def inputs(seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield each seed, then mutations endlessly, with a name by which each can be made again."""
    for name in _SEEDS:
        yield name, _seed(name)
    index = 0
    while True:
        rng = random.Random(f"clips:{seed}:{index}")
        name = rng.choice(list(_SEEDS))
        yield f"{index} of {name}", changed(rng, _seed(name))
        index += 1


def feed(name: str, data: bytes, figures: Figures, targets: Iterable[str] = TARGETS) -> None:
    """Feed one input to the targets, some of `TARGETS`; the library runs in this process."""
    settings = Settings(max_pixels=_LIMITS.max_frame_pixels, max_clip_frames=_LIMITS.max_frames)
    runs: dict[str, Callable[[], object]] = {
        "header-check": lambda: probe_clip(data, settings, field="content"),
        "decoder": lambda: _decode(data, SANDBOXED_CLIPS.probe(data, _LIMITS), SANDBOXED_CLIPS.read),
        "library": lambda: _decode(data, probe(data, limits=_LIMITS), read_frames),
    }
    for target in targets:
        run = runs[target]
        began = time.monotonic()
        try:
            run()
            verdict = "accepted"
        except ProblemError as error:
            verdict = error.problem.code
        except StylizerError as error:
            verdict = error.code
        except Unavailable:  # on a machine too busy to respond within the caller's timeout
            verdict = "come again"
        except Exception as error:
            verdict = "escaped"
            figures.defects.append(f"{target}: {name}: {type(error).__name__} escaped: {error}")
        seconds = time.monotonic() - began
        if seconds > _SECONDS:
            figures.defects.append(f"{target}: {name}: took {seconds:.0f} s")
        figures.slowest = max(figures.slowest, (seconds, f"{target}: {name}"))
        figures.verdicts[target][verdict] += 1


def _decode(data: bytes, info: ClipInfo, read: FrameReader) -> None:
    frames = list(read(data, info, 0, min(16, info.frames), (48, 40)))
    if clip_format(data[:64]) != info.format or not frames:
        raise AssertionError(f"{len(frames)} of {info.frames} frames of {info.format}")


def main() -> int:
    """Run; return 1 if an invariant was violated."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz.clips", description=__doc__)
    parser.add_argument("--inputs", type=int, default=2000, help="how many to try at most (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=270, help="when to stop trying more (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (default: %(default)s)")
    parser.add_argument("--target", choices=TARGETS, action="append", help="repeatable (default: all)")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # each contained crash, which the figures count
    warnings.simplefilter("ignore")
    began, figures = time.monotonic(), Figures()
    for name, data in inputs(options.seed):
        if figures.count >= options.inputs or time.monotonic() - began > options.seconds:
            break
        feed(name, data, figures, options.target or TARGETS)
    lines = [f"{figures.count} inputs in {time.monotonic() - began:.0f} s"]
    lines += [f"{target}: {dict(counts.most_common())}" for target, counts in figures.verdicts.items()]
    lines += [f"longest time: {figures.slowest[0]:.1f} s ({figures.slowest[1]})"]
    lines += [f"BROKEN {defect}" for defect in figures.defects]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if figures.defects else 0


if __name__ == "__main__":
    sys.exit(main())
