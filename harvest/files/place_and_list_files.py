"""The class folders on disk: lists them, and is the only module that places, moves or removes pictures."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import secrets
import stat
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeVar

from harvest.errors import CannotWrite
from harvest.files import disk
from harvest.files.check_names_and_cells import check_component
from harvest.files.ledger_names_to_paths import (
    Area,
    DatasetPaths,
    FileKey,
    FileStat,
    is_plain,
    normalize_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from pathlib import Path

T = TypeVar("T")

# What loaders of class folders, ours included, accept as images; other files are ignored.
SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in "jpg jpeg jpe jfif png webp gif bmp avif heic heif tif tiff ppm pgm".split()  # noqa: SIM905
)
_CLOUD = ".icloud"  # `.name.jpg.icloud` is the placeholder of a file that macOS keeps in the cloud
_PARTS = ".harvest-*.part"  # in the root of an area: a folder of their own would count as a class
_AT_ONCE = 8  # the disk combines the flushes of several files
_BATCH = 512  # maximum number of futures at a time

MAX_FILE = 200 << 20  # bytes: no image of 50 megapixels has more; larger files are not read completely
_END = 1 << 20  # bytes at each end that identify a larger file

Tick: TypeAlias = "Callable[[int, int], None]"  # called with the number of files done, and of all

File: TypeAlias = tuple[str, str, int, int]  # class, name, size, mtime_ns: a plain tuple, as there are 50,000


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The content of an area: image files, those that are only in the cloud, and the class folders."""

    files: set[File] = field(default_factory=set)
    remote: set[tuple[str, str]] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)


class Tree:
    """The class folders of one dataset, and the areas for rejected pictures and originals."""

    def __init__(self, root: Path) -> None:
        self._paths = DatasetPaths(root)
        self.before_changing: Callable[[], None] = _allow  # raises an error where nothing may be changed any more
        token = secrets.token_hex(4)
        self._parts = (_PARTS.replace("*", f"{token}-{number}") for number in itertools.count())
        self._pool: ThreadPoolExecutor | None = None

    # Reading.

    def list_folders(self, area: Area, classes: Collection[str]) -> dict[str, Path]:
        """Return the folder of each class of an area; `classes` are as for `scan`."""
        return self._paths.list_classes(area, classes)

    def scan(
        self, area: Area = Area.TREE, classes: Collection[str] = (), only: Collection[str] | None = None
    ) -> ScanResult:
        """List an area, or `only` some of its classes.

        A folder that differs from one of `classes` only in case or accents is that class.
        """
        found = ScanResult()
        for class_name, folder in self.list_folders(area, classes).items():
            if only is not None and class_name not in only:
                continue
            with disk.read_errors_named(folder), suppress(FileNotFoundError):
                self._scan_class(FileKey(class_name, "", area), folder, found)
                found.folders.add(class_name)
        return found

    def _scan_class(self, here: FileKey, folder: Path, found: ScanResult) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name[0] == ".":
                    if name.endswith(_CLOUD):
                        found.remote.add((here.class_name, normalize_name(name[1 : -len(_CLOUD)])))
                    continue
                if name[name.rfind(".") :].lower() not in SUFFIXES:
                    continue
                try:
                    about = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # deleted since the folder was listed
                if stat.S_ISREG(about.st_mode):
                    if not is_plain(name):
                        name = self._paths.ledger_name(here, name)
                    found.files.add((here.class_name, name, about.st_size, about.st_mtime_ns))

    def path(self, spot: FileKey) -> Path:
        """Return the path of a file, as the disk spells it."""
        return self._paths.path(spot)

    def stat(self, spot: FileKey) -> FileStat | None:
        """Return the size and time of a file, or `None` if it is missing or its path contains a link."""
        if any(disk.is_link(folder) for folder in self._paths.folders(spot)):
            return None
        path = self.path(spot)
        with disk.read_errors_named(path), suppress(FileNotFoundError):
            about = path.lstat()
            return FileStat(about.st_size, about.st_mtime_ns) if stat.S_ISREG(about.st_mode) else None
        return None

    def refuse_linked_folder(self, class_name: str) -> None:
        """Raise `CannotWrite` if a link is in place of a class folder."""
        self._paths.folder(FileKey(class_name, ""))

    def is_free(self, spot: FileKey) -> bool:
        """Return whether nothing exists at the path of a file."""
        return not os.path.lexists(self.path(spot))

    def hash_files(self, keys: Sequence[FileKey], tick: Tick | None = None) -> list[str | None]:
        """Return the SHA-256 of files (of the ends of large ones), or `None` for a link or a missing file."""
        return self.map_threads(self._hash_file, keys, tick=tick)

    def _hash_file(self, spot: FileKey) -> str | None:
        if self.stat(spot) is None:
            return None
        path = self.path(spot)
        with disk.read_errors_named(path), suppress(FileNotFoundError), disk.open_to_read(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE:
                return _digest_of_ends(file, size)
            return hashlib.file_digest(file, "sha256").hexdigest()
        return None

    # Writing.

    def place(self, files: Sequence[tuple[FileKey, bytes]]) -> None:
        """Write files and rename them to their final names; a failure leaves no part files."""
        parts = self.write_parts(files)
        try:
            self.rename_parts(parts, [spot for spot, _ in files])
        except BaseException:
            _remove_quietly(parts)
            raise

    def write_parts(self, files: Sequence[tuple[FileKey, bytes]]) -> list[Path]:
        """Write files under temporary names, flush them, and return their paths; a failure leaves none."""
        keys = [spot for spot, _ in files]
        self._make_folders(keys)
        parts = [self._part_path(spot.area) for spot in keys]
        with disk.write_errors_named(self._paths.roots[Area.TREE]):
            try:
                self.map_threads(disk.write, parts, [data for _, data in files])
            except BaseException:
                _remove_quietly(parts)
                raise
        return parts

    def rename_parts(self, parts: Sequence[Path], keys: Sequence[FileKey]) -> None:
        """Rename part files to their final names, and flush the names; a failure leaves the other part files."""
        self.before_changing()
        with disk.write_errors_named(self._paths.roots[Area.TREE]):
            for part, spot in zip(parts, keys, strict=True):
                self._rename_part(part, spot)
        self.flush(keys)

    def _rename_part(self, part: Path, spot: FileKey) -> None:
        try:
            disk.replace(part, self.path(spot))
        except FileNotFoundError:  # a person deleted the class folder in the meantime
            self._make_folders([spot])
            disk.replace(part, self.path(spot))

    def move(self, source: FileKey, target: FileKey) -> None:
        """Move a file to a free path; call `flush` afterwards."""
        self._refuse_links(source)
        self._make_folders([target])
        old, new = self.path(source), self.path(target)
        with disk.write_errors_named(new):
            try:
                disk.replace(old, new)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._copy_across_disks(old, new, self._part_path(target.area))
        self._paths.forget_spelling(source)

    def _copy_across_disks(self, old: Path, new: Path, part: Path) -> None:
        """Move between disks: the dataset may be a mount point, and its sibling folders are not."""
        try:
            disk.copy(old, part)
            disk.replace(part, new)
        except BaseException:
            _remove_quietly([part])
            raise
        disk.sync_folder(new.parent)
        disk.remove(old)

    def remove(self, files: Iterable[tuple[FileKey, str | None]]) -> None:
        """Remove files that have the given SHA-256; call `flush` afterwards.

        A file with other content is not removed, whatever the ledger says: someone else put it there.
        """
        self.before_changing()
        for spot, content in files:
            self._refuse_links(spot)
            if content is None or self._hash_file(spot) != content:
                continue
            path = self.path(spot)
            with disk.write_errors_named(path):
                disk.remove(path)

    def flush(self, keys: Iterable[FileKey]) -> None:
        """Flush the names of files in their folders to the disk."""
        for folder in dict.fromkeys(self._paths.folder(spot) for spot in keys):
            with disk.write_errors_named(folder), suppress(FileNotFoundError):
                disk.sync_folder(folder)

    def remove_parts(self) -> None:
        """Remove the part files of a killed process; only while no other process places pictures."""
        _remove_quietly(self._parts_left())

    def has_parts(self) -> bool:
        """Return whether there are part files: a process is writing, or was killed."""
        return any(True for _ in self._parts_left())

    def _parts_left(self) -> Iterator[Path]:
        for area, root in self._paths.roots.items():
            if area is Area.TREE or not disk.is_link(root):
                yield from root.glob(_PARTS)

    def part_names(self) -> set[str]:
        """Return the names of the part files in the dataset folder."""
        return {part.name for part in self._paths.roots[Area.TREE].glob(_PARTS)}

    def _part_path(self, area: Area) -> Path:
        return self._paths.roots[area] / next(self._parts)

    def _make_folders(self, keys: Iterable[FileKey]) -> None:
        self.before_changing()
        for spot in dict.fromkeys(spot._replace(name="") for spot in keys):
            # A class folder of a person may have a name that harvest would not give: its rejected images need it too.
            if not self._paths.has_folder(spot) and not self._paths.has_folder(spot._replace(area=Area.TREE)):
                try:
                    check_component(spot.class_name)
                except ValueError as why:
                    raise CannotWrite(f"cannot make a folder {spot.class_name!r}: {why}") from why
            self._refuse_links(spot)
            folder = self._paths.folder(spot)
            with disk.write_errors_named(folder):
                if not folder.is_dir():
                    if spot.area is not Area.TREE:
                        disk.make_subfolder(folder.parent)
                    disk.make_subfolder(folder)
                    disk.sync_folder(folder.parent)
                    self._paths.add_folder(spot)

    def _refuse_links(self, spot: FileKey) -> None:
        for folder in self._paths.folders(spot):
            disk.refuse_link(folder)

    # Threads.

    def map_threads(self, function: Callable[..., T], *columns: Sequence[Any], tick: Tick | None = None) -> list[T]:
        """Call a function that waits for the disk or releases the GIL, several calls at a time."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="disk")
        results: list[T] = []
        rows = list(zip(*columns, strict=True))
        for start in range(0, len(rows), _BATCH):
            futures = [self._pool.submit(function, *row) for row in rows[start : start + _BATCH]]
            if tick is not None:
                for done, _ in enumerate(as_completed(futures), start + 1):
                    tick(done, len(rows))
            wait(futures)  # for all: after a failure, none may still be writing
            results += [future.result() for future in futures]
        return results

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


def _allow() -> None:
    """Allow every change."""


def _digest_of_ends(file: BinaryIO, size: int) -> str:
    """Return a SHA-256 over the size, the first and the last bytes of a file: 50 GB take minutes to read."""
    digest = hashlib.sha256(b"size, first and last bytes: %d\n" % size)
    digest.update(file.read(_END))
    file.seek(-_END, os.SEEK_END)
    digest.update(file.read(_END))
    return digest.hexdigest()


def _remove_quietly(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            disk.remove(path)
