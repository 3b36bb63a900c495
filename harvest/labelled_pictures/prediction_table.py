"""The table predictions.csv of a training run: what a network predicts for images that it was not trained on."""

from __future__ import annotations

import csv
import io
import math
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from harvest.files import disk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # a spreadsheet would run such a cell


class Prediction(NamedTuple):
    """The prediction for an image by a network that was not trained on it; the columns of predictions.csv.

    `fold` is the fold in which the image was held out; -1 if it never was, then the numbers are NaN.
    """

    path: str  # relative to the tree
    content: str
    label: str
    predicted: str
    p_label: float
    p_predicted: float
    loss: float
    fold: int

    @property
    def is_wrong(self) -> bool:
        """Whether the network predicts another class."""
        return bool(self.predicted) and self.predicted != self.label


def write_predictions(path: Path, rows: Iterable[Prediction]) -> None:
    """Write predictions.csv; NaN is an empty cell, and text that a spreadsheet would run is escaped."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(Prediction._fields)
    table.writerows([_cell(value) for value in row] for row in rows)
    disk.write_atomically(path, out.getvalue().encode("utf-8", "backslashreplace"))


def read_predictions(path: Path) -> dict[str, Prediction]:
    """Read the predictions of predictions.csv by content hash; rows that are not predictions are skipped.

    The path, label and predicted class are as they are in the file: text that a spreadsheet would run is escaped.
    """
    found: dict[str, Prediction] = {}
    with suppress(OSError, csv.Error), path.open(encoding="utf-8", errors="replace", newline="") as file:
        for cells in csv.DictReader(line.replace("\0", "") for line in file):
            with suppress(KeyError, TypeError, ValueError):
                row = _parse(cells)
                found[row.content] = row
    return found


def read_newest_predictions(runs: Path) -> dict[str, Prediction]:
    """Return the out-of-fold predictions of the newest run in a folder of runs; empty without any."""
    files: list[tuple[int, Path]] = []
    with suppress(OSError):
        files.extend((path.stat().st_mtime_ns, path) for path in runs.glob("*/predictions.csv") if path.is_file())
    for _, path in sorted(files, reverse=True):
        rows = read_predictions(path).items()
        if held_out := {content: each for content, each in rows if each.fold >= 0 and math.isfinite(each.p_predicted)}:
            return held_out
    return {}


def order_by_loss(predictions: Iterable[Prediction]) -> list[Prediction]:
    """Return the predictions for images that were held out, the highest loss first.

    The loss of an image that a network was trained on is low even if its label is wrong.
    """
    held_out = (each for each in predictions if each.fold >= 0 and math.isfinite(each.loss))
    return sorted(held_out, key=lambda each: (-each.loss, each.path))


def _parse(cells: Mapping[str, str]) -> Prediction:
    """Parse a row; raise KeyError, TypeError or ValueError if it is not a prediction."""
    path, content, label, predicted = (cells[name] + "" for name in ("path", "content", "label", "predicted"))
    p_label, p_predicted, loss = (float(cells[name] or "nan") for name in ("p_label", "p_predicted", "loss"))
    return Prediction(path, content, label, predicted, p_label, p_predicted, loss, int(cells["fold"]))


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        text = value.replace("\r", "\\r")  # Python's csv does not quote it, and readers would end the row
        return f"'{text}" if value.startswith(_FORMULA) else text
    return f"{value:.6g}" if math.isfinite(value) else ""
