"""Looks once at every file that is a person's own, so that no copy of it is fetched from the web."""

from __future__ import annotations

import os
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

from harvest import disk
from harvest.ledger import faces
from harvest.models import Refusal
from harvest.shelves import Shelf, Spot

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.images import Seen
    from harvest.ledger import Ledger
    from harvest.ledger.pictures import Pictures
    from harvest.tree import Tree

_BATCH = 32  # files a transaction: what is looked at is not looked at again, also after a kill
_LARGEST = 200 << 20  # bytes of a file; larger ones are counted, and compared with nothing
_HEAVY = 100 << 20  # bytes of a decode; those that need more take turns
_turn = threading.Lock()


def examine_new(ledger: Ledger, pictures: Pictures, tree: Tree) -> None:
    """Take the look of files that are new or were changed by a person."""
    files = pictures.unexamined()
    for start in range(0, len(files), _BATCH):
        batch = files[start : start + _BATCH]
        spots = [
            Spot(held.class_name, held.name, Shelf.REJECTED if held.shelved else Shelf.TREE) for held in batch
        ]
        looks = tree.each(_look, [tree.path(spot) for spot in spots])
        with ledger.writing():
            for held, seen in zip(batch, looks, strict=True):
                faces.examined(
                    ledger,
                    held.id,
                    (seen.pixels, seen.look.data, seen.width, seen.height, seen.format) if seen else None,
                )


def _look(path: Path) -> Seen | None:
    from harvest.images import examine, memory_needed  # noqa: PLC0415 - decoders are slow to load, and rarely needed

    try:
        with disk.reading(path), disk.open_to_read(path) as file:
            if os.fstat(file.fileno()).st_size > _LARGEST:
                return None
            data = file.read()
    except FileNotFoundError:
        return None
    with _turn if memory_needed(data) > _HEAVY else nullcontext():
        seen = examine(data)
    return None if isinstance(seen, Refusal) else seen
