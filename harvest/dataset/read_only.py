"""A dataset as somebody else sees it who only wants to know: a training.

Nothing is reconciled, no lock is taken and no picture is touched: what is asked is asked by content, which
holds wherever a file lies by now. All that may be written is where the training put each content.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from harvest.dataset.ledger_and_lock import LEDGER
from harvest.dataset.read_queries import ReadQueries
from harvest.errors import CannotWrite
from harvest.ledger import split_table
from harvest.ledger.database import Ledger

if TYPE_CHECKING:
    from collections.abc import Mapping


class ReadOnlyDataset(ReadQueries):
    """An open ledger, or a copy of one that cannot be written."""

    @classmethod
    def open(cls, root: str | os.PathLike[str]) -> Self | None:
        """Open the ledger of a folder; `None` where there is none."""
        path = Path(os.path.abspath(root)) / LEDGER  # noqa: PTH100 - as Dataset.open does
        if not os.path.lexists(path):
            return None
        try:
            return cls(Ledger.open(path))
        except CannotWrite:
            return cls(Ledger.copy(path))

    def origins(self) -> list[split_table.Origin]:
        """Return the landing pages and authors of the pictures on disk."""
        return split_table.origins(self._ledger)

    def load_split(self, deal: str) -> dict[str, str]:
        """Return the part of each content that a deal has put anywhere."""
        return split_table.load_split(self._ledger, deal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ledger.close()


def save_split_in_ledger(root: str | os.PathLike[str], deal: str, parts: Mapping[str, str]) -> bool:
    """Write down where a deal put contents; tell whether there is a ledger that remembers it."""
    path = Path(os.path.abspath(root)) / LEDGER  # noqa: PTH100 - the same
    if not os.path.lexists(path):
        return False
    ledger = Ledger.open(path)
    try:
        known = split_table.load_split(ledger, deal)
        new = {content: part for content, part in parts.items() if known.get(content) != part}
        if new:
            with ledger.transaction():
                split_table.save_split(ledger, deal, new)
    finally:
        ledger.close()
    return True
