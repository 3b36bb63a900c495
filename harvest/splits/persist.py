"""Save the part of each image for later runs: in the ledger, and in splits.csv of every run."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING

from harvest.dataset import ReadOnlyDataset, save_split_in_ledger
from harvest.errors import StorageError
from harvest.files import disk
from harvest.files.check_names_and_cells import escape_formula
from harvest.labelled_pictures.find_files import SplitPart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from harvest.labelled_pictures.load_pictures import LabelledPictures
    from harvest.splits.split_images import Split
    from harvest.splits.split_rule import SplitRule

SPLITS = "splits.csv"  # in the folder of each run
_LARGEST = 1 << 30  # bytes of a table of splits: five million images
_COLUMNS = ("path", "content", "label", "group", "part", "deal")


def save_split(
    pictures: LabelledPictures,
    split: Split,
    run: Path,
    *,
    copy_in: Path | None = None,
    say: Callable[[str], None],
) -> None:
    """Save the part of each image in the run directory, and in the ledger if there is one.

    The next run searches next to the tree: `copy_in` is that folder, where a run elsewhere saves a copy.
    """
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(_COLUMNS)
    for example, group, part in zip(pictures.examples, split.groups, split.parts, strict=True):
        row = (
            escape_formula(example.path),
            example.content,
            escape_formula(example.label),
            group,
            part,
            split.rule,
        )
        table.writerow(row)
    text = out.getvalue().encode("utf-8", "backslashreplace")
    disk.write_atomically(run / SPLITS, text)
    try:
        if copy_in and run.resolve().parent != copy_in.resolve():
            with disk.write_errors_named(copy_in):
                disk.make_folder(copy_in)
            disk.write_atomically(copy_in / SPLITS, text)
    except StorageError as error:
        say(f"the next run cannot find this split: {error.message}")
    if pictures.ledger_facts.trouble:
        return  # already reported
    contents = (example.content for example in pictures.examples)
    try:
        save_split_in_ledger(pictures.root, str(split.rule), dict(zip(contents, map(str, split.parts), strict=True)))
    except StorageError as error:
        say(f"the split is only saved in {run / SPLITS}: {error.message}")


def load_split(pictures: LabelledPictures, *folders: Path, rule: SplitRule) -> Mapping[str, SplitPart]:
    """Return the saved parts of images, by content, that were assigned by this rule.

    The ledger takes precedence over the newest run in the folders.
    """
    parts = _load_from_runs(folders, str(rule))
    if not pictures.ledger_facts.trouble:
        parts |= _load_from_ledger(pictures.root, str(rule))
    return parts


def load_training_contents(run: Path) -> frozenset[str]:
    """Return the contents of the images that a run was trained on; empty if the folder is not a run."""
    rows = _read_rows(run / SPLITS)
    return frozenset(row.get("content", "") for row in rows if row.get("part") == SplitPart.TRAIN)


def _load_from_ledger(root: Path, rule: str) -> dict[str, SplitPart]:
    try:
        ledger = ReadOnlyDataset.open(root)
        if ledger is None:
            return {}
        with ledger:
            return {content: SplitPart(part) for content, part in ledger.load_split(rule).items()}
    except StorageError:  # saving fails too, and reports it
        return {}


def _load_from_runs(folders: Iterable[Path], rule: str) -> dict[str, SplitPart]:
    """Return the newest readable split by this rule."""
    files = [path for folder in folders for path in (folder / SPLITS, *_split_files(folder))]
    for path in sorted(files, key=_modification_time, reverse=True):
        try:
            parts = {row["content"]: SplitPart(row["part"]) for row in _read_rows(path) if row.get("deal") == rule}
        except (KeyError, ValueError):  # of another program
            continue
        if parts:
            return parts
    return {}


def _read_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a splits.csv, as far as they can be read."""
    try:
        if not os.path.isfile(path) or path.stat().st_size > _LARGEST:  # noqa: PTH113 - pathlib raises on long names
            return
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            yield from csv.DictReader(file)
    except (OSError, csv.Error):
        return


def _split_files(folder: Path) -> Iterator[Path]:
    try:
        yield from (run / SPLITS for run in folder.iterdir())
    except OSError:
        return


def _modification_time(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except OSError:
        return 0, path.name
