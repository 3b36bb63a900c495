"""`harvest demo`: the whole way of a picture with no key and no Internet."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from harvest.cli.get import harvest_and_report


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="The dataset.")] = Path("demo"),
    maximum: Annotated[int, typer.Option("-m", "--max", min=1, metavar="N", help="Hits per class.")] = 120,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")] = False,
) -> None:
    """Harvest a small set of drawn shapes: no key, no Internet.

    A server on this machine serves drawings, and among them what the web is full of: the same picture twice,
    dead links, pages instead of pictures, tiny ones. Everything else is the real thing.
    """
    from harvest.queries import read_queries
    from harvest.run import Order

    with as_file(files("harvest.cli") / "shapes.csv") as queries:
        rows = read_queries(queries)
    order = Order(providers=("SAMPLE",), out=out, limit=maximum)
    harvest_and_report(order, rows, title=f"drawn shapes → {out}/", quiet=quiet, as_json=as_json)
