"""Compute the fingerprints of files that a person added, so that no copy is downloaded from the web."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from harvest.counts_as_text import count
from harvest.files import disk
from harvest.files.ledger_names_to_paths import Area, FileKey
from harvest.files.place_and_list_files import MAX_FILE
from harvest.ledger import picture_updates
from harvest.models import Refusal
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harvest.files.place_and_list_files import Tick, Tree
    from harvest.images import InspectedImage
    from harvest.ledger.database import Ledger
    from harvest.ledger.picture_table import PictureRow, PictureTable

BATCH = 32  # files per transaction: an inspected file is not inspected again, also after a kill
_MAX_NAMED = 5  # skipped files that are named


class SkippedFile(NamedTuple):
    """A file that cannot be decoded: it is counted, not compared with others, and never changed."""

    spot: FileKey
    refusal: Refusal

    @property
    def reason(self) -> str:
        """The reason, for people."""
        if self.refusal.verdict is Verdict.INTERNAL_ERROR:
            return f"internal error of harvest, please report it with this file: {self.refusal.detail}"
        return self.refusal.detail or str(self.refusal.verdict)


def inspect_new_files(
    ledger: Ledger,
    pictures: PictureTable,
    tree: Tree,
    *,
    known: Mapping[str, InspectedImage | Refusal | None] = MappingProxyType({}),
    tick: Tick | None = None,
) -> list[SkippedFile]:
    """Compute the fingerprints of files that a person added or changed; return the files that cannot be decoded.

    `known` has the results of files that were inspected before, by content hash. A file that caused an internal error
    is not recorded as inspected: the next version may be able to read it.
    """
    files = pictures.list_uninspected()
    skipped: list[SkippedFile] = []
    for start in range(0, len(files), BATCH):
        batch = files[start : start + BATCH]
        keys = [file_of(held) for held in batch]
        new = [tree.path(spot) for held, spot in zip(batch, keys, strict=True) if held.content not in known]
        inspected = iter(tree.map_threads(inspect_file, new))
        results = [known[held.content] if held.content in known else next(inspected) for held in batch]
        skipped += [
            SkippedFile(spot, seen) for spot, seen in zip(keys, results, strict=True) if isinstance(seen, Refusal)
        ]
        with ledger.transaction():
            for held, seen in zip(batch, results, strict=True):
                if isinstance(seen, Refusal) and seen.verdict is Verdict.INTERNAL_ERROR:
                    continue
                if seen is None or isinstance(seen, Refusal):
                    picture_updates.record_inspection(ledger, held.id, None)
                    continue
                inspection = (seen.pixels, seen.width, seen.height, seen.format, seen.fingerprint.data)
                is_compared = held.state != "present"  # near-duplicates are pictures on disk
                picture_updates.record_inspection(ledger, held.id, inspection, compared=is_compared)
        if tick is not None:
            tick(start + len(batch), len(files))
    return skipped


def file_of(held: PictureRow) -> FileKey:
    """Return where the file of a picture is."""
    return FileKey(held.class_name, held.name, Area.REJECTED if held.shelved else Area.TREE)


def describe_skipped(skipped: Sequence[SkippedFile], root: str) -> list[str]:
    """Return a sentence for each skipped file; for many, the first ones and a count."""
    texts = [
        f"{root}{spot.area}/{spot.class_name}/{spot.name} is skipped: {each.reason}"
        for each in skipped[:_MAX_NAMED]
        for spot in (each.spot,)
    ]
    if more := len(skipped) - len(texts):
        texts.append(f"{count(more, 'more file is', 'more files are')} skipped")
    return texts


def inspect_file(path: Path, *, unpad: bool = False) -> InspectedImage | Refusal | None:
    """Decode a file and compute its fingerprint; return `None` if it is gone."""
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
