"""Find the dataset and the pictures that command line arguments name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harvest.cli import console
from harvest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT = Path("dataset")
SIBLING_SUFFIXES = ("", ".rejected", ".raw")  # suffixes of a dataset and of its sibling folders
_PARTS = 3  # dataset/class/name


class PictureReference(NamedTuple):
    """A parsed argument: the dataset, if the argument contains one, and the rest as the ledger stores it."""

    root: Path | None
    text: str


def is_dataset(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder contains a ledger; False for anything that is not a folder."""
    from harvest.dataset.ledger_and_lock import LEDGER

    return os.path.isfile(os.path.join(folder, LEDGER))  # noqa: PTH113, PTH118 - pathlib raises on long names


def datasets_in(folder: str | os.PathLike[str]) -> list[str]:
    """Return the names of the datasets in a folder."""
    try:
        with os.scandir(os.fspath(folder) or os.curdir) as entries:
            return sorted(e.name for e in entries if e.name.isprintable() and is_dataset(e.path))
    except OSError:
        return []


def as_typed(path: str, like: str | os.PathLike[str]) -> Path:
    """Return a path in the style of `like`: absolute, or relative to the working directory."""
    return Path(path if Path(like).is_absolute() else os.path.relpath(path))


def from_here(path: Path) -> Path:
    """Return a path relative to the working directory if it lies below it, else unchanged."""
    try:
        return path.relative_to(Path.cwd())
    except (ValueError, OSError):  # the path is elsewhere, or the working directory is gone
        return path


def locate(word: str) -> PictureReference:
    """Parse an argument: a URL, the path of a picture, `class/name`, or a name."""
    from harvest.files.ledger_names_to_paths import normalize_name

    if "://" in word:
        return PictureReference(None, word)
    folder, name = os.path.split(os.path.abspath(word))  # noqa: PTH100
    above, class_name = os.path.split(folder)
    if is_dataset(folder):  # without the class, or the dataset is the working directory
        return PictureReference(as_typed(folder, word), normalize_name(name))
    for suffix in SIBLING_SUFFIXES:
        root = above.removesuffix(suffix)
        if above.endswith(suffix) and is_dataset(root):
            # An original has the picture's stem and its own suffix, and stays in the folder of its first class.
            text = f"{name.rpartition('.')[0]}.jpg" if suffix == ".raw" else f"{class_name}/{name}"
            return PictureReference(as_typed(root, word), normalize_name(text))
    if Path(word).is_absolute() or len(Path(word).parts) >= _PARTS:
        return PictureReference(as_typed(above, word), normalize_name(f"{class_name}/{name}"))
    return PictureReference(None, normalize_name(word.replace(os.sep, "/").removeprefix("./")))


def split_dataset_argument(words: Sequence[str]) -> tuple[Path, list[str]]:
    """Split arguments into the dataset, if the first names one, and the names in it."""
    named = Path(words[0]) if words and is_dataset(words[0]) else None
    references = [(word, locate(word)) for word in words[1 if named else 0 :]]
    root = next((root for root in (named, *(reference.root for _, reference in references)) if root), None)
    if root is None:
        # Without a default dataset, a bare word is most likely a misspelled dataset.
        is_misspelled = words and not is_dataset(DEFAULT) and Path(words[0]).name == words[0] and "." not in words[0]
        root = Path(words[0]) if is_misspelled else DEFAULT
    for word, reference in references:
        if reference.root and os.path.abspath(reference.root) != os.path.abspath(root):  # noqa: PTH100
            raise UsageError(console.one_line(f"{word} is not in {root}."), "Name images of one dataset at a time.")
    return root, [reference.text for _, reference in references]


def sibling_folder(root: Path, suffix: str) -> Path:
    """Return the sibling folder of a dataset with its rejected pictures or its originals."""
    named = root if root.name else Path(os.path.abspath(root))  # noqa: PTH100
    return named.with_name(named.name + suffix)
