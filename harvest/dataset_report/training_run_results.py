"""Read the newest training run of a dataset for its report: curves, confusion matrix and highest losses."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harvest import charts
from harvest.counts_as_text import count
from harvest.errors import HarvestError
from harvest.html_report.number_format import percent
from harvest.labelled_pictures.prediction_table import read_predictions
from harvest.training.choose_run_directory import newest_run
from harvest.training.report import ReportData
from harvest.training.report.mistakes import list_worst
from harvest.training.report.training_charts import epoch_charts
from harvest.training.run_directory import DONE, TrainingRun, read_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from markupsafe import Markup

    from harvest.labelled_pictures.prediction_table import Prediction

WORST = 12  # images with the highest loss
_LABELS = 1000  # classes of which a confusion matrix is computed
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class RunResults:
    """What the report shows of a training run."""

    name: str
    summary: str
    curves: Sequence[Markup]
    matrix: Markup | None
    worst: Sequence[Prediction]


def read_newest_run(root: Path) -> RunResults | None:
    """Read the newest run next to a dataset; None if there is none, or nothing in it can be read."""
    path = newest_run(root)
    if path is None:
        return None
    run = TrainingRun(path)
    try:
        history = run.history()
    except HarvestError:
        history = []
    answers = [each for each in read_predictions(path / "predictions.csv").values() if _is_held_out(each)]
    labels = sorted({name for each in answers for name in (each.label, each.predicted)})
    return RunResults(
        path.name,
        _summarize(path, answers),
        list(epoch_charts(ReportData(path.name, labels, history=history))),
        _draw_matrix(answers, labels),
        list_worst(answers)[:WORST],
    )


def _is_held_out(prediction: Prediction) -> bool:
    return prediction.fold >= 0 and math.isfinite(prediction.p_predicted) and bool(prediction.predicted)


def _summarize(path: Path, answers: Sequence[Prediction]) -> str:
    """Return the accuracy of the saved network, and of the predictions that the matrix counts."""
    sentences = []
    if (measured := _read_accuracy(path)) is not None:
        part, accuracy = measured
        sentences.append(f"The saved network predicts {percent(accuracy)} of the {part} images correctly.")
    if answers:
        right = sum(not each.is_wrong for each in answers)
        share = percent(right / len(answers))
        sentences.append(
            f"Of {count(len(answers), 'image')}, {share} are predicted correctly by a network that was not trained "
            "on them."
        )
    return " ".join(sentences)


def _read_accuracy(path: Path) -> tuple[str, float] | None:
    """Return the part that counts most and the accuracy on it, from metrics.json; None for anything unexpected."""
    try:
        document = json.loads(read_text(path / DONE))
        parts = document["candidates"][document["saved"]]
        for part in ("test", "valid"):
            if part in parts and isinstance(accuracy := parts[part]["accuracy"], float) and 0 <= accuracy <= 1:
                return part, accuracy
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        pass
    return None


def _draw_matrix(answers: Sequence[Prediction], labels: Sequence[str]) -> Markup | None:
    if not 0 < len(labels) <= _LABELS:
        return None
    numbers = {label: number for number, label in enumerate(labels)}
    matrix = np.zeros((len(labels), len(labels)), np.int64)
    for each in answers:
        matrix[numbers[each.label], numbers[each.predicted]] += 1
    caption = f"Confusion matrix of {count(len(answers), 'image')}, out-of-fold"
    return charts.confusion(matrix, [label[:_LONGEST_NAME] for label in labels], caption=caption)
