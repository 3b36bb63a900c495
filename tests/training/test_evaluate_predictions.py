"""Judgements, and what is written down of them."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harvest.labelled_pictures.prediction_table import write_predictions
from harvest.training.metrics.evaluate_predictions import (
    ConfusedPair,
    combine_parts,
    evaluate_part,
    list_confused_pairs,
    wilson_interval,
)
from harvest.training.metrics.metric_functions import get_metric
from harvest.training.result_files import predictions, write_metrics

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("coral", "king", "milk")
TARGETS = [0, 0, 0, 0, 1, 1]
CALLED = [0, 0, 0, 1, 1, 0]
SURE = np.eye(3)


def judged(targets=TARGETS, called=CALLED, part="valid"):
    metrics = [get_metric(name, labels=LABELS) for name in ("accuracy", "roc_auc")]
    return evaluate_part(part, targets, SURE[called] if len(called) else np.empty((0, 3)), LABELS, metrics)


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(79, 85, 0.8544, 0.9672), (0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (1, 1, 0.2065, 1), (0, 0, 0, 1)],
)
def test_interval(right, count, low, high) -> None:
    """The interval is Wilson's: inside 0 and 1, and never a point, however few images there are."""
    assert wilson_interval(right, count) == pytest.approx((low, high), abs=1e-4)


def test_judgement() -> None:
    """A judgement counts what is right, overall and class by class."""
    judgement = judged()
    coral, king, milk = judgement.per_class

    assert (judgement.count, judgement.right, judgement.accuracy) == (6, 4, 4 / 6)
    assert judgement.low < judgement.accuracy < judgement.high
    assert judgement.confusion.tolist() == [[3, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert (coral.count, coral.called, coral.right) == (4, 4, 3)
    assert (coral.precision, coral.recall, coral.f1) == (0.75, 0.75, 0.75)
    assert (king.precision, king.recall, king.f1) == (0.5, 0.5, 0.5)
    assert all(map(math.isnan, (milk.precision, milk.recall, milk.f1)))
    assert judgement.metrics["accuracy"] == pytest.approx(4 / 6)


def test_no_pictures() -> None:
    """A part without images is judged too: nothing is known of it."""
    judgement = judged([], [])

    assert (judgement.count, judgement.low, judgement.high) == (0, 0, 1)
    assert math.isnan(judgement.accuracy)
    assert math.isnan(judgement.metrics["roc_auc"])
    assert not judgement.confusion.any()


def test_pictures_without_an_answer_are_counted_apart() -> None:
    """An image that went away is neither right nor wrong, and does not spoil the metrics of the others."""
    answers = SURE[CALLED].copy()
    answers[3] = np.nan

    judgement = evaluate_part("valid", TARGETS, answers, LABELS, [get_metric("accuracy", labels=LABELS)])

    assert (judgement.count, judgement.right, judgement.lost) == (5, 4, 1)
    assert judgement.metrics["accuracy"] == 4 / 5


def test_together() -> None:
    """Several parts make one judgement: images are counted, metrics are not averaged."""
    both = combine_parts([judged(), judged([2], [2], "test")])

    assert both is not None
    assert (both.part, both.count, both.right, both.metrics) == ("valid and test", 7, 5, {})
    assert both.per_class[2].recall == 1
    assert combine_parts([]) is None


def test_confused_pairs() -> None:
    """Pairs are unordered, most often confused first; each begins with the class that is mistaken more."""
    confusion = np.array([[9, 1, 0], [4, 9, 1], [0, 0, 9]])

    assert list_confused_pairs(confusion, LABELS) == [
        ConfusedPair("king", "coral", 4, 1),
        ConfusedPair("king", "milk", 1, 0),
    ]
    assert list_confused_pairs(np.eye(3, dtype=int), LABELS) == []


# What is written down


@dataclass(frozen=True)
class Example:
    """An image of the album, as far as it matters here."""

    path: str
    label: str
    content: str


@dataclass(frozen=True)
class Album:
    """Images and classes."""

    examples: tuple[Example, ...]
    labels: tuple[str, ...]

    @property
    def targets(self) -> np.ndarray:
        """The numbers of the images' classes."""
        return np.array([self.labels.index(example.label) for example in self.examples])


def labelled(*paths: str, labels=LABELS) -> Album:
    """Make an album of images that lie in these places."""
    examples = (Example(path, path.split("/", 1)[0], f"{number:064x}") for number, path in enumerate(paths))
    return Album(tuple(examples), labels)


def test_predictions(tmp_path: Path) -> None:
    """predictions.csv holds every image in the album's order, by the columns that are promised."""
    rows = predictions(
        labelled("coral/a.jpg", "king/b.jpg", "milk/c.jpg"),
        [[0.7, 0.2, 0.1], [0.8, 0.2, 0.0], [np.nan] * 3],
        [2, 0, -1],
    )
    write_predictions(tmp_path / "predictions.csv", rows)

    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8") as file:
        header, *read = csv.reader(file)
    assert header == ["path", "content", "label", "predicted", "p_label", "p_predicted", "loss", "fold"]
    assert read == [
        ["coral/a.jpg", f"{0:064x}", "coral", "coral", "0.7", "0.7", "0.356675", "2"],
        ["king/b.jpg", f"{1:064x}", "king", "coral", "0.2", "0.8", "1.60944", "0"],
        ["milk/c.jpg", f"{2:064x}", "milk", "", "", "", "", "-1"],
    ]
    assert [row.is_wrong for row in rows] == [False, True, False]


def test_certain_mistake_has_a_finite_loss() -> None:
    """A network that gives the truth no chance at all is very wrong, and its loss still a number."""
    (row,) = predictions(labelled("king/a.jpg"), [[1.0, 0.0, 0.0]], [0])

    assert 20 < row.loss < 40


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\n=x", "＝1"])
def test_T07_no_name_is_a_formula(tmp_path: Path, name) -> None:
    """A class whose name a spreadsheet would run is written as text; content still tells the image."""
    rows = predictions(labelled(f"{name}/a.jpg", labels=("a", name)), [[0.1, 0.9]], [0])
    write_predictions(tmp_path / "predictions.csv", rows)

    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    text = name.replace("\r", "\\r")
    assert (row["path"], row["label"], row["predicted"]) == (f"'{text}/a.jpg", f"'{text}", f"'{text}")
    assert row["content"] == f"{0:064x}"


@pytest.mark.parametrize("name", ['a,"b"', "two\nlines", "\udcff\udcfe", "蛇 🐍", "\u202egpj"])
def test_odd_names_are_written(tmp_path: Path, name) -> None:
    """Any name that a file can have is written, also one that is no text in any encoding."""
    write_predictions(tmp_path / "x.csv", predictions(labelled(f"{name}/a.jpg", labels=("a", name)), [[0.1, 0.9]], [0]))
    write_metrics(tmp_path / "metrics.json", {name: [judged()]}, saved=name)

    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 1
    assert json.loads((tmp_path / "metrics.json").read_text("utf-8"))["saved"] == name


def test_metrics_json(tmp_path: Path) -> None:
    """metrics.json holds each candidate's figures on each part; what cannot be measured is null."""
    path = tmp_path / "metrics.json"
    write_metrics(
        path, {"frozen head": [judged()], "fine-tuned": [judged([0, 0], [0, 0])]}, saved="fine-tuned", epoch=3
    )

    document = json.loads(path.read_text("utf-8"), parse_constant=pytest.fail)
    assert (document["saved"], document["epoch"]) == ("fine-tuned", 3)
    assert document["candidates"]["fine-tuned"]["valid"]["metrics"] == {"accuracy": 1.0, "roc_auc": None}
    valid = document["candidates"]["frozen head"]["valid"]
    assert (valid["right"], valid["count"], valid["accuracy"]) == (4, 6, 0.666667)
    assert valid["interval_95"] == [pytest.approx(0.3, abs=0.01), pytest.approx(0.9, abs=0.01)]
    assert valid["classes"][2] == {
        "label": "milk", "count": 0, "called": 0, "right": 0, "precision": None, "recall": None, "f1": None,
        "low": 0.0, "high": 1.0,
    }  # fmt: skip
    assert valid["confusion"] == [[3, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_rewriting_leaves_one_file(tmp_path: Path) -> None:
    """Written again, as a resumed run does, both files are replaced as a whole."""
    for count in (3, 1):
        write_predictions(
            tmp_path / "predictions.csv",
            predictions(labelled(*["coral/a.jpg"] * count), [[1.0, 0, 0]] * count, [0] * count),
        )

    assert [path.name for path in tmp_path.iterdir()] == ["predictions.csv"]
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 2


def test_of_many_classes_only_what_is_confused_is_written() -> None:
    """A matrix of two thousand classes would be four million numbers, nearly all of them nothing."""
    labels = [f"class {number}" for number in range(300)]
    answers = np.eye(300)[[0, 7, 2]]
    result = evaluate_part("valid", [0, 1, 2], answers, labels, []).as_json()["confusion"]
    assert result == {
        "class 0": {"class 0": 1},
        "class 1": {"class 7": 1},
        "class 2": {"class 2": 1},
    }
