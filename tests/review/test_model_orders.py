"""Orders, filters and the confusion matrix of a training run on the review page's server."""

from __future__ import annotations

import multiprocessing
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harvest.labelled_pictures.prediction_table import Prediction, write_predictions
from harvest.open_review import feature_process
from harvest.open_review.newest_run import NewestRun
from tests.datasets import jpeg, name, sha
from tests.review.reviews import Review, wait_for

if TYPE_CHECKING:
    from pathlib import Path

KINGS, CORALS = range(25), range(100, 110)
ODD = 7  # a king that resembles no other image
LIKE_CORALS = 9  # a king that resembles the corals


def write_features(root: Path, *, missing: int = -1) -> None:
    """Write features as a training does: one direction for each class, and two kings that have another one."""
    pytest.importorskip("safetensors")
    from harvest.training.features.feature_cache import FeatureCache  # noqa: PLC0415 - needs safetensors

    noise = np.random.default_rng(0).normal(scale=0.05, size=(200, 3)).astype(np.float32)
    directions = {number: [1, 0, 0] for number in KINGS} | {number: [0, 1, 0] for number in CORALS}
    directions |= {ODD: [0, -0.2, 1], LIKE_CORALS: [0, 1, 0.3]}
    features = {
        sha(jpeg(number)): np.asarray(direction, np.float32) + noise[number]
        for number, direction in directions.items()
        if number != missing
    }
    folder = root.with_name("dataset.runs") / "cache"
    FeatureCache(folder / f"features-{'a' * 32}.safetensors", (3,)).add(features, say=pytest.fail)


def write_run(root: Path) -> None:
    """Write the predictions of a run: king 3 is taken for a coral with certainty, king 4 less so."""
    folder = root.with_name("dataset.runs") / "first"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    losses = dict.fromkeys(KINGS, 0.1) | {3: 4.0, 4: 2.0}
    rows = [
        Prediction(f"king/{name(k)}", sha(jpeg(k)), "king", "coral" if loss > 1 else "king", 0.1, 0.9, loss, fold=0)
        for k, loss in losses.items()
    ]
    write_predictions(folder / "predictions.csv", rows)


def open_review(root: Path) -> Review:
    return Review(root, model=NewestRun(root))


def ids_of(review: Review, *numbers: int) -> list[int]:
    files = review.files()
    return [files[f"{'king' if number < 100 else 'coral'}/{name(number)}"] for number in numbers]


def test_the_order_of_loss_is_that_of_the_predictions(root: Path) -> None:
    """The highest out-of-fold loss comes first, with what the model predicts; images without one come last."""
    write_run(root)
    with open_review(root) as review:
        items = review.get("/api/items", order="loss")
        assert items["id"][:2] == ids_of(review, 3, 4)
        assert [items["classes"][items["predicted"][row]] for row in (0, 2)] == ["coral", "king"]
        assert (items["p"][0], items["predicted"][-1]) == (0.9, -1)
        assert len(items["id"]) == len(KINGS) + len(CORALS)
        assert review.ids(order="loss", predicted="coral") == ids_of(review, 3, 4)


def test_the_confusion_matrix_follows_the_classes(root: Path) -> None:
    """The matrix counts the images in the class folders by class and prediction, for the classes they have now."""
    write_run(root)
    with open_review(root) as review:
        matrix = review.get("/api/confusion")
        assert (matrix["run"], matrix["classes"], matrix["hidden"]) == ("first", ["coral", "king"], 0)
        assert matrix["cells"] == [[1, 0, 2], [1, 1, 23]]
        review.decide("move", ids_of(review, 3), value="coral")
        review.decide("reject", ids_of(review, 4))
        assert review.get("/api/confusion")["cells"] == [[0, 0, 1], [1, 1, 23]]


def test_features_order_odd_ones_and_look_alikes(root: Path) -> None:
    """By features come first the odd one of its class, the one like another class, and what resembles an image."""
    write_features(root, missing=105)
    with open_review(root) as review:
        odd, like_corals, coral = ids_of(review, ODD, LIKE_CORALS, 100)
        assert review.ids(order="odd")[0] in (odd, like_corals)
        assert set(review.ids(order="odd", **{"class": "king"})[:2]) == {odd, like_corals}
        assert review.ids(order="other")[0] == like_corals
        similar = review.ids(order="similar", like=coral)
        assert similar[0] == coral
        assert set(similar[1:10]) <= set(ids_of(review, *CORALS, LIKE_CORALS))
        assert similar[-1] == ids_of(review, 105)[0]
        assert review.get("/api/state")["model"]["missing"] == 1


def test_without_a_run_the_state_has_the_command(review: Review) -> None:
    """Without a run there is nothing to order by, and the state has the command that trains; computing is an error."""
    model = review.get("/api/state")["model"]
    assert (model["run"], model["has_predictions"], model["has_features"]) == ("", False, False)
    assert model["train"].startswith("harvest train ")
    assert len(review.ids(order="odd")) == len(KINGS) + len(CORALS)
    assert review.get("/api/confusion")["cells"] == []


def test_a_run_that_ends_while_the_page_is_open_is_found(root: Path) -> None:
    """The predictions of a training that ends are used without a restart."""
    with open_review(root) as review:
        assert not review.get("/api/state")["model"]["has_predictions"]
        write_run(root)
        wait_for(lambda: review.get("/api/changes", since=review.seq)["state"]["model"]["has_predictions"])
        wait_for(lambda: review.get("/api/changes", since=0)["items"]["p"].count(0.9) == len(KINGS))


def test_features_are_computed_with_the_network_of_the_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process adds the features of the images to the cache, sends its progress, and skips a deleted file."""
    pytest.importorskip("transformers")
    from tests.training.tiny import write_run as write_network  # noqa: PLC0415 - needs PyTorch

    monkeypatch.setattr(feature_process.signal, "signal", lambda *_: None)
    monkeypatch.setattr(feature_process.os, "nice", lambda _: None)
    runs = root.with_name("dataset.runs")
    write_network(runs / "first", ["coral", "king"])
    files = [(f"king/{name(number)}", "king", sha(jpeg(number))) for number in (0, 1, 2)]
    (root / files[2][0]).unlink()
    reader, writer = multiprocessing.Pipe(duplex=False)
    feature_process.compute_features(runs / "first", root, runs / "cache", files, writer)

    sent = [reader.recv() for _ in range(3)]
    assert sent == [(1, 3, ""), (2, 3, ""), (feature_process.DONE, 0, "")]
    assert NewestRun(root).with_features == {content for _, _, content in files[:2]}


@pytest.mark.slow
def test_features_are_computed_on_request(root: Path) -> None:
    """The page starts a process that computes the missing features, and decides meanwhile."""
    pytest.importorskip("transformers")
    from tests.training.tiny import write_run as write_network  # noqa: PLC0415 - needs PyTorch

    write_network(root.with_name("dataset.runs") / "first", ["coral", "king"])
    with open_review(root) as review:
        assert review.get("/api/state")["model"]["missing"] == len(KINGS) + len(CORALS)
        assert review.send("/api/features", {}).json()["model"]["computation"]["is_running"]
        review.decide("reject", ids_of(review, 0))

        def is_done() -> bool:
            model = review.get("/api/changes", since=review.seq)["state"]["model"]
            assert not model["computation"]["error"]
            return model["missing"] == 0

        for _ in range(10):  # PyTorch alone takes a minute to load on a busy machine
            with suppress(AssertionError):
                wait_for(is_done)
                break
        first = ids_of(review, 1)[0]
        assert review.ids(order="similar", like=first)[0] == first


def test_a_failed_computation_has_a_reason(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose network cannot be loaded sends the reason, which the page shows."""
    pytest.importorskip("transformers")
    write_run(root)
    monkeypatch.setattr(feature_process.signal, "signal", lambda *_: None)
    monkeypatch.setattr(feature_process.os, "nice", lambda _: None)
    reader, writer = multiprocessing.Pipe(duplex=False)
    feature_process.compute_features(root.with_name("dataset.runs") / "first", root, root, [("a", "b", "c")], writer)
    kind, _, reason = reader.recv()
    assert kind == feature_process.FAILED
    assert reason
