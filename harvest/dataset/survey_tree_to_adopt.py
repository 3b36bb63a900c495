"""List a tree of class folders before it becomes a dataset: no image is opened and nothing is changed."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from harvest.counts_as_text import count, count_images
from harvest.errors import UsageError
from harvest.files import disk
from harvest.files.check_names_and_cells import escape
from harvest.files.place_and_list_files import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_CLEAN = ".clean"  # suffix of the folder with the copies that FastClass's fcc made of a class
_MOST_NAMES = 3  # names in a message


@dataclass(frozen=True, slots=True)
class TreeSurvey:
    """The class folders with their number of images, and sentences about what is not part of the dataset."""

    classes: dict[str, int]
    ignored: tuple[str, ...]


class _Folder(NamedTuple):
    """The content of one folder: image files, subfolders, links and other files."""

    name: str
    images: int
    folders: list[os.DirEntry[str]]
    links: int
    others: int


def survey_tree(root: Path) -> TreeSurvey:
    """Return the class folders of a tree; raise `UsageError` if it has none, with the reason."""
    top = _list_folder(root)
    folders = [_list_folder(entry) for entry in top.folders]
    nested = [folder.name for folder in folders if any(_list_folder(entry).images for entry in folder.folders)]
    classes = {folder.name: folder.images for folder in folders if folder.images}
    if not classes:
        raise _no_classes_error(root, top.images, nested)
    _refuse_copies(root, classes)
    links = top.links + sum(folder.links for folder in folders)
    others = sum(folder.others for folder in folders if folder.images)
    return TreeSurvey(classes, tuple(_describe_ignored(top.images, nested, links, others)))


def _list_folder(folder: Path | os.DirEntry[str]) -> _Folder:
    images = links = others = 0
    folders = []
    with disk.read_errors_named(folder), os.scandir(folder) as entries:  # type: ignore[arg-type]
        for entry in entries:
            if entry.name.startswith("."):
                continue
            with suppress(FileNotFoundError):  # deleted since the folder was listed
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISLNK(mode):
                    links += 1
                elif stat.S_ISDIR(mode):
                    folders.append(entry)
                elif stat.S_ISREG(mode):
                    is_image = entry.name[entry.name.rfind(".") :].lower() in SUFFIXES
                    images += is_image
                    others += not is_image
    return _Folder(escape(folder.name), images, sorted(folders, key=lambda entry: entry.name), links, others)


def _no_classes_error(root: Path, images: int, nested: Collection[str]) -> UsageError:
    if nested:
        first = min(nested, key=lambda name: (name != "train", name))
        return UsageError(
            f"{root} has no class folders: {_join_names(nested)} contain folders of images. Nothing was changed.",
            f"A dataset has one level of folders. Adopt one of them: harvest adopt {root / first}",
        )
    if images:
        return UsageError(
            f"{root} has {count_images(images)} and no class folders. Nothing was changed.",
            "Move each image into a folder with the name of its class.",
        )
    return UsageError(
        f"{root} has no images in class folders. Nothing was changed.",
        "Name a folder with one subfolder of images, such as .jpg or .png, for each class.",
    )


def _refuse_copies(root: Path, classes: Collection[str]) -> None:
    """Raise `UsageError` for a folder of fcc next to the class whose images it copies: each would be in two classes."""
    for name in classes:
        if name.endswith(_CLEAN) and name.removesuffix(_CLEAN) in classes:
            original = name.removesuffix(_CLEAN)
            raise UsageError(
                f"{root / name} has the copies that fcc made of {original}. Nothing was changed.",
                f"Move {name} or {original} out of {root}, and rename the other to {original}.",
            )


def _describe_ignored(images: int, nested: Collection[str], links: int, others: int) -> Iterator[str]:
    if images:
        yield f"{count(images, 'image outside the class folders is', 'images outside the class folders are')} ignored"
    if nested:
        yield f"subfolders of {_join_names(nested)} are ignored: a dataset has one level of folders"
    if links:
        yield f"{count(links, 'symbolic link is', 'symbolic links are')} ignored"
    if others:
        are = "is" if others == 1 else "are"
        yield f"{count(others, 'file')} in the class folders without a suffix of images, such as .jpg, {are} ignored"


def _join_names(names: Collection[str]) -> str:
    shown = sorted(names)[:_MOST_NAMES]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")
