"""Record the near-duplicates of a picture: the pictures on disk that may be copies of it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from harvest.ledger.near_duplicate_table import add_near_duplicates

if TYPE_CHECKING:
    from harvest.duplicates.index import DuplicateIndex
    from harvest.ledger.database import Ledger
    from harvest.ledger.picture_table import PictureTable
    from harvest.models import Fingerprint


class NearDuplicateFinder:
    """Compares pictures with all on disk whose fingerprint this version computed, and with each other."""

    def __init__(self, ledger: Ledger, pictures: PictureTable) -> None:
        self._ledger = ledger
        self._pictures = pictures

    @cached_property
    def _index(self) -> DuplicateIndex:
        from harvest.duplicates.index import DuplicateIndex  # noqa: PLC0415 - slow to load, and rarely needed

        return DuplicateIndex(self._pictures.list_current_fingerprints())

    def record(self, picture: int, fingerprint: Fingerprint) -> None:
        """Record the near-duplicates of a picture on disk, within the transaction that records its fingerprint."""
        self._index.discard(picture)
        certain, probable = self._index.find(fingerprint)
        add_near_duplicates(self._ledger, [(picture, other, True) for other in certain])
        add_near_duplicates(self._ledger, [(picture, other, False) for other in probable])
        self._index.add(picture, fingerprint)
