"""The dataset a command works on: opened, or told from what it might be instead."""

from __future__ import annotations

import os
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harvest.cli import console
from harvest.cli.completion import complete_datasets
from harvest.cli.locate_dataset import (
    SIBLING_SUFFIXES,
    as_typed,
    datasets_in,
    is_dataset,
)
from harvest.cli.status_report import CHANGE_KINDS
from harvest.errors import MissingFiles, ReadOnly, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.dataset import Changes, Dataset


Folder = Annotated[
    Path,
    typer.Argument(metavar="[DATASET]", autocompletion=complete_datasets, help="The folder of a dataset."),
]


@contextmanager
def open_dataset(root: Path, *, accept_missing: bool = False, only_to_read: bool = False) -> Iterator[Dataset]:
    """Open a dataset that is there, and name the damaged rows of its ledger at the end.

    A command that has `only_to_read` works on a copy of the ledger where the dataset cannot be written.
    """
    from harvest.dataset import Dataset

    check_dataset(root)
    try:
        dataset = Dataset.open(root, accept_missing=accept_missing, say=console.note)
    except ReadOnly:
        if not only_to_read:
            raise
        dataset = Dataset.open(root, accept_missing=accept_missing, read_only=True, say=console.note)
        console.note(console.one_line(f"{root} is read-only: nothing is recorded."))
    with dataset:
        for text in dataset.describe_skipped():
            console.warn(console.one_line(text))
        yield dataset
        if damage := dataset.damage():
            console.warn(damage)


def check_dataset(root: Path) -> None:
    """Raise unless a folder is a dataset, and guess which one was meant."""
    from harvest.dataset.lost_ledger import refuse_lost_ledger

    if is_dataset(root):
        return
    if root.is_dir() and _nearby_dataset(root) is None:
        refuse_lost_ledger(root)
    if not os.path.lexists(root):
        problem = f"there is no folder {root}."
    elif not root.is_dir():
        problem = f"{root} is no folder, and so no dataset."
    else:
        problem = f"{root} is no dataset: it has no harvest.db."
    raise UsageError(console.one_line(problem), _hint(root))


def _hint(root: Path) -> str:
    if (around := _nearby_dataset(root)) is not None:
        return f"You mean the dataset around it? {quote_path(around)}"
    there = datasets_in(root.parent)
    close = get_close_matches(root.name, there, cutoff=0.5) or (there if len(there) == 1 else [])
    if close:
        return f"Did you mean {quote_path(root.parent / close[0])}?"
    if there:
        more = ", …" if len(there) > 5 else ""  # noqa: PLR2004 - as many as a line takes
        return f"Datasets there: {', '.join(quote_path(root.parent / name) for name in there[:5])}{more}"
    return f"Name the folder of a dataset, or make one: harvest QUERIES.csv -o {quote_path(root)}"


def _nearby_dataset(root: Path) -> Path | None:
    """Find the dataset that a folder is a class of, or lies beside as its rejected pictures."""
    path = os.path.abspath(root)  # noqa: PTH100 - links lead to other siblings
    for folder in (path, *(os.fspath(parent) for parent in Path(path).parents[:2])):
        for shelf in SIBLING_SUFFIXES:
            home = folder.removesuffix(shelf)
            if folder.endswith(shelf) and is_dataset(home):
                return as_typed(home, root)
    return None


def unknown_picture_error(dataset: Dataset, root: Path, text: str) -> UsageError:
    """Say that a dataset knows nothing of a word, and guess what was meant."""
    if "://" in text:
        return UsageError(
            console.one_line(f"no search for {root} ever gave the address {text}."),
            "Addresses are known from the moment a source names them; each search ends at its -m.",
        )
    stem = text.rpartition("/")[2].partition(".")[0]
    close = [console.one_line(name) for name in dataset.similar_names(stem)] if stem else []
    close = close or [quote_path(name) for name in get_close_matches(text, datasets_in(os.curdir))]
    hint = f"Did you mean {' or '.join(close)}?" if close else "Name it by path, class/name, name or address."
    return UsageError(console.one_line(f"{root} knows no picture {text}."), hint)


def quote_path(path: str | os.PathLike[str]) -> str:
    """Write a path so that it can be copied into a shell."""
    from shlex import quote

    return quote(console.one_line(os.fspath(path)))


def missing_files_error(root: Path, changes: Changes) -> MissingFiles:
    """Say that too many files are gone to be believed, and how to say that they were deleted."""
    return MissingFiles(
        console.one_line(f"{changes.missing_files} from {root}. Nothing was recorded."),
        f"Is the drive attached? If you deleted them: harvest status {quote_path(root)} --accept-missing",
    )


def print_changes_note(dataset: Dataset, root: Path) -> None:
    """Say on stderr what was recorded on the way to an answer; `status` alone tells each."""
    changes = dataset.changes
    if changes.missing_files:
        console.warn(console.one_line(f"{changes.missing_files} from {root}. Nothing was recorded."))
        return
    counts = {name: by_class.total() for name, by_class in changes.counts().items()}
    if counts:
        words = ", ".join(f"{count:,} {CHANGE_KINDS[name]}" for name, count in counts.items())
        console.note(f"recorded what you did to the folders: {words}")
