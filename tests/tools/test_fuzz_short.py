"""The run of `make fuzz` with small numbers: nothing but answers and refusals comes of any input."""

from __future__ import annotations

from itertools import chain, islice

from stylizer.images import Limits
from tools.fuzz import clips, corpus
from tools.fuzz.corpus import WEAPONS, Input
from tools.fuzz.report import Report, feed
from tools.fuzz.targets import Targets

# Of each sort of weapon those that are told from a picture within a moment.
QUICK = (
    *("jpeg a scan bomb", "jpeg EXIF in a circle", "jpeg EXIF of many tags", "jpeg a segment beyond the end"),
    *("png a bomb of 900 megapixels", "png a profile of a gigabyte", "png a short palette", "png a second header"),
    *("webp a canvas of 16777216 x 255", "webp a frame beyond its canvas", "webp a length without end"),
    *("gif a frame larger than its screen", "gif codes of 255 bits", "gif no frame"),
    *("tiff directories in a circle", "tiff a tile of 4294967295 pixels", "tiff big, with more tags than atoms"),
    *("tiff lzma that wants 4 GB of memory", "tiff noise as group 4", "tiff subsampled by nothing"),
    *("avif a grid of itself", "avif metas in metas", "heic a circle of iden", "heic a grid of 65535 tiles"),
)


def inputs_by_hand() -> list[Input]:
    quick = (Input("weapon", name.partition(" ")[0], name, WEAPONS[name]()) for name in QUICK)
    return [*corpus.whole(), *islice(corpus.cut_short(), 0, None, 7), *quick]


def test_every_input_is_answered_or_refused() -> None:
    report = Report()
    with Targets(Limits(max_pixels=2_000_000)) as targets:
        before = targets.keeper_figures()
        inputs = chain(inputs_by_hand(), islice(corpus.polyglots(), 0, None, 5), islice(corpus.mutations(1), 150))

        assert feed(targets, inputs, report, seconds=200)

        assert report.defects == []
        assert report.count > 250
        assert targets.keeper_figures()[1] == before[1]


def test_every_clip_is_painted_or_refused() -> None:
    figures = clips.Figures()
    for name, data in islice(clips.inputs(1), 20):
        clips.feed(name, data, figures)

    assert figures.defects == []
    assert all(counts["accepted"] >= 6 for counts in figures.verdicts.values()), figures.verdicts


def test_decoding_the_same_files_repeatedly_does_not_leak() -> None:
    files = [case.data for case in chain(corpus.whole(), islice(corpus.mutations(1), 30))]
    with Targets(Limits(max_pixels=2_000_000)) as targets:
        assert targets.growth(files) < 24
        assert targets.growth([case.data for case in corpus.whole()], rounds=2) < 24
