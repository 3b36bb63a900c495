"""Which directory a training writes: a new one beside the tree, or the one that was cut off."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.errors import UsageError
from harvest.training.run_directory import OPTIONS, TrainingRun

if TYPE_CHECKING:
    from harvest.training.training_options import TrainingOptions


def create_run(options: TrainingOptions) -> Path:
    """Choose the directory of a new run: the one named, else one by the time."""
    tree = Path(options.tree)
    if options.cache is not None:
        _check_outside(f"--cache {options.cache}", options.cache, tree, "cache")
    if options.out is not None:
        _check_outside(f"--out {options.out}", options.out, tree, "first")
        _check_free(options.out)
        return options.out
    first = options.runs / f"{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}"
    names = (first if number == 1 else first.with_name(f"{first.name}-{number}") for number in count(1))
    return next(path for path in names if not path.exists())


def find_unfinished_run(options: TrainingOptions) -> Path:
    """Find the run to resume: the one named, else the newest beside the tree that did not come to its end."""
    if options.out is not None:
        if not (options.out / OPTIONS).is_file():
            raise UsageError(f"{options.out} is no run that could be resumed: it has no {OPTIONS}.")
        if TrainingRun(options.out).is_done:
            raise UsageError(
                f"{options.out} came to its end: there is nothing to go on with.",
                f"To begin a new run from what it learned: --model {options.out}",
            )
        return options.out
    folders = options.runs.iterdir() if options.runs.is_dir() else ()
    runs = [path for path in folders if (path / OPTIONS).is_file() and not TrainingRun(path).is_done]
    if not runs:
        raise UsageError(
            f"no unfinished run in {options.runs}.",
            "--out RUN names one elsewhere; without --resume a new one begins.",
        )
    return max(runs, key=lambda path: (path / OPTIONS).stat().st_mtime_ns)


def _check_outside(option: str, folder: Path, tree: Path, name: str) -> None:
    """Refuse a place where what is written would be a class."""
    inside, outer = folder.resolve(), tree.resolve()
    if inside == outer or outer in inside.parents:
        raise UsageError(
            f"{option} lies within {tree}, where every folder is a class.",
            f"Name one beside it: {option.partition(' ')[0]} {outer.name}.runs/{name}",
        )


def _check_free(out: Path) -> None:
    """Refuse a place where a run would cover what is there."""
    try:
        taken = out.is_dir() and any(out.iterdir())
        is_file = out.exists() and not out.is_dir()
    except OSError as error:
        raise UsageError(f"--out {out} cannot be looked into: {error.strerror or error}.") from None
    if taken:
        raise UsageError(
            f"--out {out} is there already, and not empty.", "Name another, or add --resume to go on with it."
        )
    if is_file:
        raise UsageError(f"--out {out} is a file.")
