"""Looks once at every file that is a person's own, so that no copy of it is fetched from the web."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING

from harvest import disk
from harvest.ledger import faces
from harvest.models import Refusal
from harvest.shelves import Shelf, Spot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harvest.images import Seen
    from harvest.ledger import Ledger
    from harvest.ledger.pictures import Pictures
    from harvest.tree import Tree

_BATCH = 32  # files a transaction: what is looked at is not looked at again, also after a kill
_LARGEST = 200 << 20  # bytes of a file; larger ones are counted, and compared with nothing
_HEAVY = 100 << 20  # bytes of a decode; those that need more take turns
_turn = threading.Lock()


def examine_new(
    ledger: Ledger, pictures: Pictures, tree: Tree, known: Mapping[str, Seen | None] = MappingProxyType({})
) -> None:
    """Take the look of files that are new or were changed by a person; `known` are looks by content."""
    files = pictures.unexamined()
    for start in range(0, len(files), _BATCH):
        batch = files[start : start + _BATCH]
        spots = [
            Spot(held.class_name, held.name, Shelf.REJECTED if held.shelved else Shelf.TREE) for held in batch
        ]
        new = [tree.path(spot) for held, spot in zip(batch, spots, strict=True) if held.content not in known]
        looks = iter(tree.each(examine_file, new))
        with ledger.writing():
            for held in batch:
                seen = known[held.content] if held.content in known else next(looks)
                faces.examined(
                    ledger,
                    held.id,
                    (seen.pixels, seen.look.data, seen.width, seen.height, seen.format) if seen else None,
                )


def examine_file(path: Path, *, unpad: bool = False) -> Seen | None:
    """Examine an image file; return `None` if it is gone, too large or not an image."""
    from harvest.images import examine, memory_needed  # noqa: PLC0415 - decoders are slow to load, and rarely needed

    try:
        with disk.reading(path):
            if path.stat().st_size > _LARGEST:
                return None
            data = path.read_bytes()
    except FileNotFoundError:
        return None
    with _turn if memory_needed(data) > _HEAVY else nullcontext():
        seen = examine(data, unpad=unpad)
    return None if isinstance(seen, Refusal) else seen
