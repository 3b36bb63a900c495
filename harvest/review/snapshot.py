"""The images in memory, as the page shows them, with a number for each change.

A page asks for what changed since a number. Numbers grow from the time of the start, so that those of an earlier
server are recognised: such a page gets everything.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from harvest.dataset import ReviewRow


class Delta(NamedTuple):
    """What changed since a number: images to show, images that are gone, and whether that is everything."""

    changed: list[int]
    gone: list[int]
    is_everything: bool


class Snapshot:
    """All images with a file, their reasons for suspicion, and when each changed."""

    def __init__(self) -> None:
        self.rows: dict[int, ReviewRow] = {}
        self.reasons: Mapping[int, tuple[str, ...]] = {}
        self._first = self.seq = int(time.time() * 1000)
        self._changed: dict[int, int] = {}
        self._gone: dict[int, int] = {}

    def replace(self, rows: Iterable[ReviewRow]) -> None:
        """Replace all images."""
        new = {row.id: row for row in rows}
        self._record([row for row in new.values() if self.rows.get(row.id) != row], self.rows.keys() - new.keys())

    def update(self, ids: Collection[int], rows: Iterable[ReviewRow]) -> None:
        """Replace some images; those without a row are gone."""
        new = {row.id: row for row in rows}
        self._record(list(new.values()), {number for number in ids if number in self.rows} - new.keys())

    def set_reasons(self, reasons: Mapping[int, tuple[str, ...]]) -> None:
        """Replace the reasons for suspicion."""
        numbers = reasons.keys() | self.reasons.keys()
        changed = [
            self.rows[each] for each in numbers if each in self.rows and reasons.get(each) != self.reasons.get(each)
        ]
        self.reasons = reasons
        self._record(changed, ())

    def _record(self, changed: Collection[ReviewRow], gone: Collection[int]) -> None:
        self.seq += 1
        for row in changed:
            self.rows[row.id] = row
            self._changed[row.id] = self.seq
            self._gone.pop(row.id, None)
        for number in gone:
            del self.rows[number]
            self._changed.pop(number, None)
            self._gone[number] = self.seq

    def since(self, seq: int) -> Delta:
        """Return what changed since a number."""
        if not self._first <= seq <= self.seq:
            return Delta(list(self.rows), [], is_everything=True)
        changed = [number for number, when in self._changed.items() if when > seq]
        return Delta(changed, [number for number, when in self._gone.items() if when > seq], is_everything=False)
