"""Class folders on disk: what lies in them, and the only hand that places, moves or removes pictures."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import secrets
import stat
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from harvest import disk
from harvest.errors import CannotWrite
from harvest.names import component
from harvest.shelves import Shelf, Shelves, Spot, Stamp, composed, is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

T = TypeVar("T")

# What the loaders of class folders, ours included, take for pictures; anything else is none of our business.
SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in "jpg jpeg jpe jfif png webp gif bmp avif heic heif tif tiff ppm pgm".split()  # noqa: SIM905
)
_CLOUD = ".icloud"  # `.name.jpg.icloud` stands for a file that macOS keeps elsewhere
_PARTS = ".harvest-*.part"  # in the root of a shelf: a folder of their own would be taken for a class
_AT_ONCE = 8  # the disk joins the flushes of several files
_BATCH = 512  # no more futures than that at a time

File: TypeAlias = tuple[str, str, int, int]  # class, name, size, mtime_ns: plain, since there are 50,000


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies on a shelf: picture files, those a cloud keeps elsewhere, and the class folders."""

    files: set[File] = field(default_factory=set)
    away: set[tuple[str, str]] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)


class Tree:
    """The class folders of one dataset, and their siblings for rejected pictures and originals."""

    def __init__(self, root: Path) -> None:
        self._shelves = Shelves(root)
        token = secrets.token_hex(4)
        self._parts = (_PARTS.replace("*", f"{token}-{number}") for number in itertools.count())
        self._pool: ThreadPoolExecutor | None = None

    # What is there.

    def scan(self, shelf: Shelf = Shelf.TREE, classes: Collection[str] = ()) -> Scan:
        """List a shelf; a folder that differs only in case or accents from one of `classes` is that class."""
        found = Scan()
        for class_name, folder in self._shelves.classes(shelf, classes).items():
            with disk.reading(folder), suppress(FileNotFoundError):
                self._scan_class(Spot(class_name, "", shelf), folder, found)
                found.folders.add(class_name)
        return found

    def _scan_class(self, here: Spot, folder: Path, found: Scan) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name[0] == ".":
                    if name.endswith(_CLOUD):
                        found.away.add((here.class_name, composed(name[1 : -len(_CLOUD)])))
                    continue
                if name[name.rfind(".") :].lower() not in SUFFIXES:
                    continue
                try:
                    about = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # gone since the folder was listed
                if stat.S_ISREG(about.st_mode):
                    if not is_plain(name):
                        name = self._shelves.name(here, name)
                    found.files.add((here.class_name, name, about.st_size, about.st_mtime_ns))

    def path(self, spot: Spot) -> Path:
        """Return where a file lies, as the disk spells it."""
        return self._shelves.path(spot)

    def stamp(self, spot: Spot) -> Stamp | None:
        """Return a file's size and time, or `None` where there is no file."""
        path = self.path(spot)
        with disk.reading(path), suppress(FileNotFoundError):
            about = path.lstat()
            return Stamp(about.st_size, about.st_mtime_ns) if stat.S_ISREG(about.st_mode) else None
        return None

    def is_free(self, spot: Spot) -> bool:
        """Tell whether nothing at all lies at a spot."""
        return not os.path.lexists(self.path(spot))

    def digests(self, spots: Sequence[Spot]) -> list[str | None]:
        """Return the SHA-256 of files, `None` for one that is gone."""
        return self.each(self._digest, spots)

    def _digest(self, spot: Spot) -> str | None:
        path = self.path(spot)
        with disk.reading(path), suppress(FileNotFoundError), path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
        return None

    # What we do to it.

    def place(self, files: Sequence[tuple[Spot, bytes]]) -> None:
        """Put files in their places: all are flushed before one gets its name, then the names are flushed."""
        spots = [spot for spot, _ in files]
        self._make_folders(spots)
        parts = [self._part(spot.shelf) for spot in spots]
        with disk.named(self._shelves.roots[Shelf.TREE]):
            try:
                self.each(disk.write, parts, [data for _, data in files])
                for part, spot in zip(parts, spots, strict=True):
                    self._name(part, spot)
            except BaseException:
                _remove_quietly(parts)
                raise
        self.flush(spots)

    def _name(self, part: Path, spot: Spot) -> None:
        try:
            disk.replace(part, self.path(spot))
        except FileNotFoundError:  # a person deleted the class folder while we wrote
            self._make_folders([spot])
            disk.replace(part, self.path(spot))

    def move(self, source: Spot, target: Spot) -> None:
        """Move a file to a free spot; `flush` makes it last."""
        self._make_folders([target])
        old, new = self.path(source), self.path(target)
        with disk.named(new):
            try:
                disk.replace(old, new)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._carry(old, new, self._part(target.shelf))
        self._shelves.left(source)

    def _carry(self, old: Path, new: Path, part: Path) -> None:
        """Move between disks, which happens where the dataset is a mount point and its siblings are not."""
        try:
            disk.copy(old, part)
            disk.replace(part, new)
        except BaseException:
            _remove_quietly([part])
            raise
        disk.sync(new.parent)
        disk.remove(old)

    def remove(self, files: Iterable[tuple[Spot, str | None]]) -> None:
        """Remove files of ours, known by their SHA-256; `flush` makes it last.

        A file of other bytes stays, whatever a ledger claims of it: somebody else put it there.
        """
        for spot, content in files:
            if content is None or self._digest(spot) != content:
                continue
            path = self.path(spot)
            with disk.named(path):
                disk.remove(path)

    def flush(self, spots: Iterable[Spot]) -> None:
        """Return when the names at these spots would survive a power loss."""
        for folder in dict.fromkeys(self._shelves.folder(spot) for spot in spots):
            with disk.named(folder), suppress(FileNotFoundError):
                disk.sync(folder)

    def sweep(self) -> None:
        """Remove what a killed writer left half written; only while nobody else places pictures."""
        for root in self._shelves.roots.values():
            _remove_quietly(root.glob(_PARTS))

    def has_parts(self) -> bool:
        """Tell whether somebody is writing, or was killed while writing."""
        return any(any(root.glob(_PARTS)) for root in self._shelves.roots.values())

    def _part(self, shelf: Shelf) -> Path:
        return self._shelves.roots[shelf] / next(self._parts)

    def _make_folders(self, spots: Iterable[Spot]) -> None:
        for spot in dict.fromkeys(spot._replace(name="") for spot in spots):
            if not self._shelves.has(spot):
                try:
                    component(spot.class_name)
                except ValueError as why:
                    raise CannotWrite(f"cannot make a folder {spot.class_name!r}: {why}") from why
            folder = self._shelves.folder(spot)
            with disk.named(folder):
                if not folder.is_dir():
                    disk.make_folder(folder)
                    disk.sync(folder.parent)
                    self._shelves.made(spot)

    # Several at a time.

    def each(self, function: Callable[..., T], *columns: Sequence[Any]) -> list[T]:
        """Call a function that waits for the disk or leaves the interpreter, several calls at a time."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="disk")
        results: list[T] = []
        rows = list(zip(*columns, strict=True))
        for start in range(0, len(rows), _BATCH):
            futures = [self._pool.submit(function, *row) for row in rows[start : start + _BATCH]]
            wait(futures)  # all of them: a failure must not leave another still writing
            results += [future.result() for future in futures]
        return results

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


def _remove_quietly(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            disk.remove(path)
