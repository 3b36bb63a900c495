"""Detect that a dataset has lost its ledger, before a new one is created, and restore what can be restored.

Only the ledger knows what a person rejected, so a new one is created only if a person asks for it. Two signs show
that there was a ledger: images with our file names and our mark in their Exif data, and a path where a dataset was
seen before (`remember_dataset_paths`).
"""

from __future__ import annotations

import itertools
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.dataset import remember_dataset_paths
from harvest.dataset.fastclass_files import read_url_log
from harvest.dataset.ledger_and_lock import LEDGER
from harvest.errors import LedgerMissing
from harvest.files import disk
from harvest.files.ledger_names_to_paths import Area, FileKey
from harvest.ledger import sources_from_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.files.place_and_list_files import Tree
    from harvest.ledger.database import Ledger
    from harvest.models import Hit

# Our file names: source and content hash. FastClass writes the same mark, but other names.
_OUR_NAME = re.compile(r"([a-z0-9]+)-[0-9a-f]{12,64}(?:-\d+)?\.jpe?g", re.ASCII)
_SAMPLE = 3  # files per class that are read; listing folders of 100,000 files takes 0.4 s
_HEAD = 160 << 10  # bytes of a file that are read: the Exif block of a JPEG ends within its first two segments
_BATCH = 500  # images per transaction
_UNKNOWN = "UNKNOWN"  # the provider of an image that a person renamed


def refuse_lost_ledger(root: Path) -> None:
    """Raise `LedgerMissing` if a dataset has no ledger and there are signs that it had one."""
    if os.path.lexists(root / LEDGER):
        return
    marked = next(_marked_files(root), None)
    if marked is not None and not os.path.lexists(root / LEDGER):  # not created by another process in the meantime
        raise LedgerMissing(
            f"{root} has lost its ledger, {LEDGER}: harvest placed {marked.parent.name}/{marked.name}. "
            "Nothing was recorded or downloaded.",
            f"Restore {LEDGER} from a backup. Without one, the same command with --new-ledger creates a new "
            "ledger and reads the sources from the files; images that you deleted may then come back.",
        )
    if marked is None and remember_dataset_paths.seen_at(root) is not None:
        raise LedgerMissing(
            f"{root} contained a dataset before, and its ledger, {LEDGER}, is gone. "
            "Nothing was recorded or downloaded.",
            _describe_solutions(root),
        )


def _describe_solutions(root: Path) -> str:
    there = (other for other in remember_dataset_paths.other_paths(root) if os.path.lexists(other / LEDGER))
    moved = next(there, None)
    question = f"Did you move it to {moved}? Name it with -o." if moved else "Is the drive attached?"
    return f"{question} If you deleted it: the same command with --new-ledger creates a new one."


def _marked_files(root: Path) -> Iterator[Path]:
    """Yield images that we placed; a few files of each class folder are read, also of the rejected ones."""
    for area in (Area.TREE, Area.REJECTED):
        for folder in _list_folder(os.path.abspath(root) + area):  # noqa: PTH100 - keeps links
            if not folder.is_dir(follow_symlinks=False):
                continue
            ours = (file for file in _list_folder(folder) if _OUR_NAME.fullmatch(file.name))
            for file in itertools.islice(ours, _SAMPLE):
                if file.is_file(follow_symlinks=False) and _read_hit(Path(file.path)) is not None:
                    yield Path(file.path)


def _list_folder(folder: str | os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
    """List a folder lazily; a folder that is missing or unreadable is empty."""
    with suppress(OSError), os.scandir(folder) as entries:
        yield from entries


def read_provenance(ledger: Ledger, tree: Tree) -> int:
    """Read the sources of images from their files, and return the number of images whose source was found.

    What an image does not state itself is read from the `.log` file of FastClass. This can be repeated, so the same
    command completes a run that was killed.
    """
    found = 0
    logs: dict[Path, dict[str, Hit]] = {}
    images = sources_from_files.list_without_source(ledger)
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH]
        paths = [tree.path(_spot(image)) for image in batch]
        hits = tree.map_threads(_read_hit, paths)
        for path in paths:
            if path.parent not in logs:
                logs[path.parent] = read_url_log(path.parent, _UNKNOWN)
        hits = [hit or logs[path.parent].get(image.name) for image, path, hit in zip(batch, paths, hits, strict=True)]
        with ledger.transaction():
            pairs = zip(batch, hits, strict=True)
            found += sum(sources_from_files.attach(ledger, image, hit) for image, hit in pairs if hit is not None)
    return found


def _spot(image: sources_from_files.Unsourced) -> FileKey:
    return FileKey(image.class_name, image.name, Area.REJECTED if image.shelved else Area.TREE)


def _read_hit(path: Path) -> Hit | None:
    from harvest.images import read_hit  # noqa: PLC0415 - decoders are slow to load, and rarely needed

    with suppress(FileNotFoundError), disk.read_errors_named(path), path.open("rb") as file:
        named = _OUR_NAME.fullmatch(path.name)
        return read_hit(file.read(_HEAD), named[1].upper() if named else _UNKNOWN)
    return None
