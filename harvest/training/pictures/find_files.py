"""Which files of a tree stand for pictures, of which class, and in which part; nothing is opened yet.

A class is a folder, a picture a file in it. Links are followed, as every loader of class folders does; a loop
of them is harmless, since nobody looks deeper than that.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from harvest.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"})


class SplitPart(StrEnum):
    """What a picture is there for: to learn from, to choose by, to judge by."""

    TRAIN = "train"
    VALID = "valid"
    TEST = "test"


# How people call the folders that hold class folders of one part each.
_NAMES = {
    "train": SplitPart.TRAIN,
    "valid": SplitPart.VALID,
    "val": SplitPart.VALID,
    "validation": SplitPart.VALID,
    "test": SplitPart.TEST,
}
# What systems and programs leave in any folder; hidden files and folders are ignored anyway.
_CLUTTER = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
    | {"__macosx", "__pycache__", "@eadir", "$recycle.bin", "system volume information", "lost+found"}
)


class Skipped(NamedTuple):
    """A file or folder that was left out, and why."""

    path: str
    reason: str


class ImageFile(NamedTuple):
    """A file called like a picture: where, of which class, and in which part if its folder says so."""

    path: str
    label: str
    part: SplitPart | None


@dataclass(slots=True)
class FoundFiles:
    """What a tree holds, by its names."""

    files: list[ImageFile] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)  # class folders, with and without pictures
    deeper: set[str] = field(default_factory=set)  # those of them that hold folders


def find_files(root: Path) -> FoundFiles:
    """List what may be a picture in a tree of class folders, or of parts that hold class folders."""
    try:
        entries = _entries(root)
    except OSError as error:
        reason = error.strerror or str(error)
        raise TrainingError(
            f"{root} cannot be read: {reason}.", "Name a folder that holds one folder of pictures a class."
        ) from error
    folders = [entry.name for entry in entries if _is_folder(entry)]
    found = FoundFiles()
    parts = _parts(root, folders)
    for name in folders:
        if not parts:
            _scan_folder(root, name, found, label=name, part=None)
        elif name in parts:
            with _skip_unreadable(name, found):
                for entry in _entries(root / name):
                    if _is_folder(entry):
                        _scan_folder(root, f"{name}/{entry.name}", found, label=entry.name, part=parts[name])
        else:
            found.skipped.append(Skipped(name, "a folder beside those for train, valid and test"))
    return found


def _scan_folder(root: Path, folder: str, found: FoundFiles, *, label: str, part: SplitPart | None) -> None:
    with _skip_unreadable(folder, found):
        found.folders.add(label)
        for entry in _entries(root / folder):
            path = f"{folder}/{entry.name}"
            suffix = _suffix(entry)
            if _is_folder(entry):
                found.deeper.add(label)
            elif suffix not in SUFFIXES:
                found.skipped.append(Skipped(path, f"no picture by its name ({suffix or 'without a suffix'})"))
            elif not _is_file(entry):
                found.skipped.append(Skipped(path, "no regular file, or a link that leads nowhere"))
            else:
                found.files.append(ImageFile(path, label, part))


def _parts(root: Path, folders: list[str]) -> dict[str, SplitPart]:
    """Return the folders that hold one part each; none, where there is no `train` of class folders.

    A class may be called "train": then it holds pictures.
    """
    parts = {
        name: _NAMES[name.casefold()] for name in folders if name.casefold() in _NAMES and _holds_classes(root / name)
    }
    return parts if SplitPart.TRAIN in parts.values() else {}


def _holds_classes(folder: Path) -> bool:
    try:
        entries = _entries(folder)
    except OSError:
        return False
    pictures = (entry for entry in entries if _suffix(entry) in SUFFIXES)
    return any(map(_is_folder, entries)) and not any(map(_is_file, pictures))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """List a folder without what is hidden or left by systems, in the order of names."""
    with os.scandir(folder) as entries:
        seen = [entry for entry in entries if entry.name[0] != "." and entry.name.lower() not in _CLUTTER]
    return sorted(seen, key=lambda entry: entry.name)


def _suffix(entry: os.DirEntry[str]) -> str:
    _, point, suffix = entry.name.rpartition(".")
    return (point + suffix).lower() if point else ""


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


@contextmanager
def _skip_unreadable(folder: str, found: FoundFiles) -> Iterator[None]:
    """List a folder that cannot be read with the others that were left out."""
    try:
        yield
    except OSError as error:
        found.skipped.append(Skipped(folder, f"the folder cannot be read: {error.strerror or error}"))
