"""`harvest export`: write a dataset in a format that other programs read, with its licences and sources."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harvest.cli import console, open_dataset
from harvest.cli.completion import complete_datasets
from harvest.cli.declared_options import as_keywords, with_options
from harvest.cli.shortened_lists import print_next
from harvest.cli.training_progress import TerminalProgress
from harvest.counts_as_text import count_images
from harvest.errors import UsageError
from harvest.export.export_formats import FORMATS
from harvest.export.export_options import ExportOptions

if TYPE_CHECKING:
    from harvest.export.export_dataset import ExportResult
    from harvest.export.push_to_hub import HubTarget


def _print_formats(wanted: bool) -> None:
    """Print the formats that `--to` takes, and end the program."""
    if wanted:
        width = max(map(len, FORMATS))
        for name, exporter in FORMATS.items():
            print(f" {name:{width}}  {exporter.title}")
        raise typer.Exit


@with_options(ExportOptions)
def export(
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", autocompletion=complete_datasets, help="Dataset folder.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New folder; nothing is overwritten.")],
    *,
    formats: Annotated[  # noqa: ARG001 - its callback has ended the program
        bool, typer.Option("--list", callback=_print_formats, is_eager=True, help="List the formats, and stop.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
    push: Annotated[
        str | None,
        typer.Option(
            "--push", metavar="REPO", help="Then upload it to the Hugging Face Hub, as the dataset OWNER/NAME."
        ),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="With --push: only you can see the repository.")] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="With --push: upload without asking.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show only warnings and the result.")] = False,
    **options: Any,
) -> None:
    """Export a dataset for other programs, with splits, licences and a dataset card.

    The splits are those of train.py: duplicates, and images of one page or photographer, are in one split.
    """
    open_dataset.check_dataset(dataset)
    from harvest.export.export_dataset import export_dataset

    progress = ExportProgress(quiet=quiet or as_json)
    target = _check_push(push, private=private, yes=yes, nd=options["nd"])
    result = export_dataset(dataset, out, **as_keywords(ExportOptions, options), say=progress.info, tick=progress.show)
    address = _push(result, target, yes=yes) if target else ""
    _print_result(result, out, address, as_json=as_json)
    open_dataset.refuse_success_of_damaged_shards(dataset, result.dataset.damaged)


def _check_push(repository: str | None, *, private: bool, yes: bool, nd: bool) -> HubTarget | None:
    """Return where to upload to, or raise `UsageError` for what would fail after the export."""
    from harvest.export.push_to_hub import HubTarget, check_target

    if repository is None:
        if private or yes:
            raise UsageError("--private and --yes are for --push.", "Add --push OWNER/NAME.")
        return None
    target = HubTarget(repository, private)
    check_target(target, nd=nd)
    if not yes and not sys.stdin.isatty():
        raise UsageError("--push asks before it uploads, and there is no terminal to ask on.", "Add --yes.")
    return target


def _push(result: ExportResult, target: HubTarget, *, yes: bool) -> str:
    """Show what becomes public, ask, and upload; return the address, or nothing if the answer is no."""
    from harvest.export.push_to_hub import describe_push, push_to_hub

    for line in describe_push(result, target):
        console.note(console.one_line(line))
    if not yes and not typer.confirm(f"Upload to {target.repository}?", err=True):
        console.note("nothing was uploaded")
        return ""
    return push_to_hub(result, target)


class ExportProgress(TerminalProgress):
    """Shows the messages of an export, and a bar for each of its steps."""

    def show(self, _step: str, done: int, total: int) -> None:
        """Show the progress of a step."""
        self.tick(done, total)


def _print_result(result: ExportResult, out: Path, address: str, *, as_json: bool) -> None:
    exported = result.dataset
    if as_json:
        console.print_json(
            {
                "out": str(out),
                "address": address,
                "format": result.options.to,
                "images": {split: len(exported.of_split(split)) for split in exported.splits},
                "classes": list(exported.classes),
                "licenses": dict(exported.count_licences()),
                "left_out": exported.facts.left_out,
                "groups_across_splits": exported.count_groups_across_splits(),
            }
        )
        return
    if address:
        print(console.one_line(f" {address}"))
    print(console.one_line(f" {out}: {count_images(len(exported.images))} in the format {result.options.to}"))
    if advice := result.options.exporter.advice:
        console.note(advice)
    print_next(
        [
            (result.options.exporter.reads.replace("OUT", console.one_line(out)), "load it"),
            (f"{open_dataset.quote_path(out / 'README.md')}", "read the card before you publish it"),
        ]
    )
