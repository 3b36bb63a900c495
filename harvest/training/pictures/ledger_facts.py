"""What the ledger of a tree, if it has one, knows of its pictures. A training goes on without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvest.dataset import Consultation
from harvest.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from harvest.dataset import Conflict, Origin


@dataclass(frozen=True, slots=True)
class Background:
    """Where pictures are from and which of them two classes want; or why the ledger does not tell."""

    origins: tuple[Origin, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    trouble: str = ""
    damage: str = ""  # rows of the ledger that were skipped


def background(root: Path, contents: Collection[str]) -> Background:
    """Ask the ledger of a tree, where there is one, about pictures of these contents."""
    try:
        consulted = Consultation.open(root)
        if consulted is None:
            return Background()
        with consulted:
            origins = tuple(origin for origin in consulted.origins() if origin.content in contents)
            return Background(origins, tuple(consulted.conflicts()), damage=consulted.damage())
    except StorageError as error:
        return Background(trouble=error.message)
