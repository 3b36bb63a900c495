"""Read what the ledger knows about the images, if there is one. Training works without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvest.dataset import ReadOnlyDataset
from harvest.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from harvest.dataset import Conflict, Origin


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """The origins of images and those claimed by two classes; `trouble` says why the ledger cannot be read."""

    origins: tuple[Origin, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    trouble: str = ""
    damage: str = ""  # rows of the ledger that were skipped


def read_ledger_facts(root: Path, contents: Collection[str]) -> LedgerFacts:
    """Read the facts about images with these contents from the ledger of a dataset folder, if there is one."""
    try:
        dataset = ReadOnlyDataset.open(root)
        if dataset is None:
            return LedgerFacts()
        with dataset:
            origins = tuple(origin for origin in dataset.origins() if origin.content in contents)
            return LedgerFacts(origins, tuple(dataset.conflicts()), damage=dataset.damage())
    except StorageError as error:
        return LedgerFacts(trouble=error.message)
