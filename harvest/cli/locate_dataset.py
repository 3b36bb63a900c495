"""Where things lie: which folder is a dataset, and what a word of a person means in one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harvest.cli import console
from harvest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT = Path("dataset")
SIBLING_SUFFIXES = ("", ".rejected", ".raw")  # what the names of a dataset and its siblings end with
_PARTS = 3  # dataset/class/name


class PictureReference(NamedTuple):
    """What a word means: the dataset, where the word tells it, and the rest as the ledger knows it."""

    root: Path | None
    text: str


def is_dataset(folder: str | os.PathLike[str]) -> bool:
    """Tell whether a folder holds a ledger; whatever cannot be a folder does not."""
    from harvest.dataset.open_ledger import LEDGER

    return os.path.isfile(os.path.join(folder, LEDGER))  # noqa: PTH113, PTH118 - pathlib raises on long names


def datasets_in(folder: str | os.PathLike[str]) -> list[str]:
    """Name the datasets in a folder."""
    try:
        with os.scandir(os.fspath(folder) or os.curdir) as entries:
            return sorted(e.name for e in entries if e.name.isprintable() and is_dataset(e.path))
    except OSError:
        return []


def as_typed(path: str, like: str | os.PathLike[str]) -> Path:
    """Write a path as a person would who wrote another so: from the root, or from here."""
    return Path(path if Path(like).is_absolute() else os.path.relpath(path))


def from_here(path: Path) -> Path:
    """Write a path as short as it can be typed: from here, where it lies below."""
    try:
        return path.relative_to(Path.cwd())
    except (ValueError, OSError):  # it lies elsewhere; or the folder we are in is gone
        return path


def locate(word: str) -> PictureReference:
    """Tell what a word means: an address, a picture by its path in the shell, `class/name`, or a name."""
    from harvest.files.paths import normalize_name

    if "://" in word:
        return PictureReference(None, word)
    folder, name = os.path.split(os.path.abspath(word))  # noqa: PTH100
    above, class_name = os.path.split(folder)
    if is_dataset(folder):  # the class left out, or we are in the dataset itself
        return PictureReference(as_typed(folder, word), normalize_name(name))
    for shelf in SIBLING_SUFFIXES:
        root = above.removesuffix(shelf)
        if above.endswith(shelf) and is_dataset(root):
            # An original has the picture's name and its own suffix, and stays where its class once was.
            text = f"{name.rpartition('.')[0]}.jpg" if shelf == ".raw" else f"{class_name}/{name}"
            return PictureReference(as_typed(root, word), normalize_name(text))
    if Path(word).is_absolute() or len(Path(word).parts) >= _PARTS:
        return PictureReference(as_typed(above, word), normalize_name(f"{class_name}/{name}"))
    return PictureReference(None, normalize_name(word.replace(os.sep, "/").removeprefix("./")))


def split_dataset_argument(words: Sequence[str]) -> tuple[Path, list[str]]:
    """Part words into the dataset, if the first names one, and what is meant in it."""
    named = Path(words[0]) if words and is_dataset(words[0]) else None
    places = [(word, locate(word)) for word in words[1 if named else 0 :]]
    root = next((root for root in (named, *(place.root for _, place in places)) if root), None)
    if root is None:
        # With no dataset in the usual place, a bare word is a dataset's name gone wrong.
        lost = words and not is_dataset(DEFAULT) and Path(words[0]).name == words[0] and "." not in words[0]
        root = Path(words[0]) if lost else DEFAULT
    for word, place in places:
        if place.root and os.path.abspath(place.root) != os.path.abspath(root):  # noqa: PTH100
            raise UsageError(console.one_line(f"{word} is not in {root}."), "One dataset at a time.")
    return root, [place.text for _, place in places]


def sibling_folder(root: Path, suffix: str) -> Path:
    """Name the sibling of a dataset that holds its rejected pictures or its originals."""
    named = root if root.name else Path(os.path.abspath(root))  # noqa: PTH100
    return named.with_name(named.name + suffix)
