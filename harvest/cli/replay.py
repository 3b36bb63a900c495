"""`harvest replay`: build the dataset of a recipe again."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import Annotated

import typer

from harvest.cli.operating_system_errors import TO_HARVEST, need_room
from harvest.cli.progress import HarvestProgress
from harvest.cli.rebuild_result import conclude_rebuild


def replay(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.jsonl", help="File that harvest recipe wrote.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Folder of the dataset to build.")],
    *,
    archive: Annotated[
        bool, typer.Option("--archive", help="Ask the Wayback Machine for images that are gone.")
    ] = False,
    accept_changed: Annotated[
        bool, typer.Option("--accept-changed", help="Also place images that are not the ones of the recipe.")
    ] = False,
    keep_originals: Annotated[
        bool, typer.Option("-k", "--keep", help="Also keep the original files, in FOLDER.raw.")
    ] = False,
    proxy: Annotated[
        str | None, typer.Option("--proxy", metavar="URL", help="Proxy for all requests; overrides HTTPS_PROXY.")
    ] = None,
    connections: Annotated[
        int, typer.Option("--jobs", min=1, max=256, metavar="N", help="Number of parallel downloads.")
    ] = 32,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Hide progress; show errors and the result.")] = False,
) -> None:
    """Build the dataset of a recipe again, and compare each image with the recipe.

    Each image is downloaded from where it was found, and its hashes are compared. An image that is not the same is
    reported and not placed. The decisions and splits of the recipe apply. The same command continues where it ended.
    """
    need_room(TO_HARVEST)
    from harvest.reproduce.replay_recipe import replay_recipe

    with HarvestProgress(f"{recipe} → {out}/", quiet=quiet or as_json) as progress:
        summary = replay_recipe(
            recipe,
            out,
            archive=archive,
            accept_changed=accept_changed,
            keep_originals=keep_originals,
            proxy=proxy,
            connections=connections,
            progress=progress.show,
            say=progress.say,
        )
    conclude_rebuild(summary, as_json=as_json)
