"""Metrics: their values, their direction, and the errors for a bad cost matrix."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harvest.errors import UsageError
from harvest.training.metrics import read_cost_matrix
from harvest.training.metrics.metric_functions import LIFTED, NAMES, get_metric

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("coral", "king", "milk")
TARGETS = np.array([0, 0, 1, 1, 2, 2])
# Right, right, right, predicted as coral, right, predicted as king.
ANSWERS = np.array(
    [
        [0.8, 0.1, 0.1],
        [0.6, 0.3, 0.1],
        [0.2, 0.7, 0.1],
        [0.5, 0.4, 0.1],
        [0.1, 0.2, 0.7],
        [0.2, 0.5, 0.3],
    ]
)
PLAIN = tuple(name for name in NAMES if name not in {"cost_matrix_gain", "cumulative_lift", "custom"})


def measured(name: str, targets=TARGETS, answers=ANSWERS, labels=LABELS, **options) -> float:
    return get_metric(name, labels=labels, **options).measure(targets, answers)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy", 4 / 6),
        ("error_rate", 2 / 6),
        ("precision", (2 / 3 + 1 / 2 + 1) / 3),
        ("recall", (1 + 1 / 2 + 1 / 2) / 3),
        ("f1", (4 / 5 + 1 / 2 + 2 / 3) / 3),
        ("log_loss", -np.log([0.8, 0.6, 0.7, 0.4, 0.7, 0.3]).mean()),
        # Per class, the share of 2 x 4 pairs in which its image has the higher probability: 7 for king.
        ("roc_auc", (8 / 8 + 7 / 8 + 8 / 8) / 3),
        # Per class, the mean precision at its two images in the order of probability: first and third for king.
        ("average_precision", (1 + (1 / 1 + 2 / 3) / 2 + 1) / 3),
    ],
)
def test_values(name, value) -> None:
    """The common metrics have the values worked out by hand, averaged over classes with equal weight."""
    assert measured(name) == pytest.approx(value)


@pytest.mark.parametrize("name", PLAIN)
def test_direction_is_known(name) -> None:
    """A perfect network is better than a guess, in the direction that the metric states."""
    metric = get_metric(name, labels=LABELS)
    perfect, guess = (
        metric.measure(TARGETS, np.eye(3)[TARGETS]),
        metric.measure(TARGETS, np.full((6, 3), 1 / 3)),
    )

    assert (perfect > guess) == metric.greater_is_better
    assert metric.about
    assert metric.needs


@pytest.mark.parametrize("name", PLAIN)
def test_absent_class_is_ignored(name) -> None:
    """A class without images changes no average and raises no warning."""
    wider = np.hstack([ANSWERS, np.zeros((6, 1))])

    assert measured(name, answers=wider, labels=(*LABELS, "absent")) == pytest.approx(measured(name))


@pytest.mark.parametrize("name", PLAIN)
def test_never_predicted_class_counts(name) -> None:
    """A class that is never predicted counts as zero, so always predicting one class has a low score."""
    always = np.tile([1.0, 0.0, 0.0], (6, 1))

    value = measured(name, answers=always)

    assert math.isfinite(value)
    if name in {"precision", "recall", "f1"}:
        assert value < 0.4


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_nothing_to_measure(name, kind) -> None:
    """Without images, or with probabilities that are nan, a metric is nan without a warning."""
    assert math.isnan(measured(name, targets=[], answers=np.empty((0, 3), kind)))
    assert math.isnan(measured(name, answers=np.full((6, 3), np.nan, kind)))


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_one_class_alone_cannot_be_ranked(name) -> None:
    """Ranking metrics are nan if all images are of one class, and say what they need."""
    assert math.isnan(measured(name, targets=np.zeros(6, int)))
    assert get_metric(name, labels=LABELS).needs == "images of two classes"


def test_float32_probabilities() -> None:
    """Log loss accepts float32 probabilities, whose sum is not exactly 1."""
    assert measured("log_loss", answers=ANSWERS.astype(np.float32)) == pytest.approx(measured("log_loss"))


@pytest.mark.parametrize("name", ["Accuracy", " log-loss ", "ROC AUC"])
def test_spelling(name) -> None:
    """Case, dashes and spaces do not matter."""
    assert get_metric(name, labels=LABELS).name in PLAIN


def test_unknown_name() -> None:
    """The error for an unknown name suggests the closest one and lists all."""
    with pytest.raises(UsageError, match=r"no metric 'acuracy'\. Did you mean accuracy\?") as raised:
        get_metric("acuracy", labels=LABELS)

    assert all(name in raised.value.hint for name in NAMES)


# Cumulative lift


def test_lift_of_a_perfect_network() -> None:
    """A perfect network finds all images of the second class, a fifth of all, in the first two fifths."""
    targets = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    sure = np.column_stack([1 - targets, targets]).astype(float)

    assert measured("cumulative_lift", targets, sure, ("no", "yes")) == pytest.approx(1 / LIFTED)


def test_lift_of_a_guess() -> None:
    """Equal probabilities have a lift of 1, whatever the order of the images."""
    targets = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0])

    assert measured("cumulative_lift", targets, np.full((10, 2), 0.5), ("no", "yes")) == pytest.approx(1)
    assert math.isnan(measured("cumulative_lift", np.ones(4, int), np.full((4, 2), 0.5), ("no", "yes")))


def test_lift_says_which_class_and_share() -> None:
    """The description names the class and the share; more than two classes are an error."""
    assert get_metric("cumulative_lift", labels=("no", "yes")).about.startswith(
        "how many times more frequent yes is among the 40%"
    )
    with pytest.raises(UsageError, match="cumulative_lift is for two classes; there are 3"):
        get_metric("cumulative_lift", labels=LABELS)


# The cost matrix


@pytest.fixture
def matrix(tmp_path: Path):
    """Write a cost matrix and return its path."""

    def write(text: str | bytes, name: str = "costs.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


GOOD = ",coral,king,milk\ncoral,1,-9,-9\nking,-1,1,0\nmilk,-1,0,1\n"


def test_gain_is_of_the_best_decision(matrix) -> None:
    """The prediction is the one with the greatest expected gain, not the most probable class."""
    # Predicting king for a coral costs 9, so at 30 % coral predicting coral has the greater expected gain.
    answers = np.array([[0.3, 0.6, 0.1]])

    gain = get_metric("cost_matrix_gain", labels=LABELS, cost_matrix=matrix(GOOD))

    assert gain.measure([0], answers) == 1
    assert gain.measure([1], answers) == -1
    assert gain.measure([0, 1], np.vstack([answers, answers])) == 0
    assert gain.greater_is_better


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "\ufeff" + GOOD,
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t").replace("\n", "\r\n"),
        ",milk,coral,king,,\n\nking,0,-1,1,,\nmilk,1,-1,0\ncoral,-9,1,-9\n,,,\n",
        json.dumps(
            {
                "king": {"coral": -1, "king": 1, "milk": 0},
                "coral": {"coral": 1, "king": -9, "milk": -9},
                "milk": {"coral": -1, "king": 0, "milk": 1},
            }
        ),
    ],
)
def test_forms_of_a_matrix(matrix, text) -> None:
    """CSV with any separator, a byte-order mark, any order of classes, and JSON give the same matrix."""
    assert read_cost_matrix.read_cost_matrix(matrix(text), LABELS).tolist() == [
        [1, -9, -9],
        [-1, 1, 0],
        [-1, 0, 1],
    ]


def test_class_with_a_separator_in_its_name(matrix) -> None:
    """A class name with a comma or a quote is quoted as usual in CSV."""
    labels = ("a,b", 'c"d')

    assert read_cost_matrix.read_cost_matrix(matrix(',"a,b","c""d"\n"a,b",1,2\n"c""d",3,4\n'), labels).tolist() == [
        [1, 2],
        [3, 4],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"costs\.csv line 1: it does not list the classes"),
        (",coral,kng,milk\n", r"line 1: the column 'kng' is not a class\. Did you mean 'king'\?"),
        (",coral,king\n", r"line 1: there is no column for 'milk'"),
        (",coral,king,milk,king\n", r"line 1: the column 'king' occurs twice"),
        (GOOD.replace("\nking", "\nxyz"), r"line 3: the row 'xyz' is not a class\."),
        (GOOD.replace("\nmilk", "\nking"), r"line 4: the row 'king' occurs twice"),
        (",coral,king,milk\n\ncoral,1,2,3\n", r"costs\.csv: there is no row for 'king' and 1 more"),
        (GOOD.replace("-9,-9", "-9"), r"line 2: 2 numbers for 3 classes"),
        (GOOD.replace("-9,-9", "-9,x"), r"line 2: 'x' is not a number"),
        (GOOD.replace("-9,-9", "-9,nan"), r"line 2: 'nan' is not a number"),
        (GOOD.replace("coral,1", '"coral,1'), r"line 2: a quote is not closed"),
        (b",coral\xff\n", r"line 1: byte 0xFF is not UTF-8"),
        ('{"coral": {"coral": 1,}\n}', r"costs\.csv line 1: "),
        ("[[1, 2], [3, 4]]", r"JSON must be"),
        ('{"coral": {"coral": "much"}}', r"'coral', 'coral': 'much' is not a number"),
        ('{"coral": {"coral": true}}', r"'coral', 'coral': True is not a number"),
        ('{"coral": {"coral": 1}}', r"there is no row for 'king' and 1 more"),
        ("[" * 100_000, r"costs\.csv"),
    ],
)
def test_bad_matrix(matrix, text, message) -> None:
    """An error in a cost matrix names the file and the line."""
    with pytest.raises(UsageError, match=message):
        read_cost_matrix.read_cost_matrix(matrix(text), LABELS)


def test_matrix_that_reads_like_costs_is_warned_of(matrix) -> None:
    """A wrong prediction with a greater gain than the correct one raises a warning: the cells look like costs."""
    (messages,) = read_cost_matrix.cost_matrix_warnings(
        matrix(",coral,king,milk\ncoral,0,9,1\nking,1,0,0\nmilk,0,0,0\n"), LABELS
    )

    assert (
        "predicting 'king' for 'coral' gains 9, more than the correct prediction, 0 (1 more classes like this)."
        in messages
    )
    assert "Cells are gains: write a cost as a negative number." in messages
    assert not list(read_cost_matrix.cost_matrix_warnings(matrix(GOOD), LABELS))


def test_matrix_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a folder, a huge file and a missing option are errors."""
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(9 << 20)

    for path, message in (
        (tmp_path / "no", "cannot be read"),
        (tmp_path, "cannot be read"),
        (huge, "has more than"),
    ):
        with pytest.raises(UsageError, match=message):
            read_cost_matrix.read_cost_matrix(path, LABELS)
    with pytest.raises(UsageError, match="needs --cost-matrix FILE"):
        get_metric("cost_matrix_gain", labels=LABELS)


# The user's own metric

OWN = """
def worst_class(targets, probabilities):
    called = probabilities.argmax(axis=1)
    return min((called[targets == each] == each).mean() for each in set(targets))

def distance(targets, probabilities):
    return 0.5

distance.greater_is_better = False

def text(targets, probabilities):
    return "good"

def fails(targets, probabilities):
    return targets / None

number = 3
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch) -> None:
    """Write a module of metrics into the working directory."""
    (tmp_path / "own_metrics.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("own")
def test_own_metric() -> None:
    """A function of targets and probabilities is a metric; an attribute reverses its direction."""
    metric = get_metric("custom", labels=LABELS, custom="own_metrics:worst_class")

    assert metric.measure(TARGETS, ANSWERS) == 0.5
    assert (metric.name, metric.greater_is_better) == ("custom", True)
    assert not get_metric("own_metrics:distance", labels=LABELS).greater_is_better


def test_own_metric_beside_the_tree(tmp_path: Path) -> None:
    """The module may also be next to the dataset folder, whatever the working directory is."""
    (tmp_path / "metrics_beside.py").write_text(OWN)

    metric = get_metric("custom", labels=LABELS, custom="metrics_beside:worst_class", data=tmp_path / "snakes")

    assert metric.measure(TARGETS, ANSWERS) == 0.5


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("place", "message"),
    [
        (None, "needs --metric module:function"),
        ("own_metrics:number", "own_metrics:number is not a function"),
        ("own_metrics:text", "returned str 'good'"),
        ("own_metrics:fails", r"--metric own_metrics:fails failed at .*TypeError"),
        ("own_metrics:absent", "own_metrics"),
        ("no_such_module:x", "no_such_module"),
    ],
)
def test_invalid_own_metric(place, message) -> None:
    """An invalid metric is an error before the training."""
    with pytest.raises(UsageError, match=message):
        get_metric("custom", labels=LABELS, custom=place)
