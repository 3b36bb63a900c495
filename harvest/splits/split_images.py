"""Split labelled images into train, valid and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harvest.counts_as_text import count_images
from harvest.labelled_pictures.find_files import SplitPart
from harvest.splits.assign import assign_groups
from harvest.splits.split_rule import USUAL, SplitRule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from harvest.labelled_pictures.load_pictures import LabelledPictures
    from harvest.splits.assign import LeakGroup

_NAMED = 3  # paths in a message


@dataclass(frozen=True, slots=True)
class Split:
    """The part and the group of each image, in the order of the labelled images."""

    parts: tuple[SplitPart, ...]
    groups: tuple[int, ...]
    rule: SplitRule = USUAL
    merged: tuple[int, ...] = ()  # groups whose images were in several parts, moved to train
    needed: tuple[int, ...] = ()  # groups moved to train because their class had no training images
    notes: tuple[str, ...] = ()  # messages about the split

    def rows(self, part: SplitPart) -> NDArray[np.intp]:
        """Return the rows of the images in a part."""
        return np.flatnonzero([here == part for here in self.parts])

    def table(self, pictures: LabelledPictures) -> dict[str, dict[str, int]]:
        """Return the number of images by class and part."""
        counts = {label: dict.fromkeys(map(str, SplitPart), 0) for label in pictures.labels}
        for example, part in zip(pictures.examples, self.parts, strict=True):
            counts[example.label][part] += 1
        return counts


def make_split(
    pictures: LabelledPictures,
    groups: NDArray[np.int64],
    *,
    valid: int,
    test: int,
    seed: int,
    remembered: Mapping[str, SplitPart],
) -> Split:
    """Split the images by percentages; the images in folders named after a part stay in that part."""
    rule = SplitRule(valid, test, seed)
    numbers: list[int] = groups.tolist()
    rows, shares, notes = _rows_to_assign(pictures, numbers, rule)
    assignment = assign_groups(
        [int(target) for target in pictures.targets[list(rows)]],
        [pictures.examples[row].content for row in rows],
        [numbers[row] for row in rows],
        shares=shares,
        seed=seed,
        remembered={content: part for content, part in remembered.items() if part in {*shares, SplitPart.TRAIN}},
    )
    parts = [example.part or SplitPart.TRAIN for example in pictures.examples]
    for row, part in zip(rows, assignment.parts, strict=True):
        parts[row] = part
    notes += _describe_moved(pictures, rows, assignment.merged, "as images of one group were in different parts")
    notes += _describe_moved(pictures, rows, assignment.needed, "as no other image was left of the class")
    return Split(
        tuple(parts),
        tuple(numbers),
        rule,
        merged=tuple(group.number for group in assignment.merged),
        needed=tuple(group.number for group in assignment.needed),
        notes=tuple(notes),
    )


def _rows_to_assign(
    pictures: LabelledPictures, groups: Sequence[int], rule: SplitRule
) -> tuple[Sequence[int], dict[SplitPart, float], list[str]]:
    """Return the rows whose part is not given by a folder, the shares of the parts, and notes for the user."""
    given = [example.part for example in pictures.examples]
    valid, test = rule.valid / 100, rule.test / 100
    if not any(given):
        return range(len(given)), {SplitPart.VALID: valid, SplitPart.TEST: test}, []
    rows: list[int] = []
    notes = []
    if SplitPart.VALID not in given:
        # A near-duplicate of a test image must not select the best epoch.
        fixed = {number for number, part in zip(groups, given, strict=True) if part is not SplitPart.TRAIN}
        rows = [row for row, number in enumerate(groups) if number not in fixed]
        notes.append(f"there is no folder for valid: {rule.valid} % of train are used for it")
    if SplitPart.TEST not in given:
        notes.append("there is no folder for test: no test set is held out")
    return rows, {SplitPart.VALID: valid}, notes


def _describe_moved(
    pictures: LabelledPictures, rows: Sequence[int], groups: Sequence[LeakGroup], reason: str
) -> list[str]:
    """Return a note about the images that were moved to train; none if there are none."""
    paths = [pictures.examples[rows[row]].path for group in groups for row in group.rows]
    if not paths:
        return []
    more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
    return [f"{count_images(len(paths))} moved to train, {reason}: {', '.join(paths[:_NAMED])}{more}"]
