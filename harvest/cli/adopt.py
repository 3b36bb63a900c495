"""`harvest adopt`: make a dataset of an existing tree of class folders."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from harvest.cli import console
from harvest.cli.open_dataset import find_nearby_dataset, quote_path
from harvest.cli.operating_system_errors import TO_HARVEST, need_room
from harvest.cli.print_conflicts_and_near_duplicates import print_conflicts, print_near_duplicates, print_unreadable
from harvest.cli.shortened_lists import MOST, print_next
from harvest.cli.summary_table import print_table
from harvest.counts_as_text import count_images
from harvest.errors import UsageError

if TYPE_CHECKING:
    from harvest.dataset import Dataset
    from harvest.dataset.adopt_tree import FastClassMarks


def adopt(
    tree: Annotated[Path, typer.Argument(metavar="TREE", help="Folder with one folder of images per class.")],
    new_ledger: Annotated[
        bool, typer.Option("--new-ledger", help="Also adopt a dataset that lost its ledger.")
    ] = False,
) -> None:
    """Make a dataset of an existing tree of class folders, without changing an image."""
    need_room(TO_HARVEST)
    from harvest.dataset.adopt_tree import adopt_tree, is_adopted, read_fastclass_marks
    from harvest.dataset.survey_tree_to_adopt import survey_tree

    _check_tree(tree)
    if is_adopted(tree):
        console.note(console.one_line(f"{tree} is a dataset already. Nothing was changed."))
        print_next([(f"harvest status {quote_path(tree)}", "")])
        return
    survey = survey_tree(tree)
    for text in survey.ignored:
        console.warn(console.one_line(f"{text}."))
    console.note(f"adopting {count_images(sum(survey.classes.values()))}; if interrupted, run the same command again.")
    with adopt_tree(tree, new_ledger=new_ledger, say=console.note) as dataset:
        marks = read_fastclass_marks(dataset, dataset.counts())
        _print(dataset, tree, marks)


def _check_tree(tree: Path) -> None:
    """Raise `UsageError` unless a folder can become a dataset."""
    if not os.path.lexists(tree):
        raise UsageError(console.one_line(f"there is no folder {tree}."), "Name a folder that contains class folders.")
    if not tree.is_dir():
        raise UsageError(console.one_line(f"{tree} is not a folder."), "Name the folder that contains class folders.")
    around = find_nearby_dataset(tree)
    if around is not None and not around.samefile(tree):
        raise UsageError(
            console.one_line(f"{tree} belongs to the dataset {around}. Nothing was changed."),
            f"See what it contains: harvest status {quote_path(around)}",
        )


def _print(dataset: Dataset, tree: Path, marks: FastClassMarks) -> None:
    counts = dataset.counts()
    print(console.one_line(f" adopted {tree}: {count_images(sum(counts.values()))}; none was changed"))
    print()
    print_table([["class", "images"], *([name, f"{count:,}"] for name, count in sorted(counts.items()))])
    print()
    print(f" sources: read for {count_images(dataset.provenance_read)}")
    if marks.ratings:
        print(f" ratings: read for {count_images(marks.ratings)} from the reports of fcc")
    if marks.deleted:
        print(f" marked as deleted by fcc: {count_images(marks.deleted)}, which you may delete")
    more = f"harvest status {quote_path(tree)} --all shows them"
    print_conflicts(tree, dataset.conflicts(), MOST, more=more)
    print_near_duplicates(tree, dataset.near_duplicates(), MOST, more=more)
    print_unreadable(tree, dataset.unreadable(), MOST, more=more)
    print()
    print_next([(f"harvest review {quote_path(tree)}", "see every image, and reject the wrong ones")])
