"""`harvest train` and `python train.py`: train a classifier on class folders."""

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
    """A command whose `--lr` takes one word or two numbers, as in `--lr 1e-5 1e-4`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Join the two numbers of `--lr`, so that the second is not read as the folder."""
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
        typer.Argument(metavar="TREE", autocompletion=complete_datasets, help="Folder with one subfolder per class."),
    ] = Path("dataset"),
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="NAME",
            help="resnet18, resnet34, mobilenet, dinov2, a hub id, a directory or an earlier run.  [default: resnet34]",
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Output directory.  [default: TREE.runs/<time>]"),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            min=0,
            metavar="N",
            help="Number of epochs; 0 trains the head only.  [default: 4; 20 from scratch]",
        ),
    ] = None,
    lr: Annotated[
        str | None,
        typer.Option(
            "--lr", metavar="LO HI|find", help="Learning rates of the first and last layer; find searches for them."
        ),
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", metavar="PX", help="Input size of the network in pixels.")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, metavar="N", help="Batch size in images.")] = 32,
    valid: Annotated[int, typer.Option("--valid", metavar="%", help="Validation share in percent.")] = 20,
    test: Annotated[int, typer.Option("--test", metavar="%", help="Test share in percent.")] = 10,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Random seed.")] = 42,
    two_stage: Annotated[
        bool, typer.Option("--two-stage", help="Train the head for N epochs, then the whole network for N.")
    ] = False,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Start from random weights; nothing is downloaded.")
    ] = False,
    monitor: Annotated[
        str,
        typer.Option(
            "--monitor", metavar="METRIC", help="Metric that selects the best epoch, and stops with --patience."
        ),
    ] = "accuracy",
    patience: Annotated[
        int | None, typer.Option("--patience", min=1, metavar="N", help="Stop after N epochs without improvement.")
    ] = None,
    min_delta: Annotated[
        float, typer.Option("--min-delta", min=0, metavar="X", help="Smallest change that counts as an improvement.")
    ] = 0.0,
    metric: Annotated[
        str | None,
        typer.Option("--metric", metavar="MODULE:FUNCTION", help="Function of your own metric, named custom."),
    ] = None,
    cost_matrix: Annotated[
        Path | None,
        typer.Option(
            "--cost-matrix",
            metavar="FILE",
            help="CSV file with the value of each prediction: high if right, low if wrong.",
        ),
    ] = None,
    augment: Annotated[
        bool, typer.Option("--augment/--no-augment", help="Augment the training images anew in every epoch.")
    ] = True,
    flip_left_right: Annotated[
        bool, typer.Option("--flip-left-right/--no-flip-left-right", help="Mirror training images at random.")
    ] = True,
    random_crop: Annotated[
        int | None, typer.Option("--random-crop", metavar="%", help="Maximum share to cut away, in percent.")
    ] = None,
    random_scale: Annotated[
        int | None, typer.Option("--random-scale", metavar="%", help="Maximum enlargement in percent.")
    ] = None,
    random_brightness: Annotated[
        int | None, typer.Option("--random-brightness", metavar="%", help="Maximum change of brightness in percent.")
    ] = None,
    n_augmentation: Annotated[
        int, typer.Option("--n-augmentation", min=1, metavar="N", help="Augmented views per image in each batch.")
    ] = 1,
    transform: Annotated[
        str | None,
        typer.Option(
            "--transform", metavar="MODULE:OBJECT", help="Object with a method random_transform(x, seed=None)."
        ),
    ] = None,
    callback: Annotated[
        list[str] | None,
        typer.Option("--callback", metavar="MODULE:CLASS", help="TrainerCallback class; repeatable."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted run with its original options.")
    ] = False,
    save_every: Annotated[
        int, typer.Option("--save-every", min=1, metavar="N", help="Epochs between checkpoints.")
    ] = 1,
    keep: Annotated[
        int, typer.Option("--keep", min=0, metavar="K", help="Number of checkpoints to keep after training.")
    ] = 0,
    export: Annotated[
        str, typer.Option("--export", metavar="KINDS", help="Export formats: onnx, pt2 or onnx,pt2.")
    ] = "",
    log: Annotated[
        str, typer.Option("--log", metavar="KINDS", help="Log formats: csv, tensorboard or csv,tensorboard.")
    ] = "csv",
    cpu: Annotated[bool, typer.Option("--cpu", help="Use the CPU even where there is a GPU.")] = False,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", metavar="FOLDER", help="Cache folder for image features.  [default: TREE.runs/cache]"),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show only warnings and the result.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Fine-tune a pretrained network on class folders, and evaluate it.

    The output directory holds all results: weights, labels, metrics and report.html.
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
    """Add the command that continues an interrupted run to errors: the same command would start a new run."""
    from harvest.cli.locate_dataset import from_here
    from harvest.cli.open_dataset import quote_path
    from harvest.training import run_directory
    from harvest.training.processes import is_caused_by_other_process
    from harvest.training.resume import code_words

    def line() -> str:
        tree, run = (quote_path(from_here(path)) for path in (options.tree, run_directory.current_run() or Path()))
        words = " ".join(["harvest train", tree, "--resume --out", run, code_words(options)]).strip()
        return f"To continue: {words}"

    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("stopped.", line() if run_directory.current_run() else "No run was started.") from None
    except UsageError as error:
        if not options.resume:  # a resumed run belongs to the user: keep it
            run_directory.discard_run()
        raise _with_line(error, line) from error.__cause__
    except RuntimeError as error:
        if not is_caused_by_other_process(error):
            raise
        if os.environ.get("RANK") != "0":  # one message is enough: that of the first process
            raise typer.Exit(HarvestError.exit_code) from None
        raise HarvestError("another process of this training ended early.", line()) from None
    except CannotWrite as error:
        if not run_directory.current_run():
            raise
        raise CannotWrite(error.message, f"Free some space there, or make it writable. {line()}") from error


def _with_line(error: UsageError, line: Callable[[], str]) -> UsageError:
    """Add to an error in the user's own code how to continue the run once it is fixed."""
    from harvest.training import run_directory

    if isinstance(error, UserCodeError) and run_directory.current_run():
        error.hint = f"{error.hint}\nFix the code first. {line()}".strip()
    return error


def load_train_script() -> Story:
    """Return `train` of train.py, which lies in an installed package or beside the package in a checkout."""
    package = Path(harvest.__file__).parent
    for path in (package / "training" / "train_script.py", package.parent / "train.py"):
        spec = importlib.util.spec_from_file_location("harvest_train_page", path)
        if path.is_file() and spec and spec.loader:
            page = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(page)
            return page.train  # type: ignore[no-any-return]
    raise UsageError(
        "this installation has no train.py.", "Download it from the repository, and run: python train.py TREE"
    )


def _rates(text: str | None) -> Rates:
    """Parse the value of `--lr`."""
    words = (text or "").replace(",", " ").split()
    if not words:
        return None
    if words == ["find"]:
        return "find"
    if len(words) > 2 or not all(_is_number(word) for word in words):  # noqa: PLR2004
        raise UsageError(f"--lr {text} is neither two numbers nor the word find.", "For example: --lr 1e-5 1e-4")
    return float(words[0]), float(words[-1])


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _split_list(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
