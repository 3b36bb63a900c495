"""Deals groups of pictures into parts: none straddles, every class gets its share, and what lies stays.

Groups stand in an order that a hash of their contents and the seed gives. Valid takes from its one end, test
from the other; so what a few pictures more would move, if nothing were remembered, moves between train and
one of them, and never from the choice to the exam.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harvest.training.pictures.find_files import SplitPart

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(slots=True)
class LeakGroup:
    """Pictures that stay together: how many of each class, where in the order, and in which part."""

    number: int
    rows: list[int] = field(default_factory=list)
    counts: Counter[int] = field(default_factory=Counter)
    place: bytes = b"\xff" * 9
    part: SplitPart | None = None
    had: frozenset[SplitPart] = frozenset()  # where its pictures were before: in several, when groups met

    @property
    def size(self) -> int:
        """The number of its pictures."""
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class SplitAssignment:
    """Where each picture goes, and the groups that had to leave the part they were in for train."""

    parts: tuple[SplitPart, ...]
    merged: tuple[LeakGroup, ...]  # their pictures lay in several parts
    needed: tuple[LeakGroup, ...]  # their class had nothing else to train on


def assign_groups(
    targets: Sequence[int],
    contents: Sequence[str],
    groups: Sequence[int],
    *,
    shares: Mapping[SplitPart, float],
    seed: int,
    remembered: Mapping[str, SplitPart],
) -> SplitAssignment:
    """Deal pictures, given by class, content and group, so that `shares` of each class leave train."""
    gathered = _gather(targets, contents, groups, seed, remembered)
    table = _Table(gathered, shares)
    merged = [group for group in gathered if len(group.had) > 1]
    for group in gathered:
        table.put(group, SplitPart.TRAIN if len(group.had) > 1 else next(iter(group.had), None))
    needed = table.ensure_training()
    ordered = sorted((group for group in gathered if group.part is None), key=lambda group: group.place)
    table.fill(SplitPart.VALID, reversed(ordered))
    table.ensure_validation(ordered)
    table.fill(SplitPart.TEST, ordered)
    parts = [SplitPart.TRAIN] * len(targets)
    for group in gathered:
        for row in group.rows:
            parts[row] = group.part or SplitPart.TRAIN
    return SplitAssignment(tuple(parts), tuple(merged), tuple(needed))


def _gather(
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
        place = hashlib.blake2b(f"{seed}/{content}".encode(), digest_size=8).digest()
        group.place = min(group.place, place)
        if content in remembered:
            group.had |= {remembered[content]}
    return list(found.values())


class _Table:
    """What lies in each part, class by class. Groups that nobody has put anywhere count as train's."""

    def __init__(self, groups: Sequence[LeakGroup], shares: Mapping[SplitPart, float]) -> None:
        self._groups = groups
        self._shares = shares
        self._pictures: dict[tuple[SplitPart | None, int], int] = defaultdict(int)
        self._held: dict[tuple[SplitPart | None, int], int] = defaultdict(int)  # groups, not pictures
        self._whole: Counter[int] = Counter()
        for group in groups:
            self._whole.update(group.counts)
            self._count(group, 1)

    def _count(self, group: LeakGroup, sign: int) -> None:
        for target, count in group.counts.items():
            self._pictures[group.part, target] += sign * count
            self._held[group.part, target] += sign

    def put(self, group: LeakGroup, part: SplitPart | None) -> None:
        """Move a group."""
        self._count(group, -1)
        group.part = part
        self._count(group, 1)

    def _to_learn(self, target: int) -> int:
        """Count the groups that a class is learned from."""
        return self._held[SplitPart.TRAIN, target] + self._held[None, target]

    def _is_free(self, group: LeakGroup) -> bool:
        """Tell whether every class of a group has another one to learn from."""
        return group.part is None and all(self._to_learn(target) > 1 for target in group.counts)

    def _gain(self, group: LeakGroup, part: SplitPart) -> float:
        """Tell by how many pictures the classes' shares in a part come nearer to what they should be."""
        gain = 0.0
        for target, count in group.counts.items():
            wanted = self._shares.get(part, 0) * self._whole[target] - self._pictures[part, target]
            gain += abs(wanted) - abs(wanted - count)
        return gain

    def fill(self, part: SplitPart, groups: Iterable[LeakGroup]) -> None:
        """Take groups for a part, as long as that brings it nearer to its share."""
        for group in groups:
            if self._gain(group, part) > 0 and self._is_free(group):
                self.put(group, part)

    def ensure_validation(self, groups: Sequence[LeakGroup]) -> None:
        """Put the smallest group that can be spared into valid for each class that has none there."""
        without = {target for target in self._whole if not self._held[SplitPart.VALID, target]}
        for group in sorted(groups, key=lambda group: group.size):
            if not without.isdisjoint(group.counts) and self._is_free(group):
                self.put(group, SplitPart.VALID)
                without.difference_update(group.counts)

    def ensure_training(self) -> list[LeakGroup]:
        """Take the largest group back into train for each class that has none there, and tell which."""
        taken = []
        for target in self._whole:
            if not self._to_learn(target):
                group = max(
                    (group for group in self._groups if target in group.counts),
                    key=lambda group: (group.size, group.place),
                )
                self.put(group, SplitPart.TRAIN)
                taken.append(group)
        return taken
