"""Stories of trainings that never were, with drawn images: small and plain, large, empty, hostile."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harvest.labelled_pictures.image_reader import ImageReader
from harvest.labelled_pictures.load_pictures import SplitPart
from harvest.labelled_pictures.prediction_table import Prediction
from harvest.training.calibrate_saved_network import Calibration
from harvest.training.measure_none_of_these import AcceptedShare
from harvest.training.metrics.evaluate_predictions import evaluate_part
from harvest.training.metrics.metric_functions import get_metric
from harvest.training.metrics.temperature_and_calibration_error import ReliabilityBin
from harvest.training.report import Candidate, RateSearch, ReportData
from tests.pictures import encoded, photo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

METRICS = ("accuracy", "f1", "roc_auc")


class Point(NamedTuple):
    """A point of the learning curve."""

    per_class: float
    accuracy: float
    low: float
    high: float


def curve(*accuracies: float) -> list[Point]:
    """Return a learning curve whose points double the images from five on."""
    return [Point(5 * 2**i, each, each - 0.03, min(1, each + 0.03)) for i, each in enumerate(accuracies)]


def make_predictions(labels: Sequence[str], per: int, names: Sequence[str] = ()) -> list[Prediction]:
    """Make predictions of so many images a class; the first of every five is taken for the next class."""
    rows = []
    for number, label in enumerate(labels):
        for i in range(per):
            wrong = i % 5 == 0
            messages = labels[(number + 1) % len(labels)] if wrong else label
            sure = 0.6 + 0.39 * ((i * 7 + number) % 10) / 10
            mine = 1 - sure if wrong else sure
            name = names[i % len(names)] if names else f"{i}.jpg"
            content = f"{number * per + i:064x}"
            rows.append(Prediction(f"{number}/{name}", content, label, messages, mine, sure, -math.log(mine), i % 5))
    return rows


def evaluate_rows(labels: Sequence[str], rows: Sequence[Prediction], part: str):
    """Judge a network that says what these predictions say."""
    metrics = [get_metric(name, labels=labels) for name in METRICS]
    answers = np.full((len(rows), len(labels)), 0.0)
    for answer, row in zip(answers, rows, strict=True):
        answer[labels.index(row.label)] = row.p_label
        answer[labels.index(row.predicted)] = row.p_predicted
    return evaluate_part(part, [labels.index(row.label) for row in rows], answers, labels, metrics)


def draw_images(tree: Path, rows: Sequence[Prediction]) -> Path:
    """Draw the images that are spoken of."""
    for seed, row in enumerate(rows):
        path = tree / row.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_draw(seed % 40))
    return tree


@cache
def _draw(seed: int) -> bytes:
    return encoded(photo(160, 120, seed))


def snakes_report(tree: Path, labels: Sequence[str] = ("coral snake", "king snake"), per: int = 20) -> ReportData:
    """Tell a whole training, its images drawn."""
    labels = tuple(labels)
    rows = make_predictions(labels, per)
    draw_images(tree, rows)
    valid, test = rows[::2], rows[1::2]
    epochs = range(5)
    return ReportData(
        title="snakes",
        labels=labels,
        images=ImageReader(tree),
        network="resnet34",
        line="harvest train snakes --lr find",
        began="2026-11-21 09:41",
        seconds=97.4,
        split={label: {"train": per * 7 // 10, "valid": per // 5, "test": per // 10} for label in labels},
        notes=["2 groups met and went to train."],
        warnings=["coral snake has 12 images, under 20."],
        skipped=[("coral snake/a.tif", "TIFF")],
        history=[
            {
                "epoch": float(epoch),
                "train_loss": 1 / (epoch + 1) if epoch else math.nan,
                "valid_loss": 0.9 / (epoch + 1),
                "accuracy": 0.7 + epoch / 20,
                "time": 12.5,
            }
            for epoch in epochs
        ],
        kept=3.0,
        candidates=[
            Candidate("frozen head", [evaluate_rows(labels, valid, "valid")], answers=valid),
            Candidate(
                "fine-tuned",
                [evaluate_rows(labels, valid, "valid"), evaluate_rows(labels, test, "test")],
                saved=True,
                answers=[*valid, *test],
            ),
        ],
        metrics=[get_metric(name, labels=labels) for name in METRICS],
        predictions=rows,
        learning_curve=curve(0.7, 0.8, 0.85),
        search=RateSearch([(10 ** (i / 5 - 6), 2 - i / 20 + max(0, i - 22) ** 2 / 9) for i in range(26)], 3e-4),
        calibration=Calibration(
            1.2,
            SplitPart.TEST,
            before=(ReliabilityBin(4, 0.3, 0.4), ReliabilityBin(16, 0.95, 0.9)),
            after=(ReliabilityBin(4, 0.3, 0.5), ReliabilityBin(16, 0.91, 0.9)),
            accepted=(AcceptedShare(0.95, 0.51, 0.06, 0.2), AcceptedShare(0.99, 0.44, 0.0, math.nan)),
        ),
        options={"epochs": 4, "seed": 42},
        versions={"harvest": "0.1.0"},
    )


HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "\"'><script>alert(2)</script>",
    "\u202egpj.exe",
    "نمر ابيض كبير جدا",
    "🐍\u200d🔥 snake",
    "a" * 200,
    "\udcff\x1b[31m",
    "{{ 7 * 7 }}{% raw %}",
)
FILES = (
    "<svg onload=alert(3)>.jpg",
    '" onmouseover="alert(4).jpg',
    "javascript:alert(5).jpg",
    "100% #?&.jpg",
    "\u202egpj.jpg",
    "b" * 200 + ".jpg",
)


def hostile(tree: Path) -> ReportData:
    """Tell a training whose every text was written by somebody who means harm."""
    rows = make_predictions(HOSTILE, 10, FILES)
    result = snakes_report(tree, HOSTILE, 10)
    draw_images(tree, rows)
    return replace(
        result,
        title="<b>title</b> \u202e" + "T" * 120,
        network="n" * 200,
        line="harvest train '<script>alert(6)</script>' " + "x" * 300,
        began="<u>",
        warnings=["<script>alert(7)</script>" + "w" * 300],
        notes=["</main></body><style>body{display:none}</style>"],
        skipped=[(f"<img src=http://example.test/{i} onerror=alert(8)>" + "s" * 200, "<b>") for i in range(150)],
        candidates=[
            replace(each, name="<i>" + "c" * 150, answers=rows if each.saved else ()) for each in result.candidates
        ],
        predictions=rows,
        options={"<b>" + "o" * 100: "<i>" + "v" * 300},
        versions={"</style><script>": "alert(9)"},
    )


def diverged() -> ReportData:
    """Tell a training that came to nothing: not one number in it."""
    labels = ("a", "b", "c")
    metrics = [get_metric(name, labels=labels) for name in METRICS]
    return ReportData(
        title="diverged",
        labels=labels,
        candidates=[
            Candidate(
                "fine-tuned",
                [
                    evaluate_part("valid", [0, 1, 2] * 5, np.full((15, 3), math.nan), labels, metrics),
                    evaluate_part("test", [], np.empty((0, 3)), labels, metrics),
                ],
                saved=True,
            )
        ],
        metrics=metrics,
        history=[dict.fromkeys(("train_loss", "valid_loss", "accuracy"), math.nan) | {"epoch": 1.0}],
        learning_curve=[Point(5, math.nan, math.nan, math.nan)],
        search=RateSearch([(1e-6, math.nan), (1e-5, math.inf)], 1e-5),
        seconds=0.0,
    )
