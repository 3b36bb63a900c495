"""The results of a run as rows and as a file: the predictions of all images, and metrics.json."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np

from harvest.files import disk
from harvest.labelled_pictures.prediction_table import Prediction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike

    from harvest.labelled_pictures.load_pictures import LabelledPictures
    from harvest.training.metrics.evaluate_predictions import PartEvaluation

_LEAST = 1e-12  # a lower bound of probabilities, so that losses are finite: a float32 softmax reaches 0


def predictions(pictures: LabelledPictures, probabilities: ArrayLike, folds: ArrayLike) -> list[Prediction]:
    """Return the predictions of all images, in their order."""
    found = []
    values = np.asarray(probabilities, np.float64).reshape(len(pictures.examples), len(pictures.labels))
    for example, target, row, fold in zip(
        pictures.examples, pictures.targets, values, np.asarray(folds, np.int64), strict=True
    ):
        is_finite = bool(np.isfinite(row).all())
        best = int(row.argmax())
        found.append(
            Prediction(
                path=example.path,
                content=example.content,
                label=example.label,
                predicted=pictures.labels[best] if is_finite else "",
                p_label=float(row[target]) if is_finite else math.nan,
                p_predicted=float(row[best]) if is_finite else math.nan,
                loss=-math.log(max(float(row[target]), _LEAST)) if is_finite else math.nan,
                fold=int(fold),
            )
        )
    return found


def write_metrics(
    path: Path, evaluations: Mapping[str, Sequence[PartEvaluation]], *, saved: str, **facts: object
) -> None:
    """Write metrics.json: the metrics of each candidate on each part, which one is saved, and other facts."""
    document = {
        **facts,
        "saved": saved,
        "candidates": {
            name: {evaluation.part: evaluation.as_json() for evaluation in parts} for name, parts in evaluations.items()
        },
    }
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    disk.write_atomically(path, (text + "\n").encode("utf-8", "backslashreplace"))
