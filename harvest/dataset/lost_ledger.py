"""A ledger that was there and is gone: noticed before a new one is begun, and replaced as far as can be.

What a person rejected is known to the ledger alone, so a new one is begun only when a person says so. Two
things show that there was one: images with our file name and our mark in their Exif block, and a path at
which a dataset was seen before (`path_memory`).
"""

from __future__ import annotations

import itertools
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.dataset import path_memory
from harvest.dataset.ledger_and_lock import LEDGER
from harvest.errors import LedgerMissing
from harvest.files import disk
from harvest.files.paths import Area, FileKey
from harvest.ledger import provenance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.files.tree import Tree
    from harvest.ledger.database import Ledger
    from harvest.models import Hit

# What the journal names files: source and content. FastClass leaves the same mark, but no such name.
_OUR_NAME = re.compile(r"([a-z0-9]+)-[0-9a-f]{12,64}(?:-\d+)?\.jpe?g", re.ASCII)
_SAMPLE = 3  # files of a class that are read; to list folders of 100,000 files takes 0.4 s
_HEAD = 160 << 10  # bytes of a file that are read: a JPEG's Exif block ends within its first two segments
_BATCH = 500  # images a transaction
_UNKNOWN = "UNKNOWN"  # the provider of an image that a person renamed


def refuse_lost_ledger(root: Path) -> None:
    """Raise `LedgerMissing` if a dataset has no ledger and there are signs that it had one."""
    if os.path.lexists(root / LEDGER):
        return
    marked = next(_marked_files(root), None)
    if marked is not None and not os.path.lexists(root / LEDGER):  # not begun by another process meanwhile
        raise LedgerMissing(
            f"{root} has lost its ledger, {LEDGER}: harvest placed {marked.parent.name}/{marked.name}. "
            "Nothing was recorded, and nothing fetched.",
            f"Put {LEDGER} back from a backup. Without one, `harvest QUERIES.csv --new-ledger` begins a new "
            "ledger and reads the sources back from the files; images that you deleted may then come back.",
        )
    if marked is None and path_memory.seen_at(root) is not None:
        raise LedgerMissing(
            f"{root} held a dataset before, and its ledger, {LEDGER}, is gone. "
            "Nothing was recorded, and nothing fetched.",
            _where_it_may_be(root),
        )


def _where_it_may_be(root: Path) -> str:
    there = (other for other in path_memory.other_paths(root) if os.path.lexists(other / LEDGER))
    moved = next(there, None)
    question = f"Did you move it to {moved}? Name it with -o." if moved else "Is the drive attached?"
    return f"{question} If you deleted it: `harvest QUERIES.csv --new-ledger` begins a new one."


def _marked_files(root: Path) -> Iterator[Path]:
    """Find images that we placed, reading a few files of each class folder, the rejected ones included."""
    for shelf in (Area.TREE, Area.REJECTED):
        for folder in _list_folder(os.path.abspath(root) + shelf):  # noqa: PTH100 - keeps links
            if not folder.is_dir(follow_symlinks=False):
                continue
            ours = (file for file in _list_folder(folder) if _OUR_NAME.fullmatch(file.name))
            for file in itertools.islice(ours, _SAMPLE):
                if file.is_file(follow_symlinks=False) and _read_hit(Path(file.path)) is not None:
                    yield Path(file.path)


def _list_folder(folder: str | os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
    """List a folder as far as it is read: one that is not there, or cannot be read, shows nothing."""
    with suppress(OSError), os.scandir(folder) as entries:
        yield from entries


def read_provenance(ledger: Ledger, tree: Tree) -> int:
    """Read where images come from back from their files, and return of how many it is known now.

    Doing it again does no harm, so a run that was killed in the middle is completed by the same command.
    """
    found = 0
    images = provenance.list_without_source(ledger)
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH]
        paths = [tree.path(_spot(image)) for image in batch]
        hits = tree.map_threads(_read_hit, paths)
        with ledger.transaction():
            pairs = zip(batch, hits, strict=True)
            found += sum(provenance.attach(ledger, image, hit) for image, hit in pairs if hit is not None)
    return found


def _spot(image: provenance.Unsourced) -> FileKey:
    return FileKey(image.class_name, image.name, Area.REJECTED if image.shelved else Area.TREE)


def _read_hit(path: Path) -> Hit | None:
    from harvest.images import read_hit  # noqa: PLC0415 - decoders are slow to load, and rarely needed

    with suppress(FileNotFoundError), disk.read_errors_named(path), path.open("rb") as file:
        named = _OUR_NAME.fullmatch(path.name)
        return read_hit(file.read(_HEAD), named[1].upper() if named else _UNKNOWN)
    return None
