"""Open the dataset that a command works on, and explain errors with a suggestion."""

from __future__ import annotations

import os
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harvest.cli import console
from harvest.cli.completion import complete_datasets
from harvest.cli.find_named_pictures import (
    SIBLING_SUFFIXES,
    as_typed,
    datasets_in,
    is_dataset,
)
from harvest.cli.status_data import CHANGE_KINDS
from harvest.errors import CannotWrite, DamagedShards, HarvestError, LinkNotFollowed, MissingFiles, ReadOnly, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.dataset import Changes, Dataset
    from harvest.files.damaged_shard_images import DamagedShardImages


Folder = Annotated[
    Path,
    typer.Argument(metavar="[DATASET]", autocompletion=complete_datasets, help="Dataset folder."),
]


@contextmanager
def open_dataset(
    root: Path, *, accept_missing: bool = False, check_shards: bool = False, only_to_read: bool = False
) -> Iterator[Dataset]:
    """Open an existing dataset, and report the damaged rows of its ledger and damaged images in shards at the end.

    With `only_to_read`, a dataset that cannot be written, because the disk is full for example, is read through a copy
    of its ledger.
    """
    from harvest.dataset import Dataset

    check_dataset(root)
    try:
        dataset = Dataset.open(root, accept_missing=accept_missing, check_shards=check_shards, say=console.note)
    except CannotWrite as error:
        if not only_to_read or isinstance(error, LinkNotFollowed):
            raise
        dataset = Dataset.open(
            root, accept_missing=accept_missing, check_shards=check_shards, read_only=True, say=console.note
        )
        reason = f"{root} is read-only" if isinstance(error, ReadOnly) else error.message
        console.note(console.one_line(f"{reason}: changes are not recorded."))
    with dataset:
        for text in dataset.describe_skipped():
            console.warn(console.one_line(text))
        yield dataset
        if damage := dataset.damage():
            console.warn(damage)
        refuse_success_of_damaged_shards(root, dataset.damaged_shard_images)


def refuse_success_of_damaged_shards(root: Path, damaged: DamagedShardImages) -> None:
    """Raise `DamagedShards` if a command left out images because of them."""
    if not damaged:
        return
    from harvest.dataset.compare_shards import how_to_repair

    sentences = "\n".join(console.one_line(each) for each in damaged.describe())
    raise DamagedShards(f"{sentences}\nThese images were left out.", console.one_line(how_to_repair(root)))


def check_dataset(root: Path) -> None:
    """Raise `UsageError` unless a folder is a dataset, and suggest the one that was meant."""
    from harvest.dataset.lost_ledger import refuse_lost_ledger

    if is_dataset(root):
        return
    if root.is_dir() and find_nearby_dataset(root) is None:
        refuse_lost_ledger(root)
    if not os.path.lexists(root):
        problem = f"there is no folder {root}."
    elif not root.is_dir():
        problem = f"{root} is not a folder, so not a dataset."
    else:
        problem = f"{root} is not a dataset: it has no harvest.db."
    raise UsageError(console.one_line(problem), _hint(root))


def _hint(root: Path) -> str:
    if (around := find_nearby_dataset(root)) is not None:
        return f"Did you mean the dataset that contains it? {quote_path(around)}"
    if has_class_folders(root):
        return f"Make a dataset of its class folders: harvest adopt {quote_path(root)}"
    there = datasets_in(root.parent)
    close = get_close_matches(root.name, there, cutoff=0.5) or (there if len(there) == 1 else [])
    if close:
        return f"Did you mean {quote_path(root.parent / close[0])}?"
    if there:
        more = ", …" if len(there) > 5 else ""  # noqa: PLR2004 - as many as fit on a line
        return f"Datasets there: {', '.join(quote_path(root.parent / name) for name in there[:5])}{more}"
    return f"Name a dataset folder, or create one: harvest QUERIES.csv -o {quote_path(root)}"


def name_get_command(dataset: Dataset, root: Path) -> str:
    """Return the command that harvests into a dataset again; of its query file only that of the demo is known."""
    from harvest.cli.demo import demo_queries

    asked = {(search.provider, search.class_name, search.text) for search in dataset.recipe_rows.searches()}
    is_demo = asked and asked <= {("SAMPLE", query.class_name, query.text) for query in demo_queries()}
    return f"harvest {'demo' if is_demo else 'QUERIES.csv'} -o {quote_path(root)}"


def has_class_folders(root: Path) -> bool:
    """Return whether a folder could become a dataset."""
    from harvest.dataset.survey_tree_to_adopt import survey_tree

    try:
        return bool(survey_tree(root).classes)
    except (HarvestError, OSError):
        return False


def find_nearby_dataset(root: Path) -> Path | None:
    """Return the dataset of a class folder, or of a sibling folder such as the rejected pictures."""
    path = os.path.abspath(root)  # noqa: PTH100 - resolving links would lead to other siblings
    for folder in (path, *(os.fspath(parent) for parent in Path(path).parents[:2])):
        for suffix in SIBLING_SUFFIXES:
            candidate = folder.removesuffix(suffix)
            if folder.endswith(suffix) and is_dataset(candidate):
                return as_typed(candidate, root)
    return None


def unknown_picture_error(dataset: Dataset, root: Path, text: str) -> UsageError:
    """Return the error for a name that a dataset does not know, with a suggestion."""
    if "://" in text:
        return UsageError(
            console.one_line(f"no search for {root} has returned the URL {text}."),
            "Only URLs that a source returned are known. Each search ends after -m hits.",
        )
    stem = text.rpartition("/")[2].partition(".")[0]
    close = [console.one_line(name) for name in dataset.similar_names(stem)] if stem else []
    close = close or [quote_path(name) for name in get_close_matches(text, datasets_in(os.curdir))]
    hint = f"Did you mean {' or '.join(close)}?" if close else "Name an image by path, class/name, name or URL."
    return UsageError(console.one_line(f"{root} has no image {text}."), hint)


def quote_path(path: str | os.PathLike[str]) -> str:
    """Quote a path for the shell."""
    from shlex import quote

    return quote(console.one_line(os.fspath(path)))


def missing_files_error(root: Path, changes: Changes, *, check_shards: bool = False) -> MissingFiles:
    """Return the error for too many missing files, with the option that confirms their deletion."""
    from harvest.dataset.compare_shards import how_to_repair

    command = f"harvest status {quote_path(root)} --accept-missing"
    hint = how_to_repair(root) if check_shards else f"Check that the drive is attached. If you deleted them: {command}"
    return MissingFiles(
        console.one_line(f"{root}: {changes.missing_files}. Nothing was recorded."), console.one_line(hint)
    )


def print_changes_note(dataset: Dataset, root: Path) -> None:
    """Print on stderr how many changes in the folders were recorded; `status` lists each."""
    changes = dataset.changes
    if changes.missing_files:
        console.warn(console.one_line(f"{root}: {changes.missing_files}. Nothing was recorded."))
        return
    counts = {name: by_class.total() for name, by_class in changes.counts().items()}
    if counts:
        words = ", ".join(f"{count:,} {CHANGE_KINDS[name]}" for name, count in counts.items())
        console.note(f"recorded changes in the folders: {words}")
