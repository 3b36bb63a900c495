"""Choose the images that the report shows: a sample of each class, evenly by source, and what needs a decision."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from harvest.dataset import SampleRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harvest.dataset import ClassCounts, Dataset, ReportStatistics

KEPT, OF_A_CLASS, OF_ONE_OF_MANY = 240, 36, 4  # images kept: at most, of a class, and of one of many classes
CLASSES = 60  # classes shown; with more, the smallest and the largest
_REJECTED, _REJECTED_CLASSES = 60, 20
_ROW = 12  # images side by side on a wide screen
GROUPS, OF_A_GROUP = 12, 6
_CONFLICTS, _AI = 16, 12
_PIXELS = 3e9  # that all shown images may have, so that decoding takes seconds


class Sheet(NamedTuple):
    """A sample of the images of one class, with the number of all."""

    class_name: str
    total: int
    rows: Sequence[SampleRow]


class OpenConflict(NamedTuple):
    """An image that was found for another class too."""

    row: SampleRow
    other: str


@dataclass(frozen=True, slots=True)
class ShownImages:
    """The images of all sections."""

    kept: Sequence[Sheet]
    rejected: Sequence[Sheet]
    groups: Sequence[Sequence[SampleRow]]
    conflicts: Sequence[OpenConflict]
    made_with_ai: Sequence[SampleRow]

    def __iter__(self) -> Iterator[SampleRow]:
        """Yield the images in the order of the page."""
        for sheet in (*self.kept, *self.rejected):
            yield from sheet.rows
        for group in self.groups:
            yield from group
        yield from (conflict.row for conflict in self.conflicts)
        yield from self.made_with_ai


def choose_images(dataset: Dataset, facts: ReportStatistics, seed: int) -> ShownImages:
    """Choose the images to show; fewer where they are large."""
    scale = min(1.0, _PIXELS / max(1, facts.mean_pixels * KEPT * 2))
    groups = [
        [SampleRow(*each, "") for each in group[:OF_A_GROUP]]
        for group in islice(facts.near_duplicates, _scale_down(GROUPS, scale))
    ]
    conflicts = [
        OpenConflict(SampleRow(each.id, each.class_name, each.name, ""), each.other)
        for each in facts.conflicts[: _scale_down(_CONFLICTS, scale)]
    ]
    return ShownImages(
        list(_sample_kept(dataset, facts, seed, scale)),
        list(_sample_rejected(dataset, facts, seed, scale)),
        groups,
        conflicts,
        facts.made_with_ai[: _scale_down(_AI, scale)],
    )


def _scale_down(count: int, scale: float) -> int:
    return max(1, int(count * scale))


def _sample_kept(dataset: Dataset, facts: ReportStatistics, seed: int, scale: float) -> Iterator[Sheet]:
    classes = _select_classes([each for each in facts.classes if each.kept])
    most = max(OF_ONE_OF_MANY, _fill_rows(KEPT // max(1, len(classes)), OF_A_CLASS))
    for each in classes:
        yield _sample(dataset, each.class_name, each.kept, _scale_down(most, scale), seed)


def _sample_rejected(dataset: Dataset, facts: ReportStatistics, seed: int, scale: float) -> Iterator[Sheet]:
    classes = sorted(
        (each for each in facts.classes if each.restorable), key=lambda each: (-each.rejected, each.class_name)
    )[:_REJECTED_CLASSES]
    most = _fill_rows(_REJECTED // max(1, len(classes)), OF_A_CLASS)
    for each in sorted(classes, key=lambda each: each.class_name):
        yield _sample(dataset, each.class_name, each.rejected, _scale_down(most, scale), seed, rejected=True)


def _fill_rows(count: int, most: int) -> int:
    """Return at most `count` images that fill whole rows of the page, if they fill one."""
    return min(most, count // _ROW * _ROW or count)


def _select_classes(classes: Sequence[ClassCounts]) -> list[ClassCounts]:
    """Return all classes, or of many the smallest and the largest, in the order of their names."""
    if len(classes) <= CLASSES:
        return list(classes)
    by_size = sorted(classes, key=lambda each: (each.kept, each.class_name))
    half = CLASSES // 2
    return sorted([*by_size[:half], *by_size[-half:]], key=lambda each: each.class_name)


def _sample(dataset: Dataset, class_name: str, total: int, most: int, seed: int, *, rejected: bool = False) -> Sheet:
    """Sample a class evenly by source: the rows are in rounds, one image of each source in a round."""
    rows = dataset.sample(class_name, most, seed, rejected=rejected)[:most]
    return Sheet(class_name, total, sorted(rows, key=lambda row: row.source))


def mix_classes(sheets: Iterable[Sheet], most: int) -> list[SampleRow]:
    """Return images of all classes in turn.

    >>> rows = [SampleRow(number, name, "", "") for number, name in enumerate("aab")]
    >>> [row.class_name for row in mix_classes([Sheet("a", 2, rows[:2]), Sheet("b", 1, rows[2:])], 9)]
    ['a', 'b', 'a']
    """
    queues = [list(sheet.rows) for sheet in sheets]
    turns = max((len(queue) for queue in queues), default=0)
    return [queue[turn] for turn in range(turns) for queue in queues if turn < len(queue)][:most]
