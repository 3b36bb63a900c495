"""The run directory: what a training writes, complete at any moment and locked while it runs."""

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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harvest.errors import CannotWrite, RunBusy, TrainingError
from harvest.files import disk
from harvest.files.lock import Lock
from harvest.splits.persist import SPLITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from harvest.training.training_options import TrainingOptions

Row = dict[str, float]  # of history.csv

MOST = 16 << 20  # bytes of a description or a table of epochs
LOCK = "lock"
OPTIONS, HISTORY, CHECKPOINTS, DONE = "options.json", "history.csv", "checkpoints", "metrics.json"
WEIGHTS, BEST = "model.safetensors", "best.safetensors"  # of the best epoch so far; of the best up to a checkpoint

_FIXED_COLUMNS = frozenset({"epoch", "train_loss", "valid_loss", "time"})  # of history.csv
_TEMPORARY = re.compile(r"\..+\.part|\.network-.+")  # left by a process that was killed while it wrote
_LAST_EPOCH = 2_000_000  # two stages of the maximum length
_locked: dict[Path, Lock] = {}  # by this process: the one run that it writes


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """The directory of one training."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints, which exist until the run is complete."""
        return self.path / CHECKPOINTS

    @property
    def is_done(self) -> bool:
        """Whether the run is complete."""
        return (self.path / DONE).exists() and not (self.checkpoints / LOCK).exists()

    def write(self, name: str, text: str) -> None:
        """Write a text file atomically."""
        disk.write_atomically(self.path / name, text.encode())

    def write_json(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a JSON file."""
        self.write(name, json.dumps(document, indent=2, ensure_ascii=False) + "\n")

    def write_array(self, name: str, values: NDArray[Any]) -> None:
        """Write an array for other programs; it loads without pickle."""
        out = io.BytesIO()
        np.save(out, values, allow_pickle=False)
        disk.write_atomically(self.path / name, out.getvalue())

    def write_history(self, rows: Sequence[Row]) -> None:
        """Write history.csv, with the columns of all rows; the metrics come before the time."""
        columns = sorted(dict.fromkeys(name for row in rows for name in row), key=_column)
        out = io.StringIO()
        table = csv.DictWriter(out, columns, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(
            {name: _format_value(value) for name, value in row.items() if not math.isnan(value)} for row in rows
        )
        self.write(HISTORY, out.getvalue())

    def history(self) -> list[Row]:
        """Read history.csv; empty where there is none."""
        try:
            text = read_text(self.path / HISTORY)
            rows = [_epoch(row) for row in csv.DictReader(io.StringIO(text, newline=""))]
            _check_order(rows)
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, csv.Error) as error:
            raise TrainingError(
                f"{self.path / HISTORY} cannot be read: {error}", "Start a new run, without --resume."
            ) from None
        return rows

    def keep_best(self, checkpoint: Path) -> None:
        """Keep the best network so far in a checkpoint, for a run that is resumed from there."""
        if not (checkpoint / BEST).exists():
            with disk.write_errors_named(checkpoint):
                disk.link(self.path / WEIGHTS, checkpoint / BEST)

    def take_best(self, checkpoint: Path) -> None:
        """Restore the best network of a checkpoint: the epochs after it are repeated."""
        if not (checkpoint / BEST).exists():  # killed between the two writes: no later epoch can be better
            self.keep_best(checkpoint)
        elif not (self.path / WEIGHTS).exists() or not (checkpoint / BEST).samefile(self.path / WEIGHTS):
            part = self.path / f".{WEIGHTS}.part"
            with disk.write_errors_named(self.path):
                disk.remove(part)
                disk.link(checkpoint / BEST, part)
                disk.replace(part, self.path / WEIGHTS)

    def forget_checkpoints(self, *, keep: int) -> None:
        """Unlock the run, and delete its checkpoints unless some are to be kept (`--keep`)."""
        unlock_run(self.path)
        if keep:
            (self.checkpoints / LOCK).unlink(missing_ok=True)
            return
        gone = self.path / f".{CHECKPOINTS}"
        with suppress(OSError):  # in one step: half-deleted checkpoints would look like an unfinished run
            self.checkpoints.rename(gone)
        for folder in (gone, self.checkpoints):
            shutil.rmtree(folder, ignore_errors=True)


def read_text(path: Path, most: int = MOST) -> str:
    """Return the text of a file; raise OSError or ValueError if it is not a file, too large or not UTF-8.

    A run directory may come from a stranger.
    """
    if path.exists() and not path.is_file():  # reading a pipe would block
        raise OSError("it is not a regular file")
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return data.decode("utf-8")


def _column(name: str) -> int:
    return ("epoch", "train_loss", "valid_loss", "", "time").index(name if name in _FIXED_COLUMNS else "")


def _epoch(cells: Mapping[str, str]) -> Row:
    """Read a row of history.csv; raise ValueError if it is not an epoch."""
    row = {name: float(value or "nan") for name, value in cells.items()}
    if not row.get("epoch", -1.0) >= 0 or not row["epoch"].is_integer():
        raise ValueError("a row has no number of an epoch")
    return row


def _check_order(rows: Sequence[Row]) -> None:
    """Raise ValueError unless the epochs rise from 0, the frozen head, to at most the last possible one."""
    numbers = [row["epoch"] for row in rows]
    if numbers and (numbers[0] != 0 or numbers[-1] > _LAST_EPOCH):
        raise ValueError(f"its epochs go from {numbers[0]:g} to {numbers[-1]:g}")
    if any(later <= number for number, later in pairwise(numbers)):
        raise ValueError("its epochs are not in order")


def _format_value(value: float) -> str:
    return f"{value:.6g}"


def round_trip(value: float) -> float:
    """Return a number as history.csv holds it: a resumed run must select the same epoch as an uninterrupted one.

    >>> round_trip(2 / 3)
    0.666667
    """
    return float(_format_value(value))


def create_directory(path: Path, options: TrainingOptions) -> TrainingRun:
    """Create and lock the directory, and write options.json."""
    run = TrainingRun(path)
    try:
        lock_run(path)
        run.write_json(OPTIONS, options.as_json())
    except CannotWrite:
        run.forget_checkpoints(keep=0)  # so that the command can be repeated
        raise
    return run


def lock_run(path: Path) -> None:
    """Lock the run for this process, and delete the temporary files of a killed one."""
    checkpoints = path / CHECKPOINTS
    with disk.write_errors_named(path):
        _check_inside(path)
        disk.make_folder(checkpoints)
    lock = Lock(checkpoints / LOCK)  # while this file exists, the run is unfinished
    if path.resolve() not in _locked:
        if not lock.acquire():
            raise RunBusy(
                f"another training is writing to {path}: {lock.describe_holder()}.",
                "Wait until it ends, or choose another folder with --out.",
            )
        for other in list(_locked):  # a program that trains again is done with its earlier run
            unlock_run(other)
        _locked[path.resolve()] = lock
    for left in path.iterdir():
        if _TEMPORARY.fullmatch(left.name):
            shutil.rmtree(left, ignore_errors=True)
            with suppress(OSError):
                disk.remove(left)


def _check_inside(path: Path) -> None:
    """Raise TrainingError unless all is files and folders: libraries read and write through links."""
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            inside = Path(folder) / name
            mode = inside.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise TrainingError(
                    f"{inside} is a link. A run only writes and deletes inside its own directory.",
                    "Replace the link by what it points to.",
                )
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise TrainingError(f"{inside} is neither a file nor a folder.", "Delete it.")


def discard_run() -> None:
    """Delete the run of this process if it has no weights yet: its options cannot work."""
    for path in list(_locked):
        if not (path / WEIGHTS).exists():
            TrainingRun(path).forget_checkpoints(keep=0)
            with suppress(OSError):
                for name in (OPTIONS, SPLITS):
                    disk.remove(path / name)
                path.rmdir()


def current_run() -> Path | None:
    """Return the run that this process writes; None before it starts and after it ends."""
    return next(iter(_locked), None)


def unlock_run(path: Path) -> None:
    """Unlock the run for other processes."""
    if lock := _locked.pop(path.resolve(), None):
        lock.release()
