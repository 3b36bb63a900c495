"""Write report.html of a dataset: whether it is good enough to train on, and what to harvest next.

assessment            the answers of the first screen, and the checks they are based on
suggest_next_steps    what to do next
shown_images          the images to show
report_thumbnails     their small copies
credit_lines          their credits
yield_tables          what each source, query and rank gave
training_run_results  the newest training run
report_page           the whole page, from dataset_page.html, dataset_sections.html, dataset_parts.html and dataset.css
"""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from harvest.dataset import Dataset
from harvest.dataset_report.report_page import MARK, render_report
from harvest.dataset_report.training_run_results import read_newest_run
from harvest.errors import MissingFiles, UsageError
from harvest.files import disk

if TYPE_CHECKING:
    from harvest.dataset_report.training_run_results import RunResults

NAME = "report.html"
_HEAD = 4096  # characters of a page that contain its mark


def report(
    dataset: str | os.PathLike[str] = "dataset",
    out: str | os.PathLike[str] | None = None,
    *,
    run: bool = False,
    seed: int = 0,
) -> Path:
    """Write the report of a dataset, by default to report.html in it, and return its path.

    With `run`, the newest training run next to the dataset is part of it, if there is one. Another `seed` chooses
    other images.
    """
    with Dataset.open(dataset) as opened:
        found = read_newest_run(opened.root) if run else None
        return write_report(opened, out, name=os.fspath(dataset), run=found, seed=seed)


def write_report(
    dataset: Dataset,
    out: str | os.PathLike[str] | None,
    *,
    name: str,
    run: RunResults | None = None,
    seed: int = 0,
) -> Path:
    """Write the report of an open dataset, whose path is `name` in the commands that it shows; return its path."""
    if dataset.changes.missing_files:
        raise MissingFiles(
            f"{dataset.root}: {dataset.changes.missing_files}. No report was written.",
            "Is the drive attached? If you deleted them: harvest status --accept-missing",
        )
    path = dataset.root / NAME if out is None else Path(out)
    _check_free(path)
    page = render_report(dataset, path.parent, name=quote(name), seed=seed, run=run)
    disk.write_atomically(path, page.encode())
    return path


def _check_free(path: Path) -> None:
    """Raise `UsageError` unless the report can be written: a file that is not a report is never replaced."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", f"Name a file: -o {path / NAME}")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}.", "Create it, or name another file with -o.")
    if not os.path.lexists(path):
        return
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            is_report = MARK in file.read(_HEAD)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.", "Name another file with -o.") from None
    if not is_report:
        raise UsageError(f"{path} exists and is not a report of harvest. It was not changed.", "Name another: -o FILE")
