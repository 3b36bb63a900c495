"""Choose a run directory: a new one next to the tree, an unfinished one to resume, or the newest one."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.errors import UsageError
from harvest.training.run_directory import OPTIONS, TrainingRun

if TYPE_CHECKING:
    from harvest.training.training_options import TrainingOptions


_CONFIG = "config.json"  # which every run has


def create_run(options: TrainingOptions) -> Path:
    """Return the path of a new run directory: that of `--out`, else one named by the time."""
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
    """Return the run to resume: that of `--out`, else the newest unfinished one next to the tree."""
    if options.out is not None:
        if not (options.out / OPTIONS).is_file():
            raise UsageError(f"{options.out} is not a run directory: it has no {OPTIONS}.")
        if TrainingRun(options.out).is_done:
            raise UsageError(
                f"{options.out} is complete: there is nothing to resume.",
                f"To start a new run from its network: --model {options.out}",
            )
        return options.out
    folders = options.runs.iterdir() if options.runs.is_dir() else ()
    runs = [path for path in folders if (path / OPTIONS).is_file() and not TrainingRun(path).is_done]
    if not runs:
        raise UsageError(
            f"no unfinished run in {options.runs}.",
            "Name a run elsewhere with --out RUN, or start a new one without --resume.",
        )
    return max(runs, key=lambda path: (path / OPTIONS).stat().st_mtime_ns)


def newest_run(folder: Path) -> Path | None:
    """Return the newest run in a folder of runs, or next to a tree; None if there is none."""
    around = folder.absolute()
    places = (around, around.parent / f"{around.name}.runs")
    runs = [path for place in places for path in place.glob("*") if (path / _CONFIG).is_file()]
    return max(runs, key=lambda path: (path / _CONFIG).stat().st_mtime_ns, default=None)


def _check_outside(option: str, folder: Path, tree: Path, name: str) -> None:
    """Raise UsageError for a folder inside the tree, where it would be a class."""
    inside, outer = folder.resolve(), tree.resolve()
    if inside == outer or outer in inside.parents:
        raise UsageError(
            f"{option} is inside {tree}, where every folder is a class.",
            f"Name one next to it: {option.partition(' ')[0]} {outer.name}.runs/{name}",
        )


def _check_free(out: Path) -> None:
    """Raise UsageError unless the folder is new or empty."""
    try:
        taken = out.is_dir() and any(out.iterdir())
        is_file = out.exists() and not out.is_dir()
    except OSError as error:
        raise UsageError(f"--out {out} cannot be read: {error.strerror or error}.") from None
    if taken:
        raise UsageError(
            f"--out {out} exists and is not empty.", "Name another folder, or add --resume to continue the run in it."
        )
    if is_file:
        raise UsageError(f"--out {out} is a file.")
