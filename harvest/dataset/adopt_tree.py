"""Make a dataset of a tree of class folders: create its ledger, and read what FastClass wrote about its images.

No image is changed. Each step can be repeated, so the same command completes an adoption that was killed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.dataset import Dataset
from harvest.dataset.fastclass_files import read_report
from harvest.dataset.ledger_and_lock import LEDGER
from harvest.dataset.lost_ledger import refuse_lost_ledger
from harvest.ledger.database import Ledger
from harvest.ledger.decision_kinds import Action
from harvest.ledger.picture_table import PictureTable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


@dataclass(frozen=True, slots=True)
class FastClassMarks:
    """The number of ratings that were taken from reports of fcc, and of images that they mark as deleted."""

    ratings: int = 0
    deleted: int = 0


def is_adopted(root: Path) -> bool:
    """Return whether a folder is a dataset already; `False` if its adoption was interrupted."""
    if not os.path.lexists(root / LEDGER):
        return False
    ledger = Ledger.copy(Path(os.path.abspath(root)) / LEDGER)  # noqa: PTH100 - as Dataset.open does
    try:
        has_searches = ledger.first_row("SELECT 1 FROM run LIMIT 1") is not None
        return has_searches or PictureTable(ledger).is_inspected()
    finally:
        ledger.close()


def adopt_tree(root: Path, *, new_ledger: bool = False, say: Callable[[str], None] | None = None) -> Dataset:
    """Create the ledger of a tree, record and fingerprint its images, and return the open dataset.

    If there are signs that the tree had a ledger, raise `LedgerMissing`, unless `new_ledger`.
    """
    if not new_ledger:
        refuse_lost_ledger(root)
    return Dataset.open(root, create=True, new_ledger=True, say=say)


def read_fastclass_marks(dataset: Dataset, classes: Collection[str]) -> FastClassMarks:
    """Record the ratings that fcc wrote next to the class folders, and count the images that it marks as deleted."""
    rated = deleted = 0
    for class_name in classes:
        ratings, marked = read_report(dataset.root / class_name)
        by_rating: dict[int, list[int]] = {}
        for name, rating in ratings.items():
            if (picture := dataset.find_file(class_name, name)) is not None:
                by_rating.setdefault(rating, []).append(picture)
        for rating, pictures in by_rating.items():
            dataset.decide(Action.RATE, pictures, by="cli", value=rating)
            rated += len(pictures)
        deleted += sum(dataset.find_file(class_name, name) is not None for name in marked)
    return FastClassMarks(rated, deleted)
