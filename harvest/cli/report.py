"""`harvest report`: one HTML page on how good a dataset is, and what to harvest next."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import Annotated

import typer

from harvest.cli import console, open_dataset
from harvest.cli.find_named_pictures import DEFAULT, from_here
from harvest.cli.open_dataset import Folder, quote_path
from harvest.cli.operating_system_errors import TO_HARVEST, need_room
from harvest.cli.shortened_lists import print_next


def report(
    dataset: Folder = DEFAULT,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="File to write.  [default: DATASET/report.html]")
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="Add the newest training run next to the dataset.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Random seed; chooses other images.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the path as one JSON document.")] = False,
) -> None:
    """Write one HTML page on how good a dataset is, and what to harvest next.

    The page needs no network, and has at most 5 MB. It shows a sample of the images with their credits.
    """
    need_room(TO_HARVEST)
    from harvest.dataset_report import write_report
    from harvest.dataset_report.training_run_results import read_newest_run

    with open_dataset.open_dataset(dataset, only_to_read=True) as opened:
        if opened.changes.missing_files:
            raise open_dataset.missing_files_error(dataset, opened.changes)
        found = read_newest_run(opened.root) if run else None
        if run and found is None:
            console.note(console.one_line(f"there is no training run next to {dataset}: the report has none."))
        path = from_here(write_report(opened, out, name=str(dataset), run=found, seed=seed))
        _print_result(path, as_json=as_json)


def _print_result(path: Path, *, as_json: bool) -> None:
    if as_json:
        console.print_json({"report": str(path)})
        return
    print(console.one_line(f" wrote {path}, {console.format_size(path.stat().st_size)}"))
    print_next([(f"open {quote_path(path)} in a browser", "")])
