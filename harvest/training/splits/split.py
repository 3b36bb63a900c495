"""Train, valid and test: dealt once, remembered, and told with what may surprise about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harvest.training.pictures.find_files import SplitPart
from harvest.training.splits.assign import assign_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from harvest.training.pictures.labelled_pictures import LabelledPictures
    from harvest.training.splits.assign import LeakGroup

_NAMED = 3


class SplitRule(NamedTuple):
    """By what a split was dealt; with other numbers it is another split, and remembered apart."""

    valid: int  # percent of each class
    test: int
    seed: int

    def __str__(self) -> str:
        """Return what ledger and CSV call it."""
        return f"valid {self.valid} test {self.test} seed {self.seed}"


USUAL = SplitRule(valid=20, test=10, seed=42)


@dataclass(frozen=True, slots=True)
class Split:
    """The part and the group of each picture, in the album's order."""

    parts: tuple[SplitPart, ...]
    groups: tuple[int, ...]
    rule: SplitRule = USUAL
    merged: tuple[int, ...] = ()  # groups whose pictures lay in several parts; they are in train now
    needed: tuple[int, ...] = ()  # groups that left their part since their class had nothing to learn from
    notes: tuple[str, ...] = ()  # what was done, and why

    def rows(self, part: SplitPart) -> NDArray[np.intp]:
        """Return the rows of the album that a part holds."""
        return np.flatnonzero([here == part for here in self.parts])

    def table(self, album: LabelledPictures) -> dict[str, dict[str, int]]:
        """Count pictures by class and part."""
        counted = {label: dict.fromkeys(map(str, SplitPart), 0) for label in album.labels}
        for example, part in zip(album.examples, self.parts, strict=True):
            counted[example.label][part] += 1
        return counted


def make_split(
    album: LabelledPictures,
    groups: NDArray[np.int64],
    *,
    valid: int,
    test: int,
    seed: int,
    remembered: Mapping[str, SplitPart],
) -> Split:
    """Deal the pictures of an album by percentages; the folders of a tree that has some go first."""
    numbers: list[int] = groups.tolist()
    rule = SplitRule(valid, test, seed)
    given = [example.part for example in album.examples]
    dealt: Sequence[int] = range(len(given))
    shares = {SplitPart.VALID: valid / 100, SplitPart.TEST: test / 100}
    notes = []
    if any(given):
        dealt, shares = (), {SplitPart.VALID: valid / 100}
        if SplitPart.VALID not in given:
            # What has a twin in the test folder is nothing to choose by.
            fixed = {number for number, part in zip(numbers, given, strict=True) if part is not SplitPart.TRAIN}
            dealt = [row for row, number in enumerate(numbers) if number not in fixed]
            notes.append(f"there is no folder for valid: {valid} % of train were taken for it")
        if SplitPart.TEST not in given:
            notes.append("there is no folder for test: nothing was kept for a last exam")
    deal = assign_groups(
        [int(target) for target in album.targets[list(dealt)]],
        [album.examples[row].content for row in dealt],
        [numbers[row] for row in dealt],
        shares=shares,
        seed=seed,
        remembered={content: part for content, part in remembered.items() if part in {*shares, SplitPart.TRAIN}},
    )
    parts = [part or SplitPart.TRAIN for part in given]
    for row, part in zip(dealt, deal.parts, strict=True):
        parts[row] = part
    notes += _describe_moved(album, dealt, deal.merged, "had been in different parts and turned out to belong together")
    notes += _describe_moved(album, dealt, deal.needed, "were all that was left of their class")
    return Split(
        tuple(parts),
        tuple(numbers),
        rule,
        merged=tuple(group.number for group in deal.merged),
        needed=tuple(group.number for group in deal.needed),
        notes=tuple(notes),
    )


def _describe_moved(album: LabelledPictures, dealt: Sequence[int], groups: Sequence[LeakGroup], why: str) -> list[str]:
    """Say which pictures went to train that had not been there."""
    paths = [album.examples[dealt[row]].path for group in groups for row in group.rows]
    if not paths:
        return []
    more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
    return [f"{len(paths):,} pictures {why}, so they go to train: {', '.join(paths[:_NAMED])}{more}"]
