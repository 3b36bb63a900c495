"""The paths of a dataset: from the names in the ledger to the spelling on the disk, and back.

Names are compared composed (NFC), and folders also without case, as on macOS and Windows. The disk keeps its own
spelling. Links are never followed, except that the dataset directory itself may be one.
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
from harvest.files.check_names_and_cells import escape, fold_name, objection

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path


class Area(StrEnum):
    """One of the folders that contain class folders; the value is the suffix of its name."""

    TREE = ""
    REJECTED = ".rejected"
    RAW = ".raw"


class FileKey(NamedTuple):
    """The area, class and name of a file, as the ledger spells them."""

    class_name: str
    name: str
    area: Area = Area.TREE


class FileStat(NamedTuple):
    """What changes when the content of a file changes."""

    size: int
    mtime_ns: int


class DatasetPaths:
    """Turns file keys into paths."""

    def __init__(self, root: Path) -> None:
        self.roots = {area: root.with_name(root.name + area) for area in Area}
        self._folders: dict[Area, dict[str, str]] = {}  # class -> the spelling of its folder on the disk
        self._spellings: dict[FileKey, str] = {}  # the few files with another spelling on the disk
        self._paths: dict[tuple[Area, str], Path] = {}  # of the folders in use: joining paths takes long

    def list_classes(self, area: Area, known: Collection[str] = ()) -> dict[str, Path]:
        """Return the class folders; a folder that differs from a known class only in case or accents is that class."""
        self._folders[area] = self._list_folders(area, known)
        return {name: self.roots[area] / real for name, real in self._folders[area].items()}

    def _list_folders(self, area: Area, known: Collection[str]) -> dict[str, str]:
        root = self.roots[area]
        if area is not Area.TREE:
            disk.refuse_link(root)
        with disk.read_errors_named(root), suppress(FileNotFoundError), os.scandir(root) as entries:
            real = [e.name for e in entries if e.is_dir(follow_symlinks=False) and e.name[0] != "."]
            return _match_folders(real, known)
        return {}

    def folder(self, spot: FileKey) -> Path:
        """Return the class folder of a key, which need not exist; raise `CannotWrite` for a link."""
        folder = self._locate(spot)
        if not self.has_folder(spot):  # a folder from the listing of the disk is not a link
            disk.refuse_link(folder)
        return folder

    def _locate(self, spot: FileKey) -> Path:
        real = self._known_folders(spot).get(spot.class_name) or _check_name(spot.class_name, "folder")
        key = (spot.area, real)
        if key not in self._paths:
            self._paths[key] = self.roots[spot.area] / real
        return self._paths[key]

    def has_folder(self, spot: FileKey) -> bool:
        """Return whether the class folder of a key was found on the disk, or made."""
        return spot.class_name in self._known_folders(spot)

    def _known_folders(self, spot: FileKey) -> dict[str, str]:
        """Return the spelling of the class folders of an area, with the class of the key as it is."""
        if spot.area not in self._folders:
            self._folders[spot.area] = self._list_folders(spot.area, (spot.class_name,))
        folders = self._folders[spot.area]
        if spot.class_name not in folders:
            folders.update(_match_folders(list(folders.values()), (spot.class_name,)))
        return folders

    def folders(self, spot: FileKey) -> list[Path]:
        """Return the folders above a file that must not be links."""
        roots = [] if spot.area is Area.TREE else [self.roots[spot.area]]
        return [*roots, self._locate(spot)]

    def add_folder(self, spot: FileKey) -> None:
        """Add a class folder that was just made."""
        self._folders[spot.area][spot.class_name] = spot.class_name

    def path(self, spot: FileKey) -> Path:
        """Return the path of a file; raise `StorageError` for a name that leads out of its folder."""
        return self.folder(spot) / (self._spellings.get(spot) or _check_name(spot.name, "file"))

    def ledger_name(self, here: FileKey, real: str) -> str:
        """Return the name in the ledger of a file on the disk, and remember its spelling."""
        name = normalize_name(escape(real))
        if name != real:
            self._spellings[here._replace(name=name)] = real
        return name

    def forget_spelling(self, spot: FileKey) -> None:
        """Forget the spelling of a file that is gone."""
        self._spellings.pop(spot, None)


def _check_name(name: str, what: str) -> str:
    """Return a name from the ledger if it names an entry directly in a folder of the dataset."""
    if reason := objection(name):
        hint = "Nothing there was read, moved or deleted. If the dataset is not your own, do not trust it."
        raise StorageError(
            f"the ledger contains the {what} name {name!r}, which leads out of the dataset: {reason}.", hint
        )
    return name


def normalize_name(name: str) -> str:
    r"""Return a name as the ledger stores it: composed, and valid text for any bytes on the disk.

    >>> normalize_name("Cafe\u0301"), normalize_name("caf\udce9.jpg")
    ('Café', 'caf\\xe9.jpg')
    """
    if name.isascii():
        return name
    return os.fsencode(unicodedata.normalize("NFC", name)).decode(errors="backslashreplace")


def is_plain(real: str) -> bool:
    """Return whether a file name is certainly the same in the ledger and on the disk."""
    return _PLAIN.fullmatch(real) is not None


_PLAIN = re.compile(r"(?!.:)[ -\[\]-~]+")  # ASCII without control characters, backslash and drive letters


def _match_folders(real: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Return the class of each folder: a known class that differs only in case or accents, else its own name."""
    folded = {fold_name(name): name for name in known}
    classes: dict[str, str] = {}
    for spelling in sorted(real, key=lambda spelling: (normalize_name(escape(spelling)) not in known, spelling)):
        name = normalize_name(escape(spelling))
        candidates = (name,) if name in known else (folded.get(fold_name(name), name), name)
        classes[next((each for each in candidates if each not in classes), spelling)] = spelling
    return classes
