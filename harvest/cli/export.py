"""`harvest export`: write a dataset in a format that other programs read, with its licences and sources."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harvest.cli import console, open_dataset
from harvest.cli.completion import complete_datasets
from harvest.cli.declared_options import as_keywords, with_options
from harvest.cli.shortened_lists import count_images, print_next
from harvest.cli.training_progress import TerminalProgress
from harvest.export.export_options import ExportOptions

if TYPE_CHECKING:
    from harvest.export.export_dataset import ExportResult


@with_options(ExportOptions)
def export(
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", autocompletion=complete_datasets, help="Dataset folder.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New folder; nothing is overwritten.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show only warnings and the result.")] = False,
    **options: Any,
) -> None:
    """Export a dataset for other programs, with splits, licences and a dataset card.

    The splits are those of train.py: duplicates, and images of one page or photographer, are in one split.
    """
    open_dataset.check_dataset(dataset)
    from harvest.export.export_dataset import export_dataset

    progress = ExportProgress(quiet=quiet or as_json)
    result = export_dataset(dataset, out, **as_keywords(ExportOptions, options), say=progress.info, tick=progress.show)
    _print_result(result, out, as_json=as_json)


class ExportProgress(TerminalProgress):
    """Shows the messages of an export, and a bar for each of its steps."""

    def show(self, _step: str, done: int, total: int) -> None:
        """Show the progress of a step."""
        self.tick(done, total)


def _print_result(result: ExportResult, out: Path, *, as_json: bool) -> None:
    exported = result.dataset
    if as_json:
        console.print_json(
            {
                "out": str(out),
                "format": result.options.to,
                "images": {split: len(exported.of_split(split)) for split in exported.splits},
                "classes": list(exported.classes),
                "licenses": dict(exported.count_licences()),
                "left_out": exported.facts.left_out,
                "groups_across_splits": exported.count_groups_across_splits(),
            }
        )
        return
    print(console.one_line(f" {out}: {count_images(len(exported.images))} in the format {result.options.to}"))
    if advice := result.options.exporter.advice:
        console.note(advice)
    print_next(
        [
            (result.options.exporter.reads.replace("OUT", console.one_line(out)), "load it"),
            (f"{open_dataset.quote_path(out / 'README.md')}", "read the card before you publish it"),
        ]
    )
