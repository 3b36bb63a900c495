"""The images in memory, as the page shows them, with a number for each change.

A page asks for what changed since a number. Numbers grow from the time of the start, so that those of an earlier
server are recognised: such a page gets everything.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, NamedTuple

from harvest.review.image_counts import ImageCounts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from harvest.dataset import ReviewRow
    from harvest.review.model_results import ModelPrediction


class Delta(NamedTuple):
    """What changed since a number: images to show, images that are gone, and whether that is everything."""

    changed: list[int]
    gone: list[int]
    is_everything: bool


class Snapshot:
    """All images with a file, their reasons for suspicion, and when each changed."""

    def __init__(self) -> None:
        self.rows: dict[int, ReviewRow] = {}
        self.counts = ImageCounts()
        self.reasons: Mapping[int, tuple[str, ...]] = {}
        self.has_reasons = False  # until the first search for suspects is done
        self.predictions: Mapping[str, ModelPrediction] = {}  # by content hash
        self._first = self.seq = int(time.time() * 1000)
        self.new_images = self.seq  # the number of the last change that brought an image, or another version of one
        self.changed_images = self.seq  # and of the last change of any image
        self._changed: dict[int, int] = {}  # both in the order of the changes
        self._gone: dict[int, int] = {}

    def replace(self, rows: Iterable[ReviewRow]) -> None:
        """Replace all images."""
        new = {row.id: row for row in rows}
        if self.rows:
            self._record([row for row in new.values() if self.rows.get(row.id) != row], self.rows.keys() - new.keys())
        else:
            self._record_first(new)
        self.changed_images = self.seq

    def update(self, ids: Collection[int], rows: Iterable[ReviewRow]) -> None:
        """Replace some images; those without a row are gone."""
        new = {row.id: row for row in rows}
        self._record(list(new.values()), {number for number in ids if number in self.rows} - new.keys())
        self.changed_images = self.seq

    def set_reasons(self, reasons: Mapping[int, tuple[str, ...]]) -> None:
        """Replace the reasons for suspicion."""
        self.has_reasons = True
        numbers = {each for each in reasons.keys() | self.reasons.keys() if reasons.get(each) != self.reasons.get(each)}
        changed = [self.rows[each] for each in numbers if each in self.rows]
        for row in changed:
            self._count(row, -1)
        self.reasons = reasons
        for row in changed:
            self._count(row, 1)
        self._record(changed, ())

    def set_predictions(self, predictions: Mapping[str, ModelPrediction]) -> None:
        """Replace the predictions of a model."""
        before, self.predictions = self.predictions, predictions
        self._record([row for row in self.rows.values() if before.get(row.content) != predictions.get(row.content)], ())

    def _record_first(self, new: dict[int, ReviewRow]) -> None:
        self.seq += 1
        self.rows = new
        self._changed = dict.fromkeys(new, self.seq)
        self._gone.clear()
        self.new_images = self.seq
        self.counts = ImageCounts()
        if self.reasons:
            for row in new.values():
                self._count(row, 1)
        else:
            self.counts.add_first(new.values())

    def _record(self, changed: Collection[ReviewRow], gone: Collection[int]) -> None:
        self.seq += 1
        for row in changed:
            old = self.rows.get(row.id)
            if old is not None:
                self._count(old, -1)
            if old is None or old.content != row.content:
                self.new_images = self.seq
            self.rows[row.id] = row  # in one step: other threads look images up
            self._count(row, 1)
            self._changed.pop(row.id, None)
            self._changed[row.id] = self.seq
            self._gone.pop(row.id, None)
        for number in gone:
            self._count(self.rows.pop(number), -1)
            self._changed.pop(number, None)
            self._gone[number] = self.seq

    def _count(self, row: ReviewRow, count: int) -> None:
        self.counts.add(row, self.reasons.get(row.id, ()), count)

    def since(self, seq: int) -> Delta:
        """Return what changed since a number."""
        if not self._first <= seq <= self.seq:
            return Delta(list(self.rows), [], is_everything=True)
        return Delta(_changed_after(self._changed, seq), _changed_after(self._gone, seq), is_everything=False)


def _changed_after(changes: dict[int, int], seq: int) -> list[int]:
    """Return the images that changed after a number; only these are looked at, the last change first."""
    return [number for number, _ in itertools.takewhile(lambda change: change[1] > seq, reversed(changes.items()))]
