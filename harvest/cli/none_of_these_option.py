"""The option of `predict` and `serve` that decides which images are none of the classes."""

from typing import Annotated

import typer

AcceptShare = Annotated[
    float,
    typer.Option(
        "--accept",
        min=0.5,
        max=1,
        metavar="SHARE",
        help="Share of right images to accept; the others are none of these. 1 accepts all images.",
    ),
]
