"""`harvest get`, the main command: download the images of a query file into class folders."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harvest.cli import console
from harvest.cli.completion import complete_datasets, complete_sources
from harvest.cli.declared_options import as_keywords, with_options
from harvest.cli.operating_system_errors import TO_HARVEST, need_room
from harvest.cli.progress import HarvestProgress
from harvest.cli.save_pages_for_bug_reports import save_strange_pages
from harvest.cli.summary_table import print_summary
from harvest.options import RunOptions

if TYPE_CHECKING:
    from harvest.harvesting.summary import Summary


@with_options(RunOptions, completion={"providers": complete_sources, "out": complete_datasets})
def get(
    queries: Annotated[Path, typer.Argument(metavar="QUERIES.csv", help="Query file, one query per row.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Hide progress; show errors and the summary.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Log one line per hit.")] = False,
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="Write the log of every hit to FILE.")
    ] = None,
    **options: Any,
) -> None:
    """Harvest images for the queries in a file. Same as `harvest QUERIES.csv`."""
    need_room(TO_HARVEST)
    from harvest import harvest, read_queries
    from harvest import providers as registry

    console.set_up_log(log, verbose=verbose)
    rows = read_queries(queries, providers=registry.names(), warn=console.warn)
    out = options["out"]
    with HarvestProgress(f"{queries} → {out}/", quiet=quiet or as_json) as progress:
        summary = harvest(rows, **as_keywords(RunOptions, options), progress=progress.show, say=progress.say)
    print_result(summary, out, as_json=as_json)


def print_result(summary: Summary, out: Path, *, as_json: bool) -> None:
    """Print the summary of a run, and exit with its exit code unless that is 0."""
    save_strange_pages(summary, out)
    if as_json:
        console.print_json(summary.as_json())
    elif summary.lines or summary.notes:
        print_summary(summary, out)
    if summary.exit_code:
        raise typer.Exit(summary.exit_code)
