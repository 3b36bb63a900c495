"""Record the near-duplicates of new pictures: the pictures on disk that may be copies of them.

A new fingerprint is marked as not compared in the transaction that records it, and the mark is removed in the one that
records its near-duplicates. So after a kill the next command compares what is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.ledger.near_duplicate_table import add_near_duplicates
from harvest.ledger.picture_updates import record_comparison

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from harvest.files.place_and_list_files import Tick
    from harvest.ledger.database import Ledger
    from harvest.ledger.picture_table import PictureTable
    from harvest.models import Fingerprint

_BATCH = 32  # pictures per transaction
# With more new pictures than this, and more than half of all, all are compared at once: for 14,400 fingerprints that
# takes 9.5 s instead of 31 s.
_MANY = 500


def compare_new_pictures(ledger: Ledger, pictures: PictureTable, tick: Tick) -> None:
    """Compare the pictures that were not compared yet with all on disk, and record the near-duplicates."""
    new = pictures.list_uncompared()
    if not new:
        return
    if len(new) > max(_MANY, sum(pictures.count_by_class().values()) // 2):
        tick(0, len(new))
        _compare_all(ledger, set(new), dict(pictures.list_current_fingerprints()))
    else:
        _compare_each(ledger, new, pictures, tick)


def _compare_all(ledger: Ledger, new: Collection[int], known: Mapping[int, Fingerprint]) -> None:
    from harvest.duplicates.index import find_duplicates  # noqa: PLC0415 - slow to load, and rarely needed

    ids = list(known)
    pairs, is_certain = find_duplicates(list(known.values()))
    found = [(ids[one], ids[two], certain) for (one, two), certain in zip(pairs.tolist(), is_certain, strict=True)]
    with ledger.transaction():
        add_near_duplicates(ledger, (pair for pair in found if pair[0] in new or pair[1] in new))
        record_comparison(ledger, new)


def _compare_each(ledger: Ledger, new: Sequence[int], pictures: PictureTable, tick: Tick) -> None:
    from harvest.duplicates.index import DuplicateIndex  # noqa: PLC0415 - the same

    index = DuplicateIndex(pictures.list_current_fingerprints(), load=pictures.load_fingerprints)
    for start in range(0, len(new), _BATCH):
        batch = new[start : start + _BATCH]
        loaded = pictures.load_fingerprints(batch)
        copies = index.find_all(list(loaded.values()))
        with ledger.transaction():
            for picture, (certain, probable) in zip(loaded, copies, strict=True):
                add_near_duplicates(ledger, [(picture, other, True) for other in certain if other != picture])
                add_near_duplicates(ledger, [(picture, other, False) for other in probable if other != picture])
            record_comparison(ledger, batch)
        tick(start + len(batch), len(new))
