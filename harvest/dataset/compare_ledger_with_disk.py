"""Scan the disk and list the differences from the ledger; only new or changed files are read."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from harvest.dataset.folder_change_kinds import UnexpectedFile
from harvest.files.ledger_names_to_paths import Area, FileKey

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from harvest.files.place_and_list_files import File, Tick, Tree
    from harvest.ledger.picture_table import PictureRow, PictureTable

_DELAY = 3.0  # seconds before the first message; most scans take less
_INTERVAL = 10.0  # seconds between two messages
_MAX_READS = 5  # scans of folders that keep changing; the last one counts


@dataclass(frozen=True, slots=True)
class ScanDifferences:
    """Pictures whose files are missing, unexpected files, and other pictures with the same contents."""

    held: list[PictureRow] = field(default_factory=list)
    found: list[UnexpectedFile] = field(default_factory=list)
    same_content: list[PictureRow] = field(default_factory=list)
    folders: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.held or self.found)


class _DiskState(NamedTuple):
    """The result of one scan: missing files and unexpected files."""

    missing: set[File]
    extra: set[File]
    unshelved: set[File]
    shelved: set[File]
    away: set[tuple[str, str]]
    placing: list[PictureRow]
    folders: set[str]

    @property
    def has_differences(self) -> tuple[set[File], ...]:
        """The differences that a person must have caused."""
        return self[:4]


def compare_with_disk(pictures: PictureTable, tree: Tree, *, alone: bool, tick: Tick | None = None) -> ScanDifferences:
    """Compare ledger and disk; unless `alone`, files that another process is placing are ignored.

    The order does not depend on the process: decisions are recorded in it, and a recipe lists them.
    """
    state = _stable_state(pictures, tree, alone=alone)
    away = {name for _, name in state.away}  # in any folder: a file in the cloud cannot be read
    held = [
        *(row for row in pictures.find_at(sorted(state.missing, key=_path)) if row.name not in away),
        *pictures.find_at(sorted(state.unshelved, key=_path), shelved=True),
        *state.placing,
    ]
    found = [*_read(tree, state.extra, Area.TREE, tick), *_read(tree, state.shelved, Area.REJECTED, tick)]
    contents = {row.content for row in held} | {file.content for file in found}
    ours = {row.id for row in held}
    same_content = [row for row in pictures.find_by_content(sorted(contents)) if row.id not in ours]
    return ScanDifferences(held, found, same_content, frozenset(state.folders))


def _path(file: File) -> tuple[str, str]:
    return file[:2]


def have_differences(pictures: PictureTable, tree: Tree, folders: Collection[str]) -> bool:
    """Return whether some folders, given by their paths, differ from the ledger by more than a running `get` causes.

    Only these folders are listed. A difference that lasts for a moment counts too: `compare_with_disk` looks again.
    """
    classes = pictures.list_classes()
    for area in (Area.TREE, Area.REJECTED):
        names = {name for name, path in tree.list_folders(area, classes).items() if str(path) in folders}
        if names and _folders_differ(pictures, tree, area, classes, names):
            return True
    return False


def _folders_differ(pictures: PictureTable, tree: Tree, area: Area, classes: Collection[str], names: set[str]) -> bool:
    shelved = area is Area.REJECTED
    expected = pictures.list_files(shelved=shelved, classes=names)  # the ledger first, as in `_read_state`
    found = tree.scan(area, classes, only=names).files
    extra = found - expected
    if extra and not shelved:
        extra = _without(extra, pictures.list_pending()) - pictures.list_files(classes=names)
    return bool(extra or expected - found)


def _stable_state(pictures: PictureTable, tree: Tree, *, alone: bool) -> _DiskState:
    """Scan until two scans with differences agree.

    Folders are listed one after the other: a file that is moved during a scan is seen in both, or in neither.
    """
    state = _read_state(pictures, tree, alone=alone)
    for _ in range(_MAX_READS):
        before = state
        if any(before.has_differences):
            state = _read_state(pictures, tree, alone=alone)
        if state.has_differences == before.has_differences:
            break
    return state


def _read_state(pictures: PictureTable, tree: Tree, *, alone: bool) -> _DiskState:
    # The ledger first: what it has now exists before the scan; what appears later was announced before.
    expected, shelved = pictures.list_files(), pictures.list_files(shelved=True)
    classes = pictures.list_classes()
    scan, rejected = tree.scan(Area.TREE, classes), tree.scan(Area.REJECTED, classes)
    extra = scan.files - expected
    placing = pictures.list_pending()
    if not alone:
        extra -= pictures.list_files() if extra else set()
        extra = _without(extra, placing)
        placing = []
    return _DiskState(
        expected - scan.files,
        extra,
        shelved - rejected.files,
        rejected.files - shelved,
        scan.remote,
        placing,
        scan.folders,
    )


def _without(files: set[File], placing: list[PictureRow]) -> set[File]:
    theirs = {(row.class_name, row.name) for row in placing}
    return {file for file in files if file[:2] not in theirs}


def _read(tree: Tree, files: set[File], area: Area, tick: Tick | None) -> list[UnexpectedFile]:
    """Hash files, in the order of their names, so that the result does not depend on the disk."""
    ordered = sorted(files)
    keys = [FileKey(class_name, name, area) for class_name, name, *_ in ordered]
    return [
        UnexpectedFile(spot, content, size, mtime_ns)
        for spot, content, (_, _, size, mtime_ns) in zip(keys, tree.hash_files(keys, tick), ordered, strict=True)
        if content is not None
    ]


class ScanProgress:
    """Reports the progress of a scan that takes long, at intervals."""

    def __init__(self, say: Callable[[str], None] | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._next = clock() + _DELAY

    def tick(self, task: str) -> Callable[[int, int], None]:
        """Return a function to call with the number of files done, and of all, after each file."""
        return partial(self._tick, task)

    def _tick(self, task: str, done: int, total: int) -> None:
        now = self._clock()
        if self._say is not None and now >= self._next:
            self._next = now + _INTERVAL
            self._say(f"{task}: {done:,} of {total:,}")
