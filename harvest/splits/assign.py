"""Assign groups of images to parts: each group to one, each class by its share; earlier assignments stay.

Groups are ordered by a hash of their contents and the seed. Valid is filled from the end of this order and
test from its start, so that without earlier assignments a few more images only move groups between train and
one of the two, and never from valid to test.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harvest.labelled_pictures.find_files import SplitPart

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(slots=True)
class LeakGroup:
    """Images that must be in the same part: their classes, their position in the order and their part."""

    number: int
    rows: list[int] = field(default_factory=list)
    counts: Counter[int] = field(default_factory=Counter)
    position: bytes = b"\xff" * 9
    part: SplitPart | None = None
    earlier_parts: frozenset[SplitPart] = frozenset()  # of its images in earlier runs; several if groups were merged

    @property
    def size(self) -> int:
        """The number of images."""
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class SplitAssignment:
    """The part of each image, and the groups that were moved from their earlier part to train."""

    parts: tuple[SplitPart, ...]
    merged: tuple[LeakGroup, ...]  # their images were in several parts
    needed: tuple[LeakGroup, ...]  # their class had no other training images


def assign_groups(
    targets: Sequence[int],
    contents: Sequence[str],
    groups: Sequence[int],
    *,
    shares: Mapping[SplitPart, float],
    seed: int,
    remembered: Mapping[str, SplitPart],
) -> SplitAssignment:
    """Assign images, given by class, content and group, so that valid and test get their `shares` of each class."""
    all_groups = _make_groups(targets, contents, groups, seed, remembered)
    table = _Table(all_groups, shares)
    merged = [group for group in all_groups if len(group.earlier_parts) > 1]
    for group in all_groups:
        table.move(group, SplitPart.TRAIN if len(group.earlier_parts) > 1 else next(iter(group.earlier_parts), None))
    needed = table.ensure_training()
    ordered = sorted((group for group in all_groups if group.part is None), key=lambda group: group.position)
    table.fill(SplitPart.VALID, reversed(ordered))
    table.ensure_validation(ordered)
    table.fill(SplitPart.TEST, ordered)
    parts = [SplitPart.TRAIN] * len(targets)
    for group in all_groups:
        for row in group.rows:
            parts[row] = group.part or SplitPart.TRAIN
    return SplitAssignment(tuple(parts), tuple(merged), tuple(needed))


def _make_groups(
    targets: Sequence[int],
    contents: Sequence[str],
    groups: Sequence[int],
    seed: int,
    remembered: Mapping[str, SplitPart],
) -> list[LeakGroup]:
    found: dict[int, LeakGroup] = {}
    for row, (target, content, number) in enumerate(zip(targets, contents, groups, strict=True)):
        group = found.setdefault(number, LeakGroup(number))
        group.rows.append(row)
        group.counts[target] += 1
        position = hashlib.blake2b(f"{seed}/{content}".encode(), digest_size=8).digest()
        group.position = min(group.position, position)
        if content in remembered:
            group.earlier_parts |= {remembered[content]}
    return list(found.values())


class _Table:
    """Counts the images and groups of each class in each part; groups without a part count as train."""

    def __init__(self, groups: Sequence[LeakGroup], shares: Mapping[SplitPart, float]) -> None:
        self._groups = groups
        self._shares = shares
        self._images_of_class: dict[tuple[SplitPart | None, int], int] = defaultdict(int)
        self._groups_of_class: dict[tuple[SplitPart | None, int], int] = defaultdict(int)
        self._class_sizes: Counter[int] = Counter()
        for group in groups:
            self._class_sizes.update(group.counts)
            self._count(group, 1)

    def _count(self, group: LeakGroup, sign: int) -> None:
        for target, count in group.counts.items():
            self._images_of_class[group.part, target] += sign * count
            self._groups_of_class[group.part, target] += sign

    def move(self, group: LeakGroup, part: SplitPart | None) -> None:
        """Move a group to a part."""
        self._count(group, -1)
        group.part = part
        self._count(group, 1)

    def _count_training_groups(self, target: int) -> int:
        """Return the number of groups of a class that are in train."""
        return self._groups_of_class[SplitPart.TRAIN, target] + self._groups_of_class[None, target]

    def _can_leave_training(self, group: LeakGroup) -> bool:
        """Return whether every class of a group has another group in train."""
        return group.part is None and all(self._count_training_groups(target) > 1 for target in group.counts)

    def _improvement(self, group: LeakGroup, part: SplitPart) -> float:
        """Return by how many images a group brings its classes closer to their shares in a part."""
        improvement = 0.0
        for target, count in group.counts.items():
            missing = self._shares.get(part, 0) * self._class_sizes[target] - self._images_of_class[part, target]
            improvement += abs(missing) - abs(missing - count)
        return improvement

    def fill(self, part: SplitPart, groups: Iterable[LeakGroup]) -> None:
        """Move groups to a part while that brings it closer to its shares."""
        for group in groups:
            if self._improvement(group, part) > 0 and self._can_leave_training(group):
                self.move(group, part)

    def ensure_validation(self, groups: Sequence[LeakGroup]) -> None:
        """Move the smallest possible group to valid for each class that has none there."""
        empty_classes = {target for target in self._class_sizes if not self._groups_of_class[SplitPart.VALID, target]}
        for group in sorted(groups, key=lambda group: group.size):
            if not empty_classes.isdisjoint(group.counts) and self._can_leave_training(group):
                self.move(group, SplitPart.VALID)
                empty_classes.difference_update(group.counts)

    def ensure_training(self) -> list[LeakGroup]:
        """Move the largest group to train for each class that has none there, and return these groups."""
        moved = []
        for target in self._class_sizes:
            if not self._count_training_groups(target):
                group = max(
                    (group for group in self._groups if target in group.counts),
                    key=lambda group: (group.size, group.position),
                )
                self.move(group, SplitPart.TRAIN)
                moved.append(group)
        return moved
