"""Read a dataset without reconciling it, for a training.

No lock is acquired and no picture is changed. Pictures are identified by content hash, wherever their files are now.
Only the split of a training is written.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from harvest.dataset.dataset_reader import DatasetReader
from harvest.dataset.ledger_and_lock import LEDGER
from harvest.errors import CannotWrite
from harvest.ledger import training_data_and_splits
from harvest.ledger.database import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harvest.files.shard_files import ShardPlace


class ReadOnlyDataset(DatasetReader):
    """An open ledger, or a copy of one that cannot be written."""

    @classmethod
    def open(cls, root: str | os.PathLike[str]) -> Self | None:
        """Open the ledger of a folder, or return `None` if there is none."""
        path = Path(os.path.abspath(root)) / LEDGER  # noqa: PTH100 - as Dataset.open does
        if not os.path.lexists(path):
            return None
        try:
            return cls(Ledger.open(path))
        except CannotWrite:
            return cls(Ledger.copy(path))

    def origins(self) -> list[training_data_and_splits.Origin]:
        """Return the pages and authors of the pictures on disk."""
        return training_data_and_splits.origins(self._ledger)

    def list_licences(self) -> dict[str, str]:
        """Return the licence of the pictures on disk that have one, by content."""
        return training_data_and_splits.list_licences(self._ledger)

    def list_fingerprints(self) -> Iterator[tuple[object, ...]]:
        """Yield content, width, height and fingerprint of the pictures on disk, as the ledger holds them."""
        return training_data_and_splits.list_fingerprints(self._ledger)

    def list_shard_images(self) -> list[training_data_and_splits.ShardImage]:
        """Return the images on disk that are in shards."""
        return training_data_and_splits.list_shard_images(self._ledger)

    def list_shard_places(self) -> Iterator[tuple[str, str, str, ShardPlace]]:
        """Yield the class, name, content hash and place of the images on disk that are in shards."""
        return training_data_and_splits.list_shard_places(self._ledger)

    def load_split(self, rule: str) -> dict[str, str]:
        """Return the part of each content hash in one split."""
        return training_data_and_splits.load_split(self._ledger, rule)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ledger.close()


def save_split_in_ledger(root: str | os.PathLike[str], rule: str, parts: Mapping[str, str]) -> bool:
    """Save the parts of content hashes in one split; return whether there is a ledger."""
    path = Path(os.path.abspath(root)) / LEDGER  # noqa: PTH100 - the same
    if not os.path.lexists(path):
        return False
    ledger = Ledger.open(path)
    try:
        known = training_data_and_splits.load_split(ledger, rule)
        new = {content: part for content, part in parts.items() if known.get(content) != part}
        if new:
            with ledger.transaction():
                training_data_and_splits.save_split(ledger, rule, new)
    finally:
        ledger.close()
    return True
