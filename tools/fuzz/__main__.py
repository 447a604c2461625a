"""`make fuzz`: feed the probe, the decoder and the library malicious and mutated images, and print the results."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import chain, islice

from stylizer.images import Limits
from tools.fuzz import corpus
from tools.fuzz.corpus import Input
from tools.fuzz.report import Report, feed
from tools.fuzz.targets import Targets

SMALL = Limits(max_pixels=2_000_000)  # so that a corrupted large dimension does not cost a second
_LEAK_FILES = 150
_MAX_GROWTH = 24.0  # MiB


def main() -> int:
    """Run; return 1 if an invariant was violated."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=6000, help="how many to try at most (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=270, help="when to stop trying more (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (default: %(default)s)")
    options = parser.parse_args()
    began, report = time.monotonic(), Report()

    made = list(chain(corpus.whole(), corpus.cut_short(), corpus.polyglots()))
    with Targets(Limits()) as targets:
        all_made = feed(targets, islice(chain(made, corpus.weapons()), options.inputs), report, seconds=options.seconds)
    with Targets(SMALL) as targets:
        before = targets.keeper_figures()
        left = options.seconds - (time.monotonic() - began)
        feed(targets, islice(corpus.mutations(options.seed), options.inputs - report.count), report, seconds=left)
        after = targets.keeper_figures()
        growth = targets.growth([case.data for case in _of_leaks(options.seed)])

    if growth > _MAX_GROWTH or after[0] - before[0] > _MAX_GROWTH or after[1] > before[1]:
        report.defects.append("memory or files are leaked")
    if not all_made:
        report.defects.append("not even the inputs made by hand were all tried: give it more --seconds")
    zygote = "memory of the zygote, and files it has open: {:.1f} MiB and {}".format(*before)
    lines = [
        *_tables(report, time.monotonic() - began),
        *_figures(report),
        "{} before and {:.1f} MiB and {} after the mutations".format(zygote, *after),
        f"growth of one process that decodes {_LEAK_FILES} files 4 times, after the first: {growth:.1f} MiB",
        *(f"BROKEN {defect}" for defect in report.defects),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if report.defects else 0


def _of_leaks(seed: int) -> list[Input]:
    return list(islice(chain(corpus.whole(), corpus.mutations(seed)), _LEAK_FILES))


def _tables(report: Report, seconds: float) -> Iterator[str]:
    kinds = ("seed", "cut short", "polyglot", "weapon", "mutation")
    yield f"{report.count} inputs in {seconds:.0f} s, each to {', '.join(Targets.NAMES)}\n"
    yield f"{'format':8}" + "".join(f"{kind:>11}" for kind in kinds) + f"{'all':>11}"
    for name, counts in sorted(report.tried.items()):
        yield f"{name:8}" + "".join(f"{counts[kind]:11}" for kind in kinds) + f"{counts.total():11}"
    verdicts = sorted({verdict for counts in report.verdicts.values() for verdict in counts})
    yield f"\n{'verdict':22}" + "".join(f"{target:>10}" for target in Targets.NAMES)
    for verdict in verdicts:
        yield f"{verdict:22}" + "".join(f"{report.verdicts[target][verdict]:10}" for target in Targets.NAMES)
    yield ""


def _figures(report: Report) -> Iterator[str]:
    for target in Targets.NAMES:
        seconds, name = report.slowest[target]
        yield f"longest time, {target}: {seconds:.1f} s ({name})"
    for target in Targets.NAMES[1:]:
        peak, name = report.greediest[target]
        yield f"peak memory, {target}: {peak:.0f} MiB ({name})"
    yield f"refused by the probe, taken by the decoder: {len(report.misjudged)}"
    yield f"crashes of C code that ended a fork and nothing else: {len(report.crashes)}"
    yield from (f"  {crash}" for crash in report.crashes)
    escaped = sum("escaped" in defect for defect in report.defects)
    hangs = sum("hang" in defect for defect in report.defects)
    yield f"crashes that escaped: {escaped}; hangs: {hangs}; other defects: {len(report.defects) - escaped - hangs}"


if __name__ == "__main__":
    sys.exit(main())
