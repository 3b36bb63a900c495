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

from harvest import disk
from harvest.errors import CannotWrite, StorageError
from harvest.names import escape, fold, objection

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path


class Shelf(StrEnum):
    """Which of the dataset's folders of class folders; the value is what its name gains."""

    TREE = ""
    REJECTED = ".rejected"
    RAW = ".raw"


class Spot(NamedTuple):
    """A place for a file, in the ledger's names."""

    class_name: str
    name: str
    shelf: Shelf = Shelf.TREE


class Stamp(NamedTuple):
    """What changes when a file's content does."""

    size: int
    mtime_ns: int


class Shelves:
    """Turns spots into paths."""

    def __init__(self, root: Path) -> None:
        self.roots = {shelf: root.with_name(root.name + shelf) for shelf in Shelf}
        self._folders: dict[Shelf, dict[str, str]] = {}  # class -> how the disk spells its folder
        self._spellings: dict[Spot, str] = {}  # the few files that the disk spells in another way

    def classes(self, shelf: Shelf, known: Collection[str] = ()) -> dict[str, Path]:
        """List the class folders; one that is a known class but for case or accents is that class."""
        self._folders[shelf] = self._list(shelf, known)
        return {name: self.roots[shelf] / real for name, real in self._folders[shelf].items()}

    def _list(self, shelf: Shelf, known: Collection[str]) -> dict[str, str]:
        root = self.roots[shelf]
        if shelf is not Shelf.TREE:
            disk.refuse_link(root)
        with disk.reading(root), suppress(FileNotFoundError), os.scandir(root) as entries:
            real = [e.name for e in entries if e.is_dir(follow_symlinks=False) and e.name[0] != "."]
            return _matched(real, known)
        return {}

    def folder(self, spot: Spot) -> Path:
        """Return the class folder of a spot, which need not exist; a link raises `CannotWrite`."""
        root, real = self.roots[spot.shelf], self._seen(spot).get(spot.class_name)
        if real is not None:  # from the disk's own listing, which names no other folder and no link
            return root / real
        folder = root / _checked(spot.class_name, "folder")
        if folder.is_symlink():
            hint = "Nothing was changed. Put the folder itself there, or remove the link."
            raise CannotWrite(f"cannot use {folder}: it is a link, and links are not followed", hint)
        return folder

    def has(self, spot: Spot) -> bool:
        """Tell whether the class folder of a spot was seen on the disk, or made."""
        return spot.class_name in self._seen(spot)

    def _seen(self, spot: Spot) -> dict[str, str]:
        """Return how the disk spells the class folders of a shelf, that of the spot under its own name."""
        if spot.shelf not in self._folders:
            self._folders[spot.shelf] = self._list(spot.shelf, (spot.class_name,))
        folders = self._folders[spot.shelf]
        if spot.class_name not in folders:
            folders.update(_matched(list(folders.values()), (spot.class_name,)))
        return folders

    def folders(self, spot: Spot) -> list[Path]:
        """Return the folders above a spot that must not be links."""
        roots = [] if spot.shelf is Shelf.TREE else [self.roots[spot.shelf]]
        return [*roots, self.folder(spot)]

    def made(self, spot: Spot) -> None:
        """Remember a class folder that was just made."""
        self._folders[spot.shelf][spot.class_name] = spot.class_name

    def path(self, spot: Spot) -> Path:
        """Return where the file of a spot lies; a name that leads elsewhere raises `StorageError`."""
        return self.folder(spot) / (self._spellings.get(spot) or _checked(spot.name, "file"))

    def name(self, here: Spot, real: str) -> str:
        """Return the ledger's name of a file that the disk spells so, and remember the spelling."""
        name = composed(escape(real))
        if name != real:
            self._spellings[here._replace(name=name)] = real
        return name

    def left(self, spot: Spot) -> None:
        """Forget the spelling of a file that lies there no more."""
        self._spellings.pop(spot, None)


def _checked(name: str, what: str) -> str:
    """Return a name from the ledger if it names an entry directly in a folder of the dataset."""
    if reason := objection(name):
        hint = "Nothing was read, moved or deleted there. If the dataset is not your own, do not trust it."
        raise StorageError(
            f"the ledger names the {what} {name!r}, which is not one of the dataset: {reason}.", hint
        )
    return name


def composed(name: str) -> str:
    r"""Return a name as the ledger keeps it: composed, and text whatever bytes the disk has.

    >>> composed("Cafe\u0301"), composed("caf\udce9.jpg")
    ('Café', 'caf\\xe9.jpg')
    """
    if name.isascii():
        return name
    return os.fsencode(unicodedata.normalize("NFC", name)).decode(errors="backslashreplace")


def is_plain(real: str) -> bool:
    """Return whether the ledger keeps a file's name as the disk spells it, without a closer look."""
    return _PLAIN.fullmatch(real) is not None


_PLAIN = re.compile(r"(?!.:)[ -\[\]-~]+")  # ASCII without control characters, backslash and drive letters


def _matched(real: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Name each folder: as the known class it equals but for case or accents, else as it is, composed."""
    alike = {fold(name): name for name in known}
    classes: dict[str, str] = {}
    for spelling in sorted(real, key=lambda spelling: (composed(escape(spelling)) not in known, spelling)):
        name = composed(escape(spelling))
        wishes = (name,) if name in known else (alike.get(fold(name), name), name)
        classes[next((wish for wish in wishes if wish not in classes), spelling)] = spelling
    return classes
