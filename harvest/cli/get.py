"""`harvest get`, the main command: download the images of a query file into class folders."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - Typer reads it at run time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harvest.cli import console
from harvest.cli.completion import complete_datasets, complete_sources
from harvest.cli.environment import TO_HARVEST, need_room
from harvest.cli.progress import HarvestProgress
from harvest.cli.save_pages import save_strange_pages
from harvest.cli.summary_table import print_summary
from harvest.licences import LicenceFilter
from harvest.models import Safe

if TYPE_CHECKING:
    from harvest.harvesting.summary import Summary

DAYS = ["%Y-%m-%d"]


def get(
    queries: Annotated[Path, typer.Argument(metavar="QUERIES.csv", help="Query file, one query per row.")],
    crawler: Annotated[
        list[str] | None,
        typer.Option(
            "-c",
            "--crawler",
            metavar="NAME",
            autocompletion=complete_sources,
            help="Source to search, in any case; repeatable. ALL: every usable source.  [default: ALL]",
        ),
    ] = None,
    maximum: Annotated[
        int | None,
        typer.Option(
            "-m", "--max", "--maxnum", min=1, metavar="N", help="Maximum hits per source and class.  [default: 1000]"
        ),
    ] = None,
    size: Annotated[
        int,
        typer.Option(
            "-s", "--size", min=0, max=20000, metavar="PX", help="Longest side in pixels; 0 keeps size and shape."
        ),
    ] = 299,
    no_pad: Annotated[
        bool,
        typer.Option("-p", "--no-pad", help="Keep the aspect ratio instead of padding to a white square."),
    ] = False,
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            "--outpath",
            metavar="FOLDER",
            autocompletion=complete_datasets,
            help="Dataset folder.",
        ),
    ] = Path("dataset"),
    keep: Annotated[bool, typer.Option("-k", "--keep", help="Also keep the original files, in FOLDER.raw.")] = False,
    target: Annotated[
        int | None,
        typer.Option("--target", min=1, metavar="N", help="Continue until each class has N images."),
    ] = None,
    license: Annotated[  # noqa: A002 - the name of the option
        LicenceFilter, typer.Option("--license", help="Keep only images known to have such a licence.")
    ] = LicenceFilter.ANY,
    min_size: Annotated[
        int, typer.Option("--min-size", min=1, metavar="PX", help="Minimum shorter side in pixels.")
    ] = 200,
    photos: Annotated[bool, typer.Option("--photos", help="Photographs only, no clip art.")] = False,
    color: Annotated[
        str | None,
        typer.Option("--color", metavar="NAME", help="Dominant colour, such as red or gray."),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--since", metavar="DAY", formats=DAYS, help="Only images from this day on, such as 2024-05-31."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", metavar="DAY", formats=DAYS, help="Only images up to this day."),
    ] = None,
    safe: Annotated[Safe, typer.Option("--safe", help="Safe search level.")] = Safe.STRICT,
    language: Annotated[
        str | None, typer.Option("--lang", metavar="CODE", help="Language of the results, such as en or de.")
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", metavar="CODE", help="Country of the results, such as US or DE.")
    ] = None,
    site: Annotated[
        str | None, typer.Option("--site", metavar="HOST", help="Only images from pages of this site.")
    ] = None,
    google_pages: Annotated[
        Path | None,
        typer.Option("--google-pages", metavar="FOLDER", help="Google Images pages saved in a browser."),
    ] = None,
    contact: Annotated[
        str | None,
        typer.Option("--contact", metavar="TEXT", help="Contact address sent to archives that require one."),
    ] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Repeat searches that are already finished.")] = False,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Search the sources; download and write nothing.")
    ] = False,
    accept_missing: Annotated[
        bool, typer.Option("--accept-missing", help="Record missing files as rejected, however many there are.")
    ] = False,
    new_ledger: Annotated[
        bool,
        typer.Option(
            "--new-ledger",
            help="Create a new ledger for a dataset that lost its own; read the sources from the images' EXIF.",
        ),
    ] = False,
    allow_private: Annotated[
        bool,
        typer.Option("--allow-private", help="Also fetch from private addresses, such as a local image server."),
    ] = False,
    ignore_opt_out: Annotated[
        bool,
        typer.Option("--ignore-opt-out", help="Also download images whose server sends X-Robots-Tag: noai or noindex."),
    ] = False,
    proxy: Annotated[
        str | None,
        typer.Option("--proxy", metavar="URL", help="Proxy for all requests; overrides HTTPS_PROXY."),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, max=256, metavar="N", help="Number of parallel downloads.")
    ] = 32,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Hide progress; show errors and the summary.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Log one line per hit.")] = False,
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="Write the log of every hit to FILE.")
    ] = None,
) -> None:
    """Harvest images for the queries in a file. Same as `harvest QUERIES.csv`."""
    need_room(TO_HARVEST)
    from harvest import harvest, read_queries
    from harvest import providers as registry

    console.set_up_log(log, verbose=verbose)
    rows = read_queries(queries, providers=registry.names(), warn=console.warn)
    with HarvestProgress(f"{queries} → {out}/", quiet=quiet or as_json) as progress:
        summary = harvest(
            rows,
            crawler or "ALL",
            out,
            limit=maximum,
            target=target,
            size=size,
            pad=not no_pad,
            min_size=min_size,
            keep_originals=keep,
            license=license,
            photos=photos,
            color=color,
            since=_day(since),
            until=_day(until),
            safe=safe,
            language=language,
            region=region,
            site=site,
            refresh=refresh,
            dry_run=dry_run,
            accept_missing=accept_missing,
            new_ledger=new_ledger,
            proxy=proxy,
            allow_private=allow_private,
            obey_opt_out=not ignore_opt_out,
            connections=jobs,
            google_pages=google_pages,
            contact=contact,
            progress=progress.show,
            say=progress.say,
        )
    print_result(summary, out, as_json=as_json)


def _day(when: datetime | None) -> str | None:
    return when.date().isoformat() if when else None


def print_result(summary: Summary, out: Path, *, as_json: bool) -> None:
    """Print the summary of a run, and exit with its exit code unless that is 0."""
    save_strange_pages(summary, out)
    if as_json:
        console.print_json(summary.as_json())
    elif summary.lines or summary.notes:
        print_summary(summary, out)
    if summary.exit_code:
        raise typer.Exit(summary.exit_code)
