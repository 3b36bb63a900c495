"""What the ledger of a tree, if it has one, knows of its pictures. A training goes on without it."""

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
    """Where pictures are from and which of them two classes want; or why the ledger does not tell."""

    origins: tuple[Origin, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    trouble: str = ""
    damage: str = ""  # rows of the ledger that were skipped


def read_ledger_facts(root: Path, contents: Collection[str]) -> LedgerFacts:
    """Ask the ledger of a tree, where there is one, about pictures of these contents."""
    try:
        consulted = ReadOnlyDataset.open(root)
        if consulted is None:
            return LedgerFacts()
        with consulted:
            origins = tuple(origin for origin in consulted.origins() if origin.content in contents)
            return LedgerFacts(origins, tuple(consulted.conflicts()), damage=consulted.damage())
    except StorageError as error:
        return LedgerFacts(trouble=error.message)
