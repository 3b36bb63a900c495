"""Read what the ledger knows about the images, if there is one. Training works without it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harvest.dataset import ReadOnlyDataset
from harvest.duplicates.fingerprint import PACKED
from harvest.errors import StorageError
from harvest.labelled_pictures.size_and_fingerprint_cache import LONGEST_SIDE, DecodedFile
from harvest.models import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from harvest.dataset import Conflict, Origin


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """The origins and licences of images, and conflicts; `trouble` says why the ledger cannot be read."""

    origins: tuple[Origin, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    trouble: str = ""
    licences: dict[str, str] = field(default_factory=dict)  # by content
    damage: str = ""  # rows of the ledger that were skipped


def read_known_files(root: Path) -> dict[str, DecodedFile]:
    """Return what the ledger of a dataset folder knows of its decoded images, by content; empty without a ledger.

    A ledger may come from others: rows that no harvest writes are left out, and their images decoded.
    """
    known: dict[str, DecodedFile] = {}
    with suppress(StorageError):  # reported with the facts
        dataset = ReadOnlyDataset.open(root)
        if dataset is None:
            return known
        with dataset:
            for content, width, height, fingerprint in dataset.list_fingerprints():
                if (
                    isinstance(content, str)
                    and isinstance(width, int)
                    and isinstance(height, int)
                    and isinstance(fingerprint, bytes)
                    and len(fingerprint) == PACKED.itemsize
                    and width <= LONGEST_SIDE
                    and height <= LONGEST_SIDE
                ):
                    known[content] = DecodedFile(content, (width, height), Fingerprint(fingerprint))
    return known


def read_ledger_facts(root: Path, contents: Collection[str]) -> LedgerFacts:
    """Read the facts about images with these contents from the ledger of a dataset folder, if there is one."""
    try:
        dataset = ReadOnlyDataset.open(root)
        if dataset is None:
            return LedgerFacts()
        with dataset:
            origins = tuple(origin for origin in dataset.origins() if origin.content in contents)
            licences = {content: text for content, text in dataset.list_licences().items() if content in contents}
            return LedgerFacts(origins, tuple(dataset.conflicts()), licences=licences, damage=dataset.damage())
    except StorageError as error:
        return LedgerFacts(trouble=error.message)
