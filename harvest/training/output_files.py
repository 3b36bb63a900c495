"""What a run writes down for programs and spreadsheets: predictions.csv and metrics.json."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harvest.files import disk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike

    from harvest.training.metrics.evaluate_predictions import PartEvaluation
    from harvest.training.pictures.labelled_pictures import LabelledPictures

_LEAST = 1e-12  # a probability, so that a loss is finite: a float32 softmax comes to 0
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # a spreadsheet would run the cell


class Prediction(NamedTuple):
    """What a network that was not trained on a picture makes of it; the columns of predictions.csv.

    `fold` is the fold that the picture was held out in, -1 where it never was: then the rest is not a number.
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
        """Tell whether the network would have put it into another class."""
        return bool(self.predicted) and self.predicted != self.label


def predictions(album: LabelledPictures, probabilities: ArrayLike, folds: ArrayLike) -> list[Prediction]:
    """Lay out-of-fold probabilities beside the pictures, in the album's order."""
    found = []
    chances = np.asarray(probabilities, np.float64).reshape(len(album.examples), len(album.labels))
    for example, target, row, fold in zip(
        album.examples, album.targets, chances, np.asarray(folds, np.int64), strict=True
    ):
        answered = bool(np.isfinite(row).all())
        called = int(row.argmax())
        found.append(
            Prediction(
                path=example.path,
                content=example.content,
                label=example.label,
                predicted=album.labels[called] if answered else "",
                p_label=float(row[target]) if answered else math.nan,
                p_predicted=float(row[called]) if answered else math.nan,
                loss=-math.log(max(float(row[target]), _LEAST)) if answered else math.nan,
                fold=int(fold),
            )
        )
    return found


def write_predictions(path: Path, rows: Iterable[Prediction]) -> None:
    """Write predictions.csv; what cannot be said is an empty cell, and no file name is a formula."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(Prediction._fields)
    table.writerows([_cell(value) for value in row] for row in rows)
    disk.write_atomically(path, out.getvalue().encode("utf-8", "backslashreplace"))


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        text = value.replace("\r", "\\r")  # which Python's csv leaves bare, to be read as the end of a row
        return f"'{text}" if value.startswith(_FORMULA) else text
    return f"{value:.6g}" if math.isfinite(value) else ""


def write_metrics(
    path: Path, judgements: Mapping[str, Sequence[PartEvaluation]], *, saved: str, **facts: object
) -> None:
    """Write metrics.json: what each candidate is worth on each part, which was saved, and other facts."""
    document = {
        **facts,
        "saved": saved,
        "candidates": {
            name: {judgement.part: judgement.as_json() for judgement in parts} for name, parts in judgements.items()
        },
    }
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    disk.write_atomically(path, (text + "\n").encode("utf-8", "backslashreplace"))
