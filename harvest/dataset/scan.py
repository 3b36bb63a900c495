"""Looks at the disk and lists what the ledger would not expect; reads only files that are new or changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from harvest.dataset.reconcile import Found
from harvest.files.paths import Shelf, Spot

if TYPE_CHECKING:
    from harvest.files.tree import File, Tick, Tree
    from harvest.ledger.picture_table import Held, Pictures

_LOOKS = 5  # at a disk that does not come to rest; what it says last is then believed


@dataclass(frozen=True, slots=True)
class Survey:
    """Pictures that are not in their places, files that are in none, and what is known of their contents."""

    held: list[Held] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    kin: list[Held] = field(default_factory=list)
    folders: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.held or self.found)


class _Look(NamedTuple):
    """One look at the disk: files that are not in their places, and files that are in none."""

    missing: set[File]
    extra: set[File]
    unshelved: set[File]
    shelved: set[File]
    away: set[tuple[str, str]]
    placing: list[Held]
    folders: set[str]

    @property
    def odd(self) -> tuple[set[File], ...]:
        """What a person's doing would have to explain."""
        return self[:4]


def survey(pictures: Pictures, tree: Tree, *, alone: bool, tick: Tick | None = None) -> Survey:
    """Compare ledger and disk; unless `alone`, what is being placed is another process's business."""
    look = _steady_look(pictures, tree, alone=alone)
    away = {name for _, name in look.away}  # in whatever folder: a file in the cloud cannot be read
    held = [
        *(row for row in pictures.at(look.missing) if row.name not in away),
        *pictures.at(look.unshelved, shelved=True),
        *look.placing,
    ]
    found = [*_read(tree, look.extra, Shelf.TREE, tick), *_read(tree, look.shelved, Shelf.REJECTED, tick)]
    contents = {row.content for row in held} | {file.content for file in found}
    ours = {row.id for row in held}
    kin = [row for row in pictures.with_content(contents) if row.id not in ours]
    return Survey(held, found, kin, frozenset(look.folders))


def _steady_look(pictures: Pictures, tree: Tree, *, alone: bool) -> _Look:
    """Look again at anything odd until it stays the same.

    Folders are listed one after the other: a file moved meanwhile is seen in both, or in neither.
    """
    look = _look(pictures, tree, alone=alone)
    for _ in range(_LOOKS):
        before, look = look, _look(pictures, tree, alone=alone) if any(look.odd) else look
        if look.odd == before.odd:
            break
    return look


def _look(pictures: Pictures, tree: Tree, *, alone: bool) -> _Look:
    # The ledger first: what it holds now is there before we look; what appears later was announced before.
    expected, shelved = pictures.files(), pictures.files(shelved=True)
    classes = pictures.classes()
    scan, shelf = tree.scan(Shelf.TREE, classes), tree.scan(Shelf.REJECTED, classes)
    extra = scan.files - expected
    placing = pictures.placing()
    if not alone:
        extra -= pictures.files() if extra else set()
        extra = _without(extra, placing)
        placing = []
    return _Look(
        expected - scan.files,
        extra,
        shelved - shelf.files,
        shelf.files - shelved,
        scan.away,
        placing,
        scan.folders,
    )


def _without(files: set[File], placing: list[Held]) -> set[File]:
    theirs = {(row.class_name, row.name) for row in placing}
    return {file for file in files if file[:2] not in theirs}


def _read(tree: Tree, files: set[File], shelf: Shelf, tick: Tick | None) -> list[Found]:
    """Hash files, in the order of their names so that the same disk is always told the same way."""
    ordered = sorted(files)
    spots = [Spot(class_name, name, shelf) for class_name, name, *_ in ordered]
    return [
        Found(spot, content, size, mtime_ns)
        for spot, content, (_, _, size, mtime_ns) in zip(
            spots, tree.digests(spots, tick), ordered, strict=True
        )
        if content is not None
    ]
