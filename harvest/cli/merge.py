"""`harvest merge`: two datasets into a new one."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from harvest.cli import console
from harvest.cli.completion import complete_datasets
from harvest.cli.open_dataset import check_dataset, quote_path
from harvest.cli.operating_system_errors import TO_HARVEST, need_room
from harvest.cli.shortened_lists import print_next
from harvest.cli.summary_table import print_table
from harvest.counts_as_text import count_images
from harvest.errors import DamagedShards

if TYPE_CHECKING:
    from harvest.reproduce.merge_datasets import MergeSummary


def merge(
    first: Annotated[Path, typer.Argument(metavar="DATASET", autocompletion=complete_datasets, help="Dataset folder.")],
    second: Annotated[
        Path, typer.Argument(metavar="DATASET", autocompletion=complete_datasets, help="Another dataset folder.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Folder of the new dataset.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Merge two datasets into a new one; the order of the two makes no difference.

    Duplicates and conflicts are decided as in a harvest. What was rejected in either is rejected in the new dataset.
    Sources, decisions and splits of both are kept. Neither dataset is changed.
    """
    need_room(TO_HARVEST)
    from harvest.reproduce.merge_datasets import merge_datasets

    for dataset in (first, second):
        check_dataset(dataset)
    summary = merge_datasets(first, second, out, say=console.note)
    if as_json:
        console.print_json({name: getattr(summary, name) for name in summary.__slots__})
    else:
        _print_summary(summary, out)
    if summary.damaged:
        raise DamagedShards(
            f"{count_images(summary.damaged)} left out: damaged in the shards that are named above.",
            "Bring the shards back from a backup, and merge into another folder.",
        )


def _print_summary(summary: MergeSummary, out: Path) -> None:
    print_table([["class", "images"], *([name, f"{count:,}"] for name, count in sorted(summary.classes.items()))])
    print()
    print(console.one_line(f" {out}: {count_images(sum(summary.classes.values()))}"))
    for count, what in (
        (summary.duplicates, "left out: duplicates"),
        (summary.rejected, "left out: rejected in one of the datasets"),
        (summary.conflicts, "in conflict: found for two classes"),
    ):
        if count:
            print(f" {count_images(count)} {what}")
    print()
    print_next([(f"harvest status {quote_path(out)}", "duplicates and conflicts of the new dataset")])
