"""The groups of a dataset, found again only when a change concerns them: that reads every conflict and pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvest.review.conflict_and_copy_groups import find_conflicts, find_duplicate_groups

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from harvest.dataset import Dataset, ReviewRow
    from harvest.review.conflict_and_copy_groups import DuplicateGroup, Group


class _Found(NamedTuple):
    """The groups, and what they depend on: images, and the content of conflicts, which has copies."""

    conflicts: list[Group]
    duplicates: list[DuplicateGroup]
    images: Collection[int]
    contents: Collection[str]


class KnownGroups:
    """The conflicts and near-duplicates of a dataset."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._found: _Found | None = None

    def find(self, rows: Mapping[int, ReviewRow]) -> tuple[list[Group], list[DuplicateGroup]]:
        """Return the conflicts and the groups of near-duplicates."""
        if self._found is None:
            images = self._dataset.grouped_images()
            conflicts = find_conflicts(self._dataset.conflicts(), rows)
            self._found = _Found(
                conflicts,
                find_duplicate_groups(self._dataset.open_pairs(), rows, conflicts),
                images,
                {rows[number].content for number in images if number in rows},
            )
        return self._found.conflicts, self._found.duplicates

    def forget(self) -> None:
        """Find the groups again at the next call."""
        self._found = None

    def forget_if_concerned(self, changed: Iterable[ReviewRow | None]) -> None:
        """Find the groups again if one of these images, as they were before a decision or an undo, is in one."""
        if any(map(self._is_member, changed)):
            self._found = None

    def _is_member(self, row: ReviewRow | None) -> bool:
        found = self._found
        return row is None or (found is not None and (row.id in found.images or row.content in found.contents))
