"""`harvest render`: write a dataset in another size."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import Annotated

import typer

from harvest.cli.completion import complete_datasets
from harvest.cli.open_dataset import check_dataset
from harvest.cli.operating_system_errors import TO_HARVEST, need_room
from harvest.cli.progress import HarvestProgress
from harvest.cli.rebuild_result import conclude_rebuild


def render(
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", autocompletion=complete_datasets, help="Dataset folder.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Folder of the new dataset.")],
    *,
    size: Annotated[
        int,
        typer.Option("-s", "--size", min=0, max=20000, metavar="PX", help="Longest side in pixels; 0 keeps the size."),
    ] = 299,
    pad: Annotated[
        bool, typer.Option("--pad/--no-pad", help="Pad to a white square, or keep the aspect ratio.")
    ] = True,
    quality: Annotated[int, typer.Option("--quality", min=1, max=100, metavar="N", help="JPEG quality.")] = 90,
    keep_originals: Annotated[
        bool, typer.Option("-k", "--keep", help="Also keep the original files, in FOLDER.raw.")
    ] = False,
    proxy: Annotated[
        str | None, typer.Option("--proxy", metavar="URL", help="Proxy for all requests; overrides HTTPS_PROXY.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Hide progress; show errors and the result.")] = False,
) -> None:
    """Write a dataset in another size, padding or quality, with its decisions.

    The images are made from the originals that `harvest get -k` kept, without the network. An image without an
    original is downloaded again. DATASET is not changed.
    """
    need_room(TO_HARVEST)
    from harvest.reproduce.render_dataset import render_dataset

    check_dataset(dataset)
    with HarvestProgress(f"{dataset}/ → {out}/", quiet=quiet or as_json) as progress:
        summary = render_dataset(
            dataset,
            out,
            size=size,
            pad=pad,
            quality=quality,
            keep_originals=keep_originals,
            proxy=proxy,
            progress=progress.show,
            say=progress.say,
        )
    conclude_rebuild(summary, as_json=as_json)
