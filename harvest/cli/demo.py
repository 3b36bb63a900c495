"""`harvest demo`: a complete harvest without a key or Internet access."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harvest.cli.get import print_result
from harvest.cli.operating_system_errors import TO_HARVEST, need_room
from harvest.cli.progress import HarvestProgress

if TYPE_CHECKING:
    from harvest.models import Query


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Dataset folder.")] = Path("demo"),
    maximum: Annotated[int, typer.Option("-m", "--max", min=1, metavar="N", help="Maximum hits per class.")] = 120,
    accept_missing: Annotated[
        bool, typer.Option("--accept-missing", help="Record missing files as rejected, however many there are.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Hide progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")] = False,
) -> None:
    """Harvest a small set of drawn shapes: no key, no Internet.

    A local server provides drawings, and the usual problems of the web: duplicates, dead links, web pages
    in place of images, tiny images. Everything else works as in a real harvest.
    """
    need_room(TO_HARVEST)
    from harvest import harvest

    with HarvestProgress(f"drawn shapes → {out}/", quiet=quiet or as_json) as progress:
        summary = harvest(
            demo_queries(),
            "SAMPLE",
            out,
            limit=maximum,
            accept_missing=accept_missing,
            new_ledger=True,  # the drawings can be made again, so a deleted demo needs no confirmation
            progress=progress.show,
            say=progress.say,
        )
    print_result(summary, out, as_json=as_json)


def demo_queries() -> list[Query]:
    """Return the queries of the demo."""
    from harvest import read_queries

    with as_file(files("harvest.cli") / "shapes.csv") as queries:
        return read_queries(queries)
