"""The directory that a training writes, beside the tree: whole at any moment, and resumed by name."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from harvest.errors import CannotWrite, RunBusy, TrainingError
from harvest.files import disk
from harvest.files.lock import Lock
from harvest.training.read_files import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from harvest.training.training_options import TrainingOptions

Row = dict[str, float]  # of history.csv

SPLITS, LOCK = "splits.csv", "lock"
OPTIONS, HISTORY, CHECKPOINTS, DONE = "options.json", "history.csv", "checkpoints", "metrics.json"
WEIGHTS, BEST = "model.safetensors", "best.safetensors"  # the best so far, and as it was at a checkpoint

_FRAME = frozenset({"epoch", "train_loss", "valid_loss", "time"})  # of history.csv
_LEFT = re.compile(r"\..+\.part|\.network-.+")  # by a process that was killed while it wrote
_LAST_EPOCH = 2_000_000  # twice as many as a stage may have
_locked: dict[Path, Lock] = {}  # by this process: the run that it writes


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One training's directory."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Where it can be taken up again, until it is done."""
        return self.path / CHECKPOINTS

    @property
    def is_done(self) -> bool:
        """Tell whether it came to its end."""
        return (self.path / DONE).exists() and not (self.checkpoints / LOCK).exists()

    def write(self, name: str, text: str) -> None:
        """Write a file as a whole or not at all."""
        disk.write_atomically(self.path / name, text.encode())

    def write_json(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a document."""
        self.write(name, json.dumps(document, indent=2, ensure_ascii=False) + "\n")

    def write_array(self, name: str, values: NDArray[Any]) -> None:
        """Write an array for other programs; it holds numbers only, and loads without pickle."""
        out = io.BytesIO()
        np.save(out, values, allow_pickle=False)
        disk.write_atomically(self.path / name, out.getvalue())

    def write_history(self, rows: Sequence[Row]) -> None:
        """Write the table of epochs, with the columns of any row; metrics stand in the middle."""
        columns = sorted(dict.fromkeys(name for row in rows for name in row), key=_column)
        out = io.StringIO()
        table = csv.DictWriter(out, columns, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(
            {name: _format_value(value) for name, value in row.items() if not math.isnan(value)} for row in rows
        )
        self.write(HISTORY, out.getvalue())

    def history(self) -> list[Row]:
        """Read the table of epochs back, as far as it goes."""
        try:
            text = read_text(self.path / HISTORY)
            rows = [_epoch(row) for row in csv.DictReader(io.StringIO(text, newline=""))]
            _check_order(rows)
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, csv.Error) as error:
            raise TrainingError(
                f"{self.path / HISTORY} cannot be read: {error}", "Begin a new run, without --resume."
            ) from None
        return rows

    def keep_best(self, checkpoint: Path) -> None:
        """Keep the best network so far with a checkpoint: who goes on from there has it as it was then."""
        if not (checkpoint / BEST).exists():
            with disk.write_errors_named(checkpoint):
                disk.link(self.path / WEIGHTS, checkpoint / BEST)

    def take_best(self, checkpoint: Path) -> None:
        """Make the best network what it was at a checkpoint: epochs after it are done again."""
        if not (checkpoint / BEST).exists():  # killed between the two: then none was better since
            self.keep_best(checkpoint)
        elif not (self.path / WEIGHTS).exists() or not (checkpoint / BEST).samefile(self.path / WEIGHTS):
            part = self.path / f".{WEIGHTS}.part"
            with disk.write_errors_named(self.path):
                disk.remove(part)
                disk.link(checkpoint / BEST, part)
                disk.replace(part, self.path / WEIGHTS)

    def forget_checkpoints(self, *, keep: int) -> None:
        """Drop what was only kept to be resumed; `keep` of them stay for the person who asked."""
        unlock_run(self.path)
        if keep:
            (self.checkpoints / LOCK).unlink(missing_ok=True)
            return
        gone = self.path / f".{CHECKPOINTS}"
        with suppress(OSError):  # in one step: with half of them, it would look as if it had not ended
            self.checkpoints.rename(gone)
        for folder in (gone, self.checkpoints):
            shutil.rmtree(folder, ignore_errors=True)


def _column(name: str) -> int:
    return ("epoch", "train_loss", "valid_loss", "", "time").index(name if name in _FRAME else "")


def _epoch(cells: Mapping[str, str]) -> Row:
    """Read a row of the table; ValueError where it is none."""
    row = {name: float(value or "nan") for name, value in cells.items()}
    if not row.get("epoch", -1.0) >= 0 or not row["epoch"].is_integer():
        raise ValueError("each row is an epoch, with its number")
    return row


def _check_order(rows: Sequence[Row]) -> None:
    """Refuse a table of epochs that no training writes: the frozen head comes first, then later epochs."""
    numbers = [row["epoch"] for row in rows]
    if numbers and (numbers[0] != 0 or numbers[-1] > _LAST_EPOCH):
        raise ValueError(f"its epochs go from {numbers[0]:g} to {numbers[-1]:g}")
    if any(later <= number for number, later in pairwise(numbers)):
        raise ValueError("its epochs are not in order")


def _format_value(value: float) -> str:
    return f"{value:.6g}"


def round_trip(value: float) -> float:
    """Return a figure as it is read back: a resumed run must choose as one that was not cut off.

    >>> round_trip(2 / 3)
    0.666667
    """
    return float(_format_value(value))


def create_directory(path: Path, options: TrainingOptions) -> TrainingRun:
    """Make the directory, and write down how the run was asked for."""
    run = TrainingRun(path)
    try:
        lock_run(path)
        run.write_json(OPTIONS, options.as_json())
    except CannotWrite:
        run.forget_checkpoints(keep=0)  # an empty directory can be named again
        raise
    return run


def lock_run(path: Path) -> None:
    """Let no other process write this run while this one lives, and sweep what a killed one left."""
    checkpoints = path / CHECKPOINTS
    with disk.write_errors_named(path):
        _check_inside(path)
        disk.make_folder(checkpoints)
    lock = Lock(checkpoints / LOCK)  # whose being there says that the run has not ended
    if path.resolve() not in _locked:
        if not lock.acquire():
            raise RunBusy(
                f"another training writes {path}: {lock.describe_holder()}.",
                "Wait for its end, or name another --out.",
            )
        for other in list(_locked):  # a program that trains again has left what it trained before
            unlock_run(other)
        _locked[path.resolve()] = lock
    for left in path.iterdir():
        if _LEFT.fullmatch(left.name):
            shutil.rmtree(left, ignore_errors=True)
            with suppress(OSError):
                disk.remove(left)


def _check_inside(path: Path) -> None:
    """Refuse a run in which anything but files and folders lies: libraries write and read through links."""
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            inside = path / folder / name
            mode = inside.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise TrainingError(
                    f"{inside} is a link, and a run writes and deletes nothing outside of itself.",
                    "Put what it leads to in its place.",
                )
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise TrainingError(f"{inside} is neither a file nor a folder.", "Remove it.")


def discard_run() -> None:
    """Take back the run that was begun, if nothing was learned: what was asked for could not be done."""
    for path in list(_locked):
        if not (path / WEIGHTS).exists():
            TrainingRun(path).forget_checkpoints(keep=0)
            with suppress(OSError):
                for name in (OPTIONS, SPLITS):
                    disk.remove(path / name)
                path.rmdir()


def current_run() -> Path | None:
    """Return the run that this process writes; none before it has begun one, or when it ended."""
    return next(iter(_locked), None)


def unlock_run(path: Path) -> None:
    """Let others write this run."""
    if lock := _locked.pop(path.resolve(), None):
        lock.release()
