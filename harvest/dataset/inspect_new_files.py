"""Looks once at every file that is a person's own, so that no copy of it is fetched from the web."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from harvest.files import disk
from harvest.files.paths import Area, FileKey
from harvest.files.tree import MAX_FILE
from harvest.ledger import picture_updates
from harvest.models import Refusal
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harvest.files.tree import Tick, Tree
    from harvest.images import InspectedImage
    from harvest.ledger.database import Ledger
    from harvest.ledger.picture_table import PictureTable

_BATCH = 32  # files a transaction: what is looked at is not looked at again, also after a kill
_NAMED = 5  # of many skipped files


class SkippedFile(NamedTuple):
    """A file that cannot be decoded: it is counted, compared with nothing and never changed."""

    spot: FileKey
    refusal: Refusal

    @property
    def reason(self) -> str:
        """Return why, for a person."""
        if self.refusal.verdict is Verdict.INTERNAL_ERROR:
            return f"internal error of harvest, please report it with this file: {self.refusal.detail}"
        return self.refusal.detail or str(self.refusal.verdict)


def inspect_new_files(
    ledger: Ledger,
    pictures: PictureTable,
    tree: Tree,
    known: Mapping[str, InspectedImage | Refusal | None] = MappingProxyType({}),
    tick: Tick | None = None,
) -> list[SkippedFile]:
    """Take the look of files that are new or were changed by a person; return those that have none.

    `known` are results by content, from files that were examined before.

    A file that met an internal error is not noted as examined: the next version may be able to read it.
    """
    files = pictures.list_uninspected()
    skipped: list[SkippedFile] = []
    for start in range(0, len(files), _BATCH):
        batch = files[start : start + _BATCH]
        spots = [FileKey(held.class_name, held.name, Area.REJECTED if held.shelved else Area.TREE) for held in batch]
        new = [tree.path(spot) for held, spot in zip(batch, spots, strict=True) if held.content not in known]
        examined = iter(tree.map_threads(examine_file, new))
        looks = [known[held.content] if held.content in known else next(examined) for held in batch]
        skipped += [
            SkippedFile(spot, seen) for spot, seen in zip(spots, looks, strict=True) if isinstance(seen, Refusal)
        ]
        with ledger.transaction():
            for held, seen in zip(batch, looks, strict=True):
                if isinstance(seen, Refusal) and seen.verdict is Verdict.INTERNAL_ERROR:
                    continue
                look = None
                if seen is not None and not isinstance(seen, Refusal):
                    look = (seen.pixels, seen.fingerprint.data, seen.width, seen.height, seen.format)
                picture_updates.record_inspection(ledger, held.id, look)
        if tick is not None:
            tick(start + len(batch), len(files))
    return skipped


def describe_skipped(skipped: Sequence[SkippedFile], root: str) -> list[str]:
    """Return a sentence for each skipped file; of many, for the first ones and for the rest."""
    texts = [
        f"{root}{spot.area}/{spot.class_name}/{spot.name} is skipped: {each.reason}"
        for each in skipped[:_NAMED]
        for spot in (each.spot,)
    ]
    if more := len(skipped) - len(texts):
        texts.append(f"{more:,} more files are skipped")
    return texts


def examine_file(path: Path, *, unpad: bool = False) -> InspectedImage | Refusal | None:
    """Decode a file; return `None` for one that is gone."""
    from harvest.images import (  # noqa: PLC0415 - decoders are slow to load, and rarely needed
        inspect_image,
        limit_large_decodes,
        memory_needed,
    )

    try:
        with disk.read_errors_named(path), disk.open_to_read(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE:
                return Refusal(Verdict.TOO_BIG, f"it has {size >> 20:,} MB; the limit is {MAX_FILE >> 20}")
            data = file.read()
    except FileNotFoundError:
        return None
    with limit_large_decodes(memory_needed(data)):
        return inspect_image(data, unpad=unpad)
