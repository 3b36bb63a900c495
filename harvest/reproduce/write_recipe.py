"""Write the recipe of a dataset to a file, which appears when it is complete."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.dataset import Dataset
from harvest.dataset.ledger_and_lock import check_is_dataset
from harvest.errors import UsageError
from harvest.files import disk
from harvest.reproduce.collect_records import RecordCollector
from harvest.reproduce.format_records import FIRST_BYTES, format_end, format_record
from harvest.reproduce.recipe_records import RecipeImage, RecipeRecord, RecipeResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True)
class RecipeSummary:
    """What a written recipe contains; `left_out` are addresses that may not be published."""

    path: Path
    images: int
    rejected: int
    results: int
    unsourced: int  # images that nobody can download again
    left_out: int


def write_recipe(
    dataset: str | os.PathLike[str] = "dataset",
    out: str | os.PathLike[str] | None = None,
    *,
    say: Callable[[str], None] | None = None,
) -> RecipeSummary:
    """Write the recipe of a dataset, without changing the dataset, and return what it contains.

    Without `out` it is `DATASET.recipe.jsonl` beside the dataset. An existing file is replaced only if it
    is a recipe.
    """
    root = Path(dataset)
    path = Path(out) if out is not None else root.with_name(f"{root.resolve().name}.recipe.jsonl")
    check_is_dataset(root)
    _check_is_replaceable(path)
    with Dataset.open(root, read_only=True, say=say) as opened:
        collector = RecordCollector(opened.recipe_rows)
        counts = _Counts()
        _write_lines(path, counts.count(collector.collect()))
    return RecipeSummary(
        path, counts.images, counts.rejected, counts.results, counts.unsourced, left_out=collector.left_out
    )


def _check_is_replaceable(path: Path) -> None:
    """Raise `UsageError` for a folder, and for a file that is not a recipe, such as a query file or a ledger."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder, not a file.", "Name a file with -o.")
    if not os.path.lexists(path):
        return
    is_recipe = False
    if path.is_file():
        with disk.read_errors_named(path), path.open("rb") as file:
            is_recipe = file.read(len(FIRST_BYTES)) == FIRST_BYTES
    if not is_recipe:
        raise UsageError(f"{path} exists and is not a recipe. It was not changed.", "Name another file with -o.")


def _write_lines(path: Path, records: Iterable[RecipeRecord]) -> None:
    part = path.with_name(f".{path.name}-{os.getpid()}.part")
    with disk.write_errors_named(path):
        try:
            with part.open("xb") as file:
                lines = 1
                for lines, record in enumerate(records, 2):  # noqa: B007 - the number of the last line
                    file.write(format_record(record))
                file.write(format_end(lines))
                file.flush()
                os.fsync(file.fileno())
            disk.replace(part, path)
        except BaseException:
            with suppress(OSError):
                disk.remove(part)
            raise
        disk.sync_folder(path.parent)


@dataclass
class _Counts:
    """Counts records as they pass."""

    images: int = 0
    rejected: int = 0
    results: int = 0
    unsourced: int = 0

    def count(self, records: Iterable[RecipeRecord]) -> Iterable[RecipeRecord]:
        for record in records:
            if isinstance(record, RecipeResult):
                self.results += 1
            elif isinstance(record, RecipeImage):
                self.images += not record.is_rejected
                self.rejected += record.is_rejected
                self.unsourced += not record.is_rejected and record.result is None
            yield record
