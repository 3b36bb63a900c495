"""`harvest predict`: classify images with a trained network."""

from __future__ import annotations

import io
import sys
from contextlib import suppress
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from harvest.cli import console, optional_packages
from harvest.cli.none_of_these_option import AcceptShare  # noqa: TC001 - Typer reads it at run time
from harvest.cli.open_dataset import quote_path
from harvest.counts_as_text import count_images
from harvest.errors import Interrupted, NothingHarvested, StorageError, UsageError
from harvest.files.disk import write_atomically
from harvest.models import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harvest.cli.prediction_output import PredictionOutput
    from harvest.training.predictor import Predictor

_EXPLAIN_SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
INCOMPLETE = 3  # finished, but some images could not be read


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a training run.")],
    words: Annotated[
        list[Path],
        typer.Argument(metavar="PICTURE|FOLDER...", help="Images, and folders to search recursively."),
    ],
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="Number of labels per image.")] = 5,
    accept: AcceptShare = 0.95,
    tta: Annotated[
        bool, typer.Option("--tta", help="Average ten views of each image; takes ten times as long.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the predictions as one JSON document.")] = False,
    csv: Annotated[
        str | None,
        typer.Option("--csv", metavar="FILE", help="Write one row per image; - is standard output."),
    ] = None,
    explain: Annotated[
        Path | None,
        typer.Option("--explain", metavar="FILE.png", help="Draw where in the one image the network sees its label."),
    ] = None,
) -> None:
    """Classify images with a trained network: print the most probable labels of each.

    An image unlike all training images is none of the classes, and the answer says so.
    An image that cannot be read is reported on stderr; the others are classified, and the exit code is 3.
    """
    _check_standard_output(csv, as_json=as_json)
    optional_packages.require_inference()
    from harvest.cli.list_image_files import check_paths
    from harvest.cli.prediction_output import PredictionOutput
    from harvest.training.predictor import Predictor

    check_paths(words)
    several = len(words) > 1 or words[0].is_dir()
    if explain is not None:
        _check_explain(explain, words[0], several=several)
    predictor = Predictor.open(run, accept=accept, tta=tta, say=console.note)
    if explain is not None:
        predictor.check_can_explain()
    with PredictionOutput(several=several, top=min(top, len(predictor.labels)), as_json=as_json, csv=csv) as answers:
        _predict(predictor, words, answers, top)
    if explain is not None and answers.read:
        _explain(predictor, words[0], explain)
    _conclude(run, words, answers)


def _check_standard_output(csv: str | None, *, as_json: bool) -> None:
    if as_json and csv == "-":
        raise UsageError(
            "--json and --csv - both write to standard output.", "Write the table to a file: --csv answers.csv"
        )


def _predict(predictor: Predictor, words: Sequence[Path], answers: PredictionOutput, top: int) -> None:
    from harvest.cli.list_image_files import list_images
    from harvest.cli.training_progress import TerminalProgress

    bar = TerminalProgress(quiet=answers.is_interactive)
    count = sum(1 for _ in list_images(words)) if sys.stderr.isatty() and not answers.is_interactive else 0
    try:
        for number, (image, ranked) in enumerate(predictor.each(list_images(words), top), 1):
            bar.tick(number, max(count, number))
            answers.write(image, ranked)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped after {count_images(answers.read + answers.unread)}.") from None


def _check_explain(target: Path, image: Path, *, several: bool) -> None:
    if several:
        raise UsageError("--explain draws one image at a time.", "Name one image, and no folder.")
    if target.resolve() == image.resolve():
        raise UsageError("--explain would overwrite the image itself.", "Name another file: --explain heat.png")
    if target.suffix.lower() not in _EXPLAIN_SUFFIXES:
        raise UsageError(
            console.one_line(f"--explain {target}: not a PNG, JPEG or WebP file."), "For example: --explain heat.png"
        )


def _explain(predictor: Predictor, image: Path, target: Path) -> None:
    """Draw the explanation of an image; the message goes to stderr, because of --json."""
    explanation = predictor.explain(image)
    if isinstance(explanation, Refusal):  # it has changed since it was classified
        raise UsageError(console.one_line(f"{image} cannot be read: {explanation.detail or explanation.verdict}"))
    file = io.BytesIO()
    explanation.draw().save(file, _EXPLAIN_SUFFIXES[target.suffix.lower()], quality=90)
    write_atomically(target, file.getvalue())
    console.note(console.one_line(f"wrote {target}: the brighter a place, the more it speaks for {explanation.label}"))


def _conclude(run: Path, words: Sequence[Path], answers: PredictionOutput) -> None:
    """Report what could not be read, and exit with a code that scripts can check."""
    in_shards = [word for word in words if _has_shards(word)]
    hint = _how_to_read_shards(run, in_shards[0]) if in_shards else ""
    if not answers.read:
        looked = f"none of {answers.unread:,} can be read" if answers.unread else "there are none"
        raise NothingHarvested(console.one_line(f"no image in {', '.join(map(str, words))}: {looked}."), hint)
    if hint:
        console.warn(hint)
    if answers.unread:
        console.warn(f"{answers.unread:,} of {count_images(answers.read + answers.unread)} could not be read.")
        raise typer.Exit(INCOMPLETE)


def _has_shards(folder: Path) -> bool:
    """Return whether a folder is a dataset with images in shards."""
    from harvest.dataset import ReadOnlyDataset

    with suppress(StorageError):
        dataset = ReadOnlyDataset.open(folder) if folder.is_dir() else None
        if dataset is not None:
            with dataset:
                return dataset.has_shards()
    return False


def _how_to_read_shards(run: Path, dataset: Path) -> str:
    files = dataset.with_name(f"{dataset.resolve().name}-images")
    name, target = quote_path(dataset), quote_path(files)
    return console.one_line(
        f"The images in the shards of {dataset} are not read. Export them as files:"
        f" harvest export {name} {target} --to imagefolder, then: harvest predict {quote_path(run)} {target}"
    )
