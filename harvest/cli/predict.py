"""`harvest predict`: what a trained network makes of pictures."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from harvest.cli import console, optional_packages
from harvest.errors import Interrupted, NothingHarvested, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harvest.cli.prediction_output import PredictionOutput
    from harvest.training.predictor import Predictor

INCOMPLETE = 3  # finished, but not all of it could be done


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The directory that a training wrote.")],
    words: Annotated[
        list[Path],
        typer.Argument(metavar="PICTURE|FOLDER...", help="Pictures, and folders to look through, of any depth."),
    ],
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="Labels of each picture.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answers as one JSON document.")] = False,
    csv: Annotated[
        str | None,
        typer.Option("--csv", metavar="FILE", help="Write one row a picture; - is standard output."),
    ] = None,
) -> None:
    """Tell what is on pictures, by a trained network: the most probable labels of each.

    A picture that cannot be read is named on stderr, and the others go on; the exit code is then 3.
    """
    if as_json and csv == "-":
        raise UsageError("--json and --csv - both want standard output.", "Name a file: --csv answers.csv")
    optional_packages.require_inference()
    from harvest.cli.image_arguments import check_paths
    from harvest.cli.prediction_output import PredictionOutput
    from harvest.training.predictor import Predictor

    check_paths(words)
    predictor = Predictor.open(run, say=console.note)
    several = len(words) > 1 or words[0].is_dir()
    with PredictionOutput(several=several, top=min(top, len(predictor.labels)), as_json=as_json, csv=csv) as answers:
        _predict(predictor, words, answers, top)
    _conclude(words, answers)


def _predict(predictor: Predictor, words: Sequence[Path], answers: PredictionOutput, top: int) -> None:
    from harvest.cli.image_arguments import list_images
    from harvest.cli.training_progress import TerminalProgress

    bar = TerminalProgress(quiet=answers.is_interactive)
    count = sum(1 for _ in list_images(words)) if sys.stderr.isatty() and not answers.is_interactive else 0
    try:
        for number, (picture, ranked) in enumerate(predictor.each(list_images(words), top), 1):
            bar.tick(number, max(count, number))
            answers.write(picture, ranked)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped after {answers.read + answers.unread:,} pictures.") from None


def _conclude(words: Sequence[Path], answers: PredictionOutput) -> None:
    """Say what could not be done, and leave with a code that a script can go by."""
    if not answers.read:
        looked = f"none of {answers.unread:,} can be read" if answers.unread else "there are none"
        raise NothingHarvested(console.one_line(f"no picture in {', '.join(map(str, words))}: {looked}."))
    if answers.unread:
        console.warn(f"{answers.unread:,} of {answers.read + answers.unread:,} pictures could not be read.")
        raise typer.Exit(INCOMPLETE)
