"""`harvest train`, and what `python train.py` runs: from class folders to a classifier."""

from __future__ import annotations

import importlib.util
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import harvest
from harvest.cli import optional_packages
from harvest.cli.command_help import Command
from harvest.cli.completion import complete_datasets
from harvest.cli.interrupts import InterruptibleCommand
from harvest.errors import CannotWrite, HarvestError, Interrupted, UsageError, UserCodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harvest.training.export_step import TrainingResult
    from harvest.training.training_options import Rates, TrainingOptions

    Story = Callable[[Any, Any], TrainingResult]


class TrainCommand(InterruptibleCommand, Command):
    """Lets `--lr` take one word or two numbers, as `--lr 1e-5 1e-4`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Join the two numbers of `--lr` before they are told apart from the folder."""
        joined: list[str] = []
        for word in args:
            if len(joined) > 1 and joined[-2] == "--lr" and _is_number(joined[-1]) and _is_number(word):
                joined[-1] += f" {word}"
            else:
                joined.append(word)
        return super().parse_args(ctx, joined)


def train(
    ctx: typer.Context,
    tree: Annotated[
        Path,
        typer.Argument(metavar="TREE", autocompletion=complete_datasets, help="One folder per class."),
    ] = Path("dataset"),
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="NAME",
            help="resnet18, resnet34, mobilenet, dinov2, any hub id, a directory, or an earlier run.  "
            "[default: resnet34]",
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="What is written.  [default: TREE.runs/<time>]"),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=0, metavar="N", help="0: only the head.  [default: 4; 20 from scratch]"),
    ] = None,
    lr: Annotated[
        str | None,
        typer.Option("--lr", metavar="LO HI|find", help="Rates of the first and last layer, or find them."),
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", metavar="PX", help="Side of the picture the network sees.")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, metavar="N", help="Pictures at a time.")] = 32,
    valid: Annotated[int, typer.Option("--valid", metavar="%", help="To choose by.")] = 20,
    test: Annotated[int, typer.Option("--test", metavar="%", help="Untouched, for the last word.")] = 10,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of every chance there is.")] = 42,
    two_stage: Annotated[
        bool, typer.Option("--two-stage", help="So many epochs of the head alone, then so many of all.")
    ] = False,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Begin with random weights: nothing is downloaded.")
    ] = False,
    monitor: Annotated[
        str, typer.Option("--monitor", metavar="METRIC", help="Which epoch is the best, and when to stop.")
    ] = "accuracy",
    patience: Annotated[
        int | None, typer.Option("--patience", min=1, metavar="N", help="Stop after N epochs without a gain.")
    ] = None,
    min_delta: Annotated[float, typer.Option("--min-delta", min=0, metavar="X", help="What counts as a gain.")] = 0.0,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="MODULE:FUNCTION", help="A metric of your own: custom.")
    ] = None,
    cost_matrix: Annotated[
        Path | None,
        typer.Option(
            "--cost-matrix",
            metavar="FILE",
            help="What an answer is worth, as CSV: right ones high, mistakes low.",
        ),
    ] = None,
    augment: Annotated[
        bool, typer.Option("--augment/--no-augment", help="Show training pictures anew every epoch.")
    ] = True,
    flip_left_right: Annotated[
        bool, typer.Option("--flip-left-right/--no-flip-left-right", help="Mirrored pictures too.")
    ] = True,
    random_crop: Annotated[
        int | None, typer.Option("--random-crop", metavar="%", help="How much may be cut away.")
    ] = None,
    random_scale: Annotated[
        int | None, typer.Option("--random-scale", metavar="%", help="How much larger it may be.")
    ] = None,
    random_brightness: Annotated[
        int | None, typer.Option("--random-brightness", metavar="%", help="How much brighter or darker.")
    ] = None,
    n_augmentation: Annotated[
        int, typer.Option("--n-augmentation", min=1, metavar="N", help="Views of a picture in every batch.")
    ] = 1,
    transform: Annotated[
        str | None,
        typer.Option("--transform", metavar="MODULE:OBJECT", help="With random_transform(x, seed=None)."),
    ] = None,
    callback: Annotated[
        list[str] | None,
        typer.Option("--callback", metavar="MODULE:CLASS", help="A TrainerCallback; repeatable."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that was cut off, as it was begun.")
    ] = False,
    save_every: Annotated[
        int, typer.Option("--save-every", min=1, metavar="N", help="Epochs between two checkpoints.")
    ] = 1,
    keep: Annotated[int, typer.Option("--keep", min=0, metavar="K", help="Checkpoints that stay when it is done.")] = 0,
    export: Annotated[str, typer.Option("--export", metavar="KINDS", help="onnx, pt2, or both by a comma.")] = "",
    log: Annotated[str, typer.Option("--log", metavar="KINDS", help="csv, tensorboard, or both by a comma.")] = "csv",
    cpu: Annotated[bool, typer.Option("--cpu", help="Leave the graphics card alone.")] = False,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", metavar="FOLDER", help="Features of pictures.  [default: TREE.runs/cache]"),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Warnings and the result only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Fine-tune a pretrained network on class folders, and tell how good it became.

    Everything that a training gives is one directory: weights, labels, figures, report.html.
    """
    optional_packages.require_training()
    from harvest.cli.training_progress import TerminalProgress
    from harvest.cli.training_result import print_result
    from harvest.training.resume import code_words
    from harvest.training.training_options import TrainingOptions

    options = TrainingOptions(
        tree=tree,
        model=model,
        out=out,
        size=size,
        epochs=epochs,
        lr=_rates(lr),
        batch=batch,
        valid=valid,
        test=test,
        seed=seed,
        monitor=monitor,
        patience=patience,
        min_delta=min_delta,
        augment=augment,
        flip_left_right=flip_left_right,
        random_crop=random_crop,
        random_scale=random_scale,
        random_brightness=random_brightness,
        n_augmentation=n_augmentation,
        transform=transform,
        callbacks=tuple(callback or ()),
        metric=metric,
        cost_matrix=cost_matrix,
        two_stage=two_stage,
        resume=resume,
        save_every=save_every,
        keep=keep,
        export=_split_list(export),
        log=_split_list(log),
        cpu=cpu,
        cache=cache,
        from_scratch=from_scratch,
    )
    story: Story = ctx.obj or load_train_script()
    with resume_hint(options):
        result = story(options, TerminalProgress(quiet=quiet or as_json))
    print_result(result, as_json=as_json, code=code_words(options))


@contextmanager
def resume_hint(options: TrainingOptions) -> Iterator[None]:
    """Name the line that goes on with a run that was cut off: the same line would begin another."""
    from harvest.cli.locate_dataset import from_here
    from harvest.cli.open_dataset import quote_path
    from harvest.training import run_directory
    from harvest.training.processes import is_caused_by_other_process
    from harvest.training.resume import code_words

    def line() -> str:
        tree, run = (quote_path(from_here(path)) for path in (options.tree, run_directory.current_run() or Path()))
        words = " ".join(["harvest train", tree, "--resume --out", run, code_words(options)]).strip()
        return f"{words} goes on with it."

    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("stopped.", line() if run_directory.current_run() else "Nothing was begun.") from None
    except UsageError as error:
        if not options.resume:  # what somebody goes on with is theirs
            run_directory.discard_run()
        raise _with_line(error, line) from error.__cause__
    except RuntimeError as error:
        if not is_caused_by_other_process(error):
            raise
        if os.environ.get("RANK") != "0":  # what the first one says is enough
            raise typer.Exit(HarvestError.exit_code) from None
        raise HarvestError("another process of this training ended before it was done.", line()) from None
    except CannotWrite as error:
        if not run_directory.current_run():
            raise
        raise CannotWrite(error.message, f"Make room there, or see to it that it can be written: {line()}") from error


def _with_line(error: UsageError, line: Callable[[], str]) -> UsageError:
    """Add to an error of the user's own code how the run goes on when that is fixed."""
    from harvest.training import run_directory

    if isinstance(error, UserCodeError) and run_directory.current_run():
        error.hint = f"{error.hint}\nWhen it is fixed: {line()}".strip()
    return error


def load_train_script() -> Story:
    """Return what train.py tells: an installed package brings it along, a checkout has it beside."""
    package = Path(harvest.__file__).parent
    for path in (package / "training" / "train_script.py", package.parent / "train.py"):
        spec = importlib.util.spec_from_file_location("harvest_train_page", path)
        if path.is_file() and spec and spec.loader:
            page = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(page)
            return page.train  # type: ignore[no-any-return]
    raise UsageError("this installation lacks train.py.", "Take it from the repository: python train.py TREE")


def _rates(text: str | None) -> Rates:
    """Read `--lr`."""
    words = (text or "").replace(",", " ").split()
    if not words:
        return None
    if words == ["find"]:
        return "find"
    if len(words) > 2 or not all(_is_number(word) for word in words):  # noqa: PLR2004
        raise UsageError(f"--lr {text}: two numbers, or find.", "For example: --lr 1e-5 1e-4")
    return float(words[0]), float(words[-1])


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _split_list(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
