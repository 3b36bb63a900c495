"""`harvest demo`: the whole way of a picture with no key and no Internet."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from harvest.cli.environment import TO_HARVEST, need_room
from harvest.cli.get import print_result
from harvest.cli.progress import HarvestProgress


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="The dataset.")] = Path("demo"),
    maximum: Annotated[int, typer.Option("-m", "--max", min=1, metavar="N", help="Hits per class.")] = 120,
    accept_missing: Annotated[
        bool, typer.Option("--accept-missing", help="Record files that are gone as thrown out, however many.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")] = False,
) -> None:
    """Harvest a small set of drawn shapes: no key, no Internet.

    A server on this machine serves drawings, and among them what the web is full of: the same picture twice,
    dead links, pages instead of pictures, tiny ones. Everything else is the real thing.
    """
    need_room(TO_HARVEST)
    from harvest import harvest, read_queries

    with as_file(files("harvest.cli") / "shapes.csv") as queries:
        rows = read_queries(queries)
    with HarvestProgress(f"drawn shapes → {out}/", quiet=quiet or as_json) as progress:
        summary = harvest(
            rows,
            "SAMPLE",
            out,
            limit=maximum,
            accept_missing=accept_missing,
            new_ledger=True,  # drawings can be drawn again: a demo that was deleted is no loss to ask about
            progress=progress.show,
            say=progress.say,
        )
    print_result(summary, out, as_json=as_json)
