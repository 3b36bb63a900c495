"""Where each picture was dealt to, kept for the next run: in the ledger, and in splits.csv of every run."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING

from harvest.dataset import ReadOnlyDataset, save_split_in_ledger
from harvest.errors import StorageError
from harvest.files import disk
from harvest.files.names import escape_formula
from harvest.training.pictures.find_files import SplitPart
from harvest.training.run_directory import SPLITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from harvest.training.pictures.labelled_pictures import LabelledPictures
    from harvest.training.splits.split import Split, SplitRule

_LARGEST = 1 << 30  # bytes of a table of splits: five million images
_COLUMNS = ("path", "content", "label", "group", "part", "deal")


def save_split(
    album: LabelledPictures,
    split: Split,
    run: Path,
    *,
    beside: Path | None = None,
    say: Callable[[str], None],
) -> None:
    """Write down where the pictures are: with what was learned, and in the ledger where there is one.

    The next run looks beside the tree: a run elsewhere leaves a copy there.
    """
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(_COLUMNS)
    for example, group, part in zip(album.examples, split.groups, split.parts, strict=True):
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
        if beside and run.resolve().parent != beside.resolve():
            with disk.write_errors_named(beside):
                disk.make_folder(beside)
            disk.write_atomically(beside / SPLITS, text)
    except StorageError as error:
        say(f"the next run will not find this split by itself: {error.message}")
    if album.ledger_facts.trouble:
        return  # which has been said
    contents = (example.content for example in album.examples)
    try:
        save_split_in_ledger(album.root, str(split.rule), dict(zip(contents, map(str, split.parts), strict=True)))
    except StorageError as error:
        say(f"the split is remembered in {run / SPLITS} alone: {error.message}")


def load_split(album: LabelledPictures, *folders: Path, rule: SplitRule) -> Mapping[str, SplitPart]:
    """Return where pictures, by content, were dealt by this rule.

    The ledger knows best; what it does not know is looked up in the newest run in or at the folders.
    """
    known = _of_runs(folders, str(rule))
    if not album.ledger_facts.trouble:
        known |= _of_ledger(album.root, str(rule))
    return known


def load_training_contents(run: Path) -> frozenset[str]:
    """Return the pictures, by content, that an earlier run learned from; none where it is no run."""
    rows = _rows(run / SPLITS)
    return frozenset(row.get("content", "") for row in rows if row.get("part") == SplitPart.TRAIN)


def _of_ledger(root: Path, deal: str) -> dict[str, SplitPart]:
    try:
        consulted = ReadOnlyDataset.open(root)
        if consulted is None:
            return {}
        with consulted:
            return {content: SplitPart(part) for content, part in consulted.load_split(deal).items()}
    except StorageError:  # remembering it will fail too, and say so
        return {}


def _of_runs(folders: Iterable[Path], deal: str) -> dict[str, SplitPart]:
    """Read the newest split of this deal that can be read."""
    files = [path for folder in folders for path in (folder / SPLITS, *_within(folder))]
    for path in sorted(files, key=_age, reverse=True):
        try:
            known = {row["content"]: SplitPart(row["part"]) for row in _rows(path) if row.get("deal") == deal}
        except (KeyError, ValueError):  # not ours
            continue
        if known:
            return known
    return {}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a table of splits, as far as they can be read."""
    try:
        if not os.path.isfile(path) or path.stat().st_size > _LARGEST:  # noqa: PTH113 - pathlib raises on long names
            return
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            yield from csv.DictReader(file)
    except (OSError, csv.Error):
        return


def _within(folder: Path) -> Iterator[Path]:
    try:
        yield from (inside / SPLITS for inside in folder.iterdir())
    except OSError:
        return


def _age(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except OSError:
        return 0, path.name
