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
from harvest.cli.declared_options import as_keywords, with_options
from harvest.cli.end_on_interrupt_or_closed_pipe import InterruptibleCommand
from harvest.errors import CannotWrite, HarvestError, Interrupted, UsageError, UserCodeError
from harvest.option_fields import from_keywords
from harvest.training.torchrun_error_file import message_for_torchrun
from harvest.training.training_options import TrainingOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harvest.training.export_step import TrainingResult

    TrainScript = Callable[[Any, Any], TrainingResult]


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


@with_options(TrainingOptions)
def train(
    ctx: typer.Context,
    tree: Annotated[
        Path,
        typer.Argument(metavar="TREE", autocompletion=complete_datasets, help="Folder with one subfolder per class."),
    ] = Path("dataset"),
    *,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show only warnings and the result.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
    **options: Any,
) -> None:
    """Fine-tune a pretrained network on class folders, and evaluate it.

    The output directory holds all results: weights, labels, metrics and report.html.
    """
    optional_packages.require_training()
    from harvest.cli.training_progress import TerminalProgress
    from harvest.cli.training_result import print_result
    from harvest.labelled_pictures.find_files import list_folders
    from harvest.training.resumed_options import code_words

    training_options = from_keywords(TrainingOptions, {**as_keywords(TrainingOptions, options), "tree": tree})
    if ctx.obj is None and not training_options.resume:  # a resumed run names its folder
        list_folders(training_options.tree)  # before PyTorch is loaded, which takes seconds
    train_script: TrainScript = ctx.obj or load_train_script()
    with message_for_torchrun(), resume_hint(training_options):
        result = train_script(training_options, TerminalProgress(quiet=quiet or as_json))
    print_result(result, as_json=as_json, code=code_words(training_options))


@contextmanager
def resume_hint(options: TrainingOptions) -> Iterator[None]:
    """Add the command that continues an interrupted run to errors: the same command would start a new run."""
    from harvest.cli.find_named_pictures import from_here
    from harvest.cli.open_dataset import quote_path
    from harvest.training import run_directory
    from harvest.training.processes_and_devices import is_caused_by_other_process
    from harvest.training.resumed_options import code_words

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


def load_train_script() -> TrainScript:
    """Return `train` of train.py, which is in the installed package, or next to it in a checkout."""
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


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
