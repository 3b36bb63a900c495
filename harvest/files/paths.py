"""Where a picture's file may lie, and how the ledger's names and the disk's spelling of them meet.

Names are compared composed (NFC), and folders also without case, as macOS and Windows compare them. The disk
keeps its own spelling. Links are never followed, but for the dataset directory itself, which may be one.
"""

from __future__ import annotations

import os
import re
import unicodedata
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from harvest.errors import StorageError
from harvest.files import disk
from harvest.files.names import escape, fold_name, objection

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path


class Area(StrEnum):
    """Which of the dataset's folders of class folders; the value is what its name gains."""

    TREE = ""
    REJECTED = ".rejected"
    RAW = ".raw"


class FileKey(NamedTuple):
    """A place for a file, in the ledger's names."""

    class_name: str
    name: str
    area: Area = Area.TREE


class FileStat(NamedTuple):
    """What changes when a file's content does."""

    size: int
    mtime_ns: int


class DatasetPaths:
    """Turns spots into paths."""

    def __init__(self, root: Path) -> None:
        self.roots = {shelf: root.with_name(root.name + shelf) for shelf in Area}
        self._folders: dict[Area, dict[str, str]] = {}  # class -> how the disk spells its folder
        self._spellings: dict[FileKey, str] = {}  # the few files that the disk spells in another way

    def list_classes(self, shelf: Area, known: Collection[str] = ()) -> dict[str, Path]:
        """List the class folders; one that is a known class but for case or accents is that class."""
        self._folders[shelf] = self._list_folders(shelf, known)
        return {name: self.roots[shelf] / real for name, real in self._folders[shelf].items()}

    def _list_folders(self, shelf: Area, known: Collection[str]) -> dict[str, str]:
        root = self.roots[shelf]
        if shelf is not Area.TREE:
            disk.refuse_link(root)
        with disk.read_errors_named(root), suppress(FileNotFoundError), os.scandir(root) as entries:
            real = [e.name for e in entries if e.is_dir(follow_symlinks=False) and e.name[0] != "."]
            return _match_folders(real, known)
        return {}

    def folder(self, spot: FileKey) -> Path:
        """Return the class folder of a spot, which need not exist; a link raises `CannotWrite`."""
        folder = self._locate(spot)
        if not self.has_folder(spot):  # a folder from the listing of the disk is no link
            disk.refuse_link(folder)
        return folder

    def _locate(self, spot: FileKey) -> Path:
        real = self._known_folders(spot).get(spot.class_name)
        return self.roots[spot.area] / (real or _check_name(spot.class_name, "folder"))

    def has_folder(self, spot: FileKey) -> bool:
        """Tell whether the class folder of a spot was seen on the disk, or made."""
        return spot.class_name in self._known_folders(spot)

    def _known_folders(self, spot: FileKey) -> dict[str, str]:
        """Return how the disk spells the class folders of a shelf, that of the spot under its own name."""
        if spot.area not in self._folders:
            self._folders[spot.area] = self._list_folders(spot.area, (spot.class_name,))
        folders = self._folders[spot.area]
        if spot.class_name not in folders:
            folders.update(_match_folders(list(folders.values()), (spot.class_name,)))
        return folders

    def folders(self, spot: FileKey) -> list[Path]:
        """Return the folders above a spot that must not be links."""
        roots = [] if spot.area is Area.TREE else [self.roots[spot.area]]
        return [*roots, self._locate(spot)]

    def add_folder(self, spot: FileKey) -> None:
        """Remember a class folder that was just made."""
        self._folders[spot.area][spot.class_name] = spot.class_name

    def path(self, spot: FileKey) -> Path:
        """Return where the file of a spot lies; a name that leads elsewhere raises `StorageError`."""
        return self.folder(spot) / (self._spellings.get(spot) or _check_name(spot.name, "file"))

    def ledger_name(self, here: FileKey, real: str) -> str:
        """Return the ledger's name of a file that the disk spells so, and remember the spelling."""
        name = normalize_name(escape(real))
        if name != real:
            self._spellings[here._replace(name=name)] = real
        return name

    def forget_spelling(self, spot: FileKey) -> None:
        """Forget the spelling of a file that lies there no more."""
        self._spellings.pop(spot, None)


def _check_name(name: str, what: str) -> str:
    """Return a name from the ledger if it names an entry directly in a folder of the dataset."""
    if reason := objection(name):
        hint = "Nothing was read, moved or deleted there. If the dataset is not your own, do not trust it."
        raise StorageError(f"the ledger names the {what} {name!r}, which is not one of the dataset: {reason}.", hint)
    return name


def normalize_name(name: str) -> str:
    r"""Return a name as the ledger keeps it: composed, and text whatever bytes the disk has.

    >>> normalize_name("Cafe\u0301"), normalize_name("caf\udce9.jpg")
    ('Café', 'caf\\xe9.jpg')
    """
    if name.isascii():
        return name
    return os.fsencode(unicodedata.normalize("NFC", name)).decode(errors="backslashreplace")


def is_plain(real: str) -> bool:
    """Return whether the ledger keeps a file's name as the disk spells it, without a closer look."""
    return _PLAIN.fullmatch(real) is not None


_PLAIN = re.compile(r"(?!.:)[ -\[\]-~]+")  # ASCII without control characters, backslash and drive letters


def _match_folders(real: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Name each folder: as the known class it equals but for case or accents, else as it is, composed."""
    alike = {fold_name(name): name for name in known}
    classes: dict[str, str] = {}
    for spelling in sorted(real, key=lambda spelling: (normalize_name(escape(spelling)) not in known, spelling)):
        name = normalize_name(escape(spelling))
        wishes = (name,) if name in known else (alike.get(fold_name(name), name), name)
        classes[next((wish for wish in wishes if wish not in classes), spelling)] = spelling
    return classes
