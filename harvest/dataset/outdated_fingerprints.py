"""Compute the fingerprints again that an earlier version of harvest computed, from the files of the pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.dataset.inspect_new_files import BATCH, file_of, inspect_file
from harvest.ledger import picture_updates
from harvest.models import Refusal

if TYPE_CHECKING:
    from harvest.files.place_and_list_files import Tick, Tree
    from harvest.ledger.database import Ledger
    from harvest.ledger.picture_table import PictureTable


def update_fingerprints(ledger: Ledger, pictures: PictureTable, tree: Tree, tick: Tick) -> None:
    """Compute outdated fingerprints again, a batch a transaction: after a kill, the next command goes on.

    A file that is gone or cannot be decoded keeps its earlier fingerprint, which still finds complete copies.
    """
    outdated = pictures.list_outdated()
    for start in range(0, len(outdated), BATCH):
        batch = outdated[start : start + BATCH]
        inspected = tree.map_threads(inspect_file, [tree.path(file_of(held)) for held in batch])
        with ledger.transaction():
            for held, seen in zip(batch, inspected, strict=True):
                if seen is None or isinstance(seen, Refusal):
                    continue
                is_compared = held.state != "present"
                picture_updates.record_fingerprint(ledger, held.id, seen.fingerprint.data, compared=is_compared)
        tick(start + len(batch), len(outdated))
