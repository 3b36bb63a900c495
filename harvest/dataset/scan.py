"""Looks at the disk and lists what the ledger would not expect; reads only files that are new or changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from harvest.dataset.reconcile import UnexpectedFile
from harvest.files.paths import Area, FileKey

if TYPE_CHECKING:
    from harvest.files.tree import File, Tick, Tree
    from harvest.ledger.picture_table import PictureRow, PictureTable

_MAX_READS = 5  # at a disk that does not come to rest; what it says last is then believed


@dataclass(frozen=True, slots=True)
class ScanDifferences:
    """Pictures that are not in their places, files that are in none, and what is known of their contents."""

    held: list[PictureRow] = field(default_factory=list)
    found: list[UnexpectedFile] = field(default_factory=list)
    same_content: list[PictureRow] = field(default_factory=list)
    folders: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.held or self.found)


class _DiskState(NamedTuple):
    """One look at the disk: files that are not in their places, and files that are in none."""

    missing: set[File]
    extra: set[File]
    unshelved: set[File]
    shelved: set[File]
    away: set[tuple[str, str]]
    placing: list[PictureRow]
    folders: set[str]

    @property
    def has_differences(self) -> tuple[set[File], ...]:
        """What a person's doing would have to explain."""
        return self[:4]


def compare_with_disk(pictures: PictureTable, tree: Tree, *, alone: bool, tick: Tick | None = None) -> ScanDifferences:
    """Compare ledger and disk; unless `alone`, what is being placed is another process's business."""
    look = _stable_state(pictures, tree, alone=alone)
    away = {name for _, name in look.away}  # in whatever folder: a file in the cloud cannot be read
    held = [
        *(row for row in pictures.find_at(look.missing) if row.name not in away),
        *pictures.find_at(look.unshelved, shelved=True),
        *look.placing,
    ]
    found = [*_read(tree, look.extra, Area.TREE, tick), *_read(tree, look.shelved, Area.REJECTED, tick)]
    contents = {row.content for row in held} | {file.content for file in found}
    ours = {row.id for row in held}
    kin = [row for row in pictures.find_by_content(contents) if row.id not in ours]
    return ScanDifferences(held, found, kin, frozenset(look.folders))


def _stable_state(pictures: PictureTable, tree: Tree, *, alone: bool) -> _DiskState:
    """Look again at anything odd until it stays the same.

    Folders are listed one after the other: a file moved meanwhile is seen in both, or in neither.
    """
    look = _read_state(pictures, tree, alone=alone)
    for _ in range(_MAX_READS):
        before, look = look, _read_state(pictures, tree, alone=alone) if any(look.has_differences) else look
        if look.has_differences == before.has_differences:
            break
    return look


def _read_state(pictures: PictureTable, tree: Tree, *, alone: bool) -> _DiskState:
    # The ledger first: what it holds now is there before we look; what appears later was announced before.
    expected, shelved = pictures.list_files(), pictures.list_files(shelved=True)
    classes = pictures.list_classes()
    scan, shelf = tree.scan(Area.TREE, classes), tree.scan(Area.REJECTED, classes)
    extra = scan.files - expected
    placing = pictures.list_pending()
    if not alone:
        extra -= pictures.list_files() if extra else set()
        extra = _without(extra, placing)
        placing = []
    return _DiskState(
        expected - scan.files,
        extra,
        shelved - shelf.files,
        shelf.files - shelved,
        scan.remote,
        placing,
        scan.folders,
    )


def _without(files: set[File], placing: list[PictureRow]) -> set[File]:
    theirs = {(row.class_name, row.name) for row in placing}
    return {file for file in files if file[:2] not in theirs}


def _read(tree: Tree, files: set[File], shelf: Area, tick: Tick | None) -> list[UnexpectedFile]:
    """Hash files, in the order of their names so that the same disk is always told the same way."""
    ordered = sorted(files)
    spots = [FileKey(class_name, name, shelf) for class_name, name, *_ in ordered]
    return [
        UnexpectedFile(spot, content, size, mtime_ns)
        for spot, content, (_, _, size, mtime_ns) in zip(spots, tree.hash_files(spots, tick), ordered, strict=True)
        if content is not None
    ]
