"""Which dataset a command is about: the folder named, the one a picture's path lies in, or `dataset`."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from harvest.cli import console
from harvest.errors import MissingFiles, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harvest.dataset import Changes, Dataset

DEFAULT = Path("dataset")
_SHELVES = ("", ".rejected", ".raw")
_PARTS = 3  # dataset/class/name


class Place(NamedTuple):
    """What a word means: the dataset, where the word tells it, and the rest as the ledger knows it."""

    root: Path | None
    text: str


def is_dataset(folder: str | os.PathLike[str]) -> bool:
    """Tell whether a folder holds a ledger; whatever cannot be a folder does not."""
    from harvest.dataset.opening import LEDGER

    return os.path.isfile(os.path.join(folder, LEDGER))  # noqa: PTH113, PTH118 - pathlib raises on long names


def complete_datasets(incomplete: str) -> list[str]:
    """Complete the name of a dataset; the shell itself completes everything else."""
    folder, start = os.path.split(incomplete)
    return [os.path.join(folder, name) for name in _datasets_in(folder) if name.startswith(start)]  # noqa: PTH118


def complete_first(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a dataset where it may stand: before all else."""
    return [] if ctx.params.get("words") else complete_datasets(incomplete)


Folder = Annotated[
    Path,
    typer.Argument(metavar="[DATASET]", autocompletion=complete_datasets, help="The folder of a dataset."),
]


def open_dataset(root: Path, *, accept_missing: bool = False) -> Dataset:
    """Open a dataset that is there; one that is not is told from one that is spelled otherwise."""
    from harvest.dataset import Dataset

    check(root)
    return Dataset.open(root, accept_missing=accept_missing)


def check(root: Path) -> None:
    """Raise unless a folder is a dataset, and guess which one was meant."""
    if is_dataset(root):
        return
    if not os.path.lexists(root):
        problem = f"there is no folder {root}."
    elif not root.is_dir():
        problem = f"{root} is no folder, and so no dataset."
    else:
        problem = f"{root} is no dataset: it has no harvest.db."
    raise UsageError(console.line(problem), _hint(root))


def _hint(root: Path) -> str:
    if (around := _around(root)) is not None:
        return f"You mean the dataset around it? {shell(around)}"
    there = _datasets_in(root.parent)
    close = get_close_matches(root.name, there, cutoff=0.5) or (there if len(there) == 1 else [])
    if close:
        return f"Did you mean {shell(root.parent / close[0])}?"
    if there:
        more = ", …" if len(there) > 5 else ""  # noqa: PLR2004 - as many as a line takes
        return f"Datasets there: {', '.join(shell(root.parent / name) for name in there[:5])}{more}"
    return f"Name the folder of a dataset, or make one: harvest QUERIES.csv -o {shell(root)}"


def _around(root: Path) -> Path | None:
    """Find the dataset that a folder is a class of, or lies beside as its rejected pictures."""
    path = os.path.abspath(root)  # noqa: PTH100 - links lead to other siblings
    for folder in (path, *(os.fspath(parent) for parent in Path(path).parents[:2])):
        for shelf in _SHELVES:
            home = folder.removesuffix(shelf)
            if folder.endswith(shelf) and is_dataset(home):
                return _as_typed(home, root)
    return None


def _datasets_in(folder: str | os.PathLike[str]) -> list[str]:
    try:
        with os.scandir(os.fspath(folder) or os.curdir) as entries:
            return sorted(e.name for e in entries if e.name.isprintable() and is_dataset(e.path))
    except OSError:
        return []


def _as_typed(path: str, like: str | os.PathLike[str]) -> Path:
    return Path(path if Path(like).is_absolute() else os.path.relpath(path))


def locate(word: str) -> Place:
    """Tell what a word means: an address, a picture by its path in the shell, `class/name`, or a name."""
    from harvest.shelves import composed

    if "://" in word:
        return Place(None, word)
    folder, name = os.path.split(os.path.abspath(word))  # noqa: PTH100
    above, class_name = os.path.split(folder)
    if is_dataset(folder):  # the class left out, or we are in the dataset itself
        return Place(_as_typed(folder, word), composed(name))
    for shelf in _SHELVES:
        root = above.removesuffix(shelf)
        if above.endswith(shelf) and is_dataset(root):
            # An original has the picture's name and its own suffix, and stays where its class once was.
            text = f"{name.rpartition('.')[0]}.jpg" if shelf == ".raw" else f"{class_name}/{name}"
            return Place(_as_typed(root, word), composed(text))
    if Path(word).is_absolute() or len(Path(word).parts) >= _PARTS:
        return Place(_as_typed(above, word), composed(f"{class_name}/{name}"))
    return Place(None, composed(word.replace(os.sep, "/").removeprefix("./")))


def select(words: Sequence[str]) -> tuple[Path, list[str]]:
    """Part words into the dataset, if the first names one, and what is meant in it."""
    named = Path(words[0]) if words and is_dataset(words[0]) else None
    places = [(word, locate(word)) for word in words[1 if named else 0 :]]
    root = next((root for root in (named, *(place.root for _, place in places)) if root), DEFAULT)
    for word, place in places:
        if place.root and os.path.abspath(place.root) != os.path.abspath(root):  # noqa: PTH100
            raise UsageError(console.line(f"{word} is not in {root}."), "One dataset at a time.")
    return root, [place.text for _, place in places]


def shelf(root: Path, suffix: str) -> Path:
    """Name the sibling of a dataset that holds its rejected pictures or its originals."""
    named = root if root.name else Path(os.path.abspath(root))  # noqa: PTH100
    return named.with_name(named.name + suffix)


def shell(path: str | os.PathLike[str]) -> str:
    """Write a path so that it can be copied into a shell."""
    from shlex import quote

    return quote(console.line(os.fspath(path)))


def brake(root: Path, changes: Changes) -> MissingFiles:
    """Say that too many files are gone to be believed, and how to say that they were deleted."""
    return MissingFiles(
        console.line(f"{changes.brake} from {root}. Nothing was recorded."),
        f"Is the drive attached? If you deleted them: harvest status {shell(root)} --accept-missing",
    )


def tell(dataset: Dataset, root: Path) -> None:
    """Say on stderr what was recorded on the way to an answer; `status` alone tells each."""
    changes = dataset.changes
    if changes.brake:
        console.warn(console.line(f"{changes.brake} from {root}. Nothing was recorded."))
        return
    counts = {name: by_class.total() for name, by_class in changes.counts().items()}
    if counts:
        words = ", ".join(f"{count:,} {DOINGS[name]}" for name, count in counts.items())
        console.note(f"recorded what you did to the folders: {words}")


DOINGS = {
    "deleted": "deleted",
    "rejected": "thrown out",
    "moved": "moved",
    "edited": "edited",
    "restored": "restored",
    "added": "added by hand",
    "conflicts": "in two classes",
}
