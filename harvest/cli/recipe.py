"""`harvest recipe`: write a description of a dataset from which it can be built again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harvest.cli import console
from harvest.cli.open_dataset import Folder, check_dataset, quote_path
from harvest.cli.shortened_lists import print_next
from harvest.counts_as_text import count, count_images


def recipe(
    dataset: Folder = Path("dataset"),
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Recipe file.  [default: DATASET.recipe.jsonl]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Write a recipe: what is needed to download the same dataset again, without images.

    It contains the queries, every result in order, the hashes of images and downloads, the decisions and the splits.
    It can be published: it has no path of this machine, no key and no private address.
    """
    from harvest.reproduce.write_recipe import write_recipe

    check_dataset(dataset)
    summary = write_recipe(dataset, out, say=console.note)
    if as_json:
        console.print_json({name: getattr(summary, name) for name in summary.__slots__} | {"path": str(summary.path)})
        return
    print(console.one_line(f" {summary.path}: {count_images(summary.images)}, {count(summary.results, 'result')}"))
    if summary.rejected:
        print(f" {count_images(summary.rejected)} rejected")
    if summary.unsourced:
        print(f" {count_images(summary.unsourced)} without a public address: nobody can download them")
    if summary.left_out:
        print(f" {count(summary.left_out, 'result')} left out: private addresses, or with a key or a password")
    if summary.unsourced == summary.images:
        return  # nothing can be downloaded again
    print()
    print_next([(f"harvest replay {quote_path(summary.path)} -o FOLDER", "build the dataset again")])
