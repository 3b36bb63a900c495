"""List the image files of a dataset folder with their class and their part; no file is opened.

A class is a folder, and an image is a file in it. The dataset folder itself may be a symbolic link. No link inside it
is followed, as in the rest of harvest: each is listed as skipped.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from harvest.errors import TrainingError
from harvest.files.place_and_list_files import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class SplitPart(StrEnum):
    """The part of the split an image is in: for training, for model selection or for the final evaluation."""

    TRAIN = "train"
    VALID = "valid"
    TEST = "test"


# Names of folders that contain the class folders of one part.
_NAMES = {
    "train": SplitPart.TRAIN,
    "valid": SplitPart.VALID,
    "val": SplitPart.VALID,
    "validation": SplitPart.VALID,
    "test": SplitPart.TEST,
}
# Files and folders that systems and programs create anywhere; hidden ones are ignored too.
_CLUTTER = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
    | {"__macosx", "__pycache__", "@eadir", "$recycle.bin", "system volume information", "lost+found"}
)
_LINK = "a symbolic link, which is not followed"


class Skipped(NamedTuple):
    """A file or folder that was skipped, and why."""

    path: str
    reason: str


class ImageFile(NamedTuple):
    """A file with the suffix of an image: its path, its class, and its part if a folder names one."""

    path: str
    label: str
    part: SplitPart | None


@dataclass(slots=True)
class FoundFiles:
    """The files and folders of a dataset folder, sorted by their names alone."""

    files: list[ImageFile] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)  # class folders, with and without images
    deeper: set[str] = field(default_factory=set)  # class folders that contain folders


def list_folders(root: Path) -> list[str]:
    """Return the names of the folders in a dataset folder; raise an error if it cannot be read."""
    try:
        return [entry.name for entry in _entries(root) if _is_folder(entry)]
    except OSError as error:
        reason = error.strerror or str(error)
        raise TrainingError(
            f"{root} cannot be read: {reason}.", "Pass a folder that contains one folder of images per class."
        ) from error


def find_files(root: Path) -> FoundFiles:
    """List the image files in class folders, or in one folder of class folders per part."""
    folders = list_folders(root)
    found = FoundFiles()
    parts = _parts(root, folders)
    found.skipped += [Skipped(entry.name, _LINK) for entry in _entries(root) if entry.is_symlink()]
    for name in folders:
        if not parts:
            _scan_folder(root, name, found, label=name, part=None)
        elif name in parts:
            with _skip_unreadable(name, found):
                for entry in _entries(root / name):
                    if entry.is_symlink():
                        found.skipped.append(Skipped(f"{name}/{entry.name}", _LINK))
                    elif _is_folder(entry):
                        _scan_folder(root, f"{name}/{entry.name}", found, label=entry.name, part=parts[name])
        else:
            found.skipped.append(Skipped(name, "not one of the folders for train, valid and test"))
    return found


def _scan_folder(root: Path, folder: str, found: FoundFiles, *, label: str, part: SplitPart | None) -> None:
    with _skip_unreadable(folder, found):
        found.folders.add(label)
        for entry in _entries(root / folder):
            path = f"{folder}/{entry.name}"
            suffix = _suffix(entry)
            if entry.is_symlink():
                found.skipped.append(Skipped(path, _LINK))
            elif _is_folder(entry):
                found.deeper.add(label)
            elif suffix not in SUFFIXES:
                found.skipped.append(Skipped(path, f"not the suffix of an image ({suffix or 'no suffix'})"))
            elif not _is_file(entry):
                found.skipped.append(Skipped(path, "not a regular file"))
            else:
                found.files.append(ImageFile(path, label, part))


def _parts(root: Path, folders: list[str]) -> dict[str, SplitPart]:
    """Return the folders of the parts; none if there is no `train` folder with class folders in it.

    A folder called "train" that contains images is a class.
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
    """List a folder, sorted by name, without hidden entries and those that systems create."""
    with os.scandir(folder) as entries:
        visible = [entry for entry in entries if entry.name[0] != "." and entry.name.lower() not in _CLUTTER]
    return sorted(visible, key=lambda entry: entry.name)


def _suffix(entry: os.DirEntry[str]) -> str:
    _, dot, suffix = entry.name.rpartition(".")
    return (dot + suffix).lower() if dot else ""


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _is_file(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False)


@contextmanager
def _skip_unreadable(folder: str, found: FoundFiles) -> Iterator[None]:
    """Add a folder that cannot be read within the block to the skipped ones."""
    try:
        yield
    except OSError as error:
        found.skipped.append(Skipped(folder, f"the folder cannot be read: {error.strerror or error}"))
