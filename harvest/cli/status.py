"""`harvest status`: the changes in the folders, the counts of each class, and what to check next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harvest.cli import console, open_dataset
from harvest.cli.find_named_pictures import DEFAULT
from harvest.cli.open_dataset import Folder, quote_path
from harvest.cli.print_conflicts_and_near_duplicates import (
    describe_mismatch,
    image_path,
    print_conflicts,
    print_near_duplicates,
    print_unreadable,
)
from harvest.cli.shortened_lists import (
    MOST,
    print_list,
    print_next,
    print_rest,
    shorten,
)
from harvest.cli.status_data import CHANGE_KINDS, StatusReport
from harvest.cli.summary_table import print_facts, print_table
from harvest.counts_as_text import count, count_images

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harvest.dataset import Change, Changes, KeepRate


ALL = "--all shows them"
# The columns after the class, shown where any count is not zero, and the legend of each.
COLUMNS = {
    "kept": ("kept", ""),
    "new": ("new", "by the last run"),
    "own": ("by hand", "your own files"),
    "unreadable": ("unreadable", "own files that cannot be decoded"),
    "moved": ("moved", "from another class"),
    "edited": ("edited", ""),
    "rejected": ("rejected", "never downloaded again unless restored"),
    "ai": ("AI", "made with AI, as their downloads stated"),
    "conflicts": ("conflicts", "also found for another class"),
    "suspects": ("suspects", "source mentions another class"),
}


def status(
    dataset: Folder = DEFAULT,
    show_all: Annotated[bool, typer.Option("--all", help="Show complete lists.")] = False,
    accept_missing: Annotated[
        bool, typer.Option("--accept-missing", help="Record missing files as rejected, however many there are.")
    ] = False,
    check_shards: Annotated[
        bool,
        typer.Option("--check-shards", help="Read all images in shards, and count damaged ones as missing."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
) -> None:
    """Show changes in the folders, counts of each class, and images to check."""
    with open_dataset.open_dataset(
        dataset, accept_missing=accept_missing, check_shards=check_shards, only_to_read=True
    ) as opened:
        report = StatusReport.collect(opened, dataset)
    if as_json:
        console.print_json(report.as_json())
    else:
        _print(report, None if show_all else MOST)
    if report.changes.missing_files:
        raise open_dataset.missing_files_error(dataset, report.changes, check_shards=check_shards)


def _print(report: StatusReport, most: int | None) -> None:
    _print_changes(report.changes, most)
    if report.changes.missing_files:
        return  # the counts in the ledger differ from the folders
    print()
    _print_classes(report.rows())
    if report.shards.images:
        files = count(report.shards.shards, "shard")
        print_facts([f"{count_images(report.shards.images)} in {files}"])
    print_conflicts(report.root, report.conflicts, most, more=ALL)
    print_near_duplicates(report.root, report.near_duplicates, most, more=ALL)
    _print_like_rejected(report, most)
    _print_suspects(report, most)
    print_unreadable(report.root, report.unreadable, most, more=ALL)
    _print_keep_rates(report.keep_rates, most)
    _print_next(report)


def _print_changes(changes: Changes, most: int | None) -> None:
    lines_by_kind = {kind: list(_describe_changes(changes, kind)) for kind in CHANGE_KINDS}
    if not changes.missing_files:
        print(f" changed on disk since the last command:{'' if any(lines_by_kind.values()) else ' nothing'}")
    elif any(lines_by_kind.values()):
        print(" seen on disk, but not recorded:")
    for lines in lines_by_kind.values():
        print_list(lines, most, more=ALL)
    for old, new in changes.renamed.items():
        print(console.one_line(f"   {'class renamed':<14}  {old} → {new}"))
        print(
            console.one_line(f"   {'':<14}  nothing is downloaded for it until the query file uses the name {new} too")
        )


def _describe_changes(changes: Changes, kind: str) -> Iterator[str]:
    each: Sequence[Change] = getattr(changes, kind)
    for change in each:
        way = f" → {change.to}" if change.to else ""
        yield console.one_line(f"{CHANGE_KINDS[kind]:<14}  {change.class_name}/{change.name}{way}")


def _print_classes(rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        print(" no class yet")
        return
    used = [name for name in COLUMNS if name == "kept" or any(row[name] for row in rows)]
    totals = [{name: sum(row[name] for row in rows) for name in used}] if len(rows) > 1 else []
    table = [["class", *(COLUMNS[name][0] for name in used)]]
    table += [
        [row.get("class", ""), *(f"{row[name]:,}" if row[name] else "–" for name in used)] for row in [*rows, *totals]
    ]
    print_table(table)
    print_facts([": ".join(COLUMNS[name]) for name in used if COLUMNS[name][1]])


def _print_like_rejected(report: StatusReport, most: int | None) -> None:
    if similar := report.like_rejected:
        print(f"\n like rejected: {count_images(len(similar))} that may be copies of an image you rejected")
        print_list(similar, most, more=ALL, describe=lambda each: image_path(report.root, each))


def _print_suspects(report: StatusReport, most: int | None) -> None:
    if report.suspects:
        print(f"\n suspects: {count_images(len(report.suspects))} whose source mentions another class")
        print_list(
            report.suspects,
            most,
            more=ALL,
            describe=lambda each: describe_mismatch(report.root, each, "may belong to"),
        )


def _print_keep_rates(rates: Sequence[KeepRate], most: int | None) -> None:
    if not rates:
        return
    print("\n images that you kept, by query and source")
    shown = rates[:most]
    table = [["class", "source", "query", "found", "placed", "kept", "rate"]]
    table += [
        [
            each.class_name,
            each.provider.lower(),
            shorten(each.query),
            *(f"{number:,}" for number in (each.found, each.placed, each.kept)),
            f"{each.kept / each.placed:.0%}" if each.placed else "–",
        ]
        for each in shown
    ]
    print_table(table, names=3)
    print_rest(len(rates) - len(shown), ALL)


def _print_next(report: StatusReport) -> None:
    name = quote_path(report.root)
    steps = []
    if report.conflicts or report.suspects or report.near_duplicates:
        steps.append((f"harvest why {name} FILE", "where an image comes from"))
    if rejected := sum(tally.rejected for tally in report.tallies):
        steps.append((f"harvest restore {name}", f"which of the {rejected:,} rejected images can be restored"))
    if any(tally.kept for tally in report.tallies):
        steps.append((f"harvest review {name}", "see every image, and reject the wrong ones: they never come back"))
    else:
        steps.append((f"harvest QUERIES.csv -o {name}", ""))
    print()
    print_next(steps)
