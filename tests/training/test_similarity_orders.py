"""Orders by the similarity of features, and by the loss of a training: planted wrong images come first."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harvest.default_callbacks import ignore_message
from harvest.labelled_pictures.prediction_table import Prediction, order_by_loss, read_predictions, write_predictions
from harvest.training.features.feature_cache import FeatureCache, read_newest_features
from harvest.training.features.similarity_orders import SimilarityOrders

if TYPE_CHECKING:
    from pathlib import Path

WIDTH = 16  # features


def content(number: int) -> str:
    return f"{number:064x}"


@pytest.fixture
def features() -> dict[str, np.ndarray]:
    """Return features of 30 images in each of two groups, and of five that are like neither."""
    rng = np.random.default_rng(1)
    centres = np.eye(WIDTH, dtype=np.float32)
    groups = [0] * 30 + [1] * 30 + [2, 3, 4, 5, 6]
    rows = [centres[group] + rng.normal(0, 0.1, WIDTH).astype(np.float32) for group in groups]
    return {content(number): row for number, row in enumerate(rows)}


def labels(**more: str) -> dict[str, str]:
    return {content(number): "coral" if number < 30 else "king" for number in range(60)} | more


def test_odd_ones_come_first(features: dict[str, np.ndarray]) -> None:
    """Images that are least like the mean of their class come first."""
    strange = {content(number): "king" for number in range(60, 65)}
    order = SimilarityOrders(features, labels(**strange)).list_odd_ones()
    assert set(order[:5]) == set(strange)
    assert sorted(order) == sorted(labels(**strange))


def test_images_like_another_class_come_first(features: dict[str, np.ndarray]) -> None:
    """Images that are more like those of another class than those of their own come first."""
    wrong = {content(3): "king", content(40): "coral"}
    assert set(SimilarityOrders(features, labels(**wrong)).list_like_another_class()[:2]) == set(wrong)


def test_the_most_similar_come_first(features: dict[str, np.ndarray]) -> None:
    """An image is most similar to itself, then to those of its group."""
    order = SimilarityOrders(features, labels()).list_similar(content(7))
    assert order[0] == content(7)
    assert set(order[:30]) == {content(number) for number in range(30)}
    assert SimilarityOrders(features, labels()).list_similar("unknown") == []


def test_images_without_features_are_left_out(features: dict[str, np.ndarray]) -> None:
    """Unknown and broken images are in no order."""
    features[content(5)] = np.full(WIDTH, np.nan, np.float32)
    orders = SimilarityOrders(features, labels() | {"new": "king"})
    for order in (orders.list_odd_ones(), orders.list_like_another_class(), orders.list_similar(content(1))):
        assert sorted(order) == sorted(labels().keys() - {content(5)})


def test_few_images_have_orders() -> None:
    """No image, one image and one class are no errors."""
    one = {content(1): np.ones(WIDTH, np.float32)}
    assert SimilarityOrders({}, {"a": "king"}).list_like_another_class() == []
    assert SimilarityOrders({}, {}).list_odd_ones() == []
    assert SimilarityOrders(one, {content(1): "king"}).list_like_another_class() == [content(1)]


def test_the_newest_features_are_read(tmp_path: Path, features: dict[str, np.ndarray]) -> None:
    """Of several networks the last used one counts; views, other files and damaged files are ignored."""
    old, new = tmp_path / f"features-{'1' * 32}.safetensors", tmp_path / f"features-{'2' * 32}.safetensors"
    FeatureCache(old, (WIDTH,)).add({content(0): np.zeros(WIDTH, np.float32)}, say=ignore_message)
    FeatureCache(new, (WIDTH,)).add(features, say=ignore_message)
    (tmp_path / f"features-{'3' * 32}.safetensors").write_bytes(b"damaged")
    (tmp_path / f"features-{'4' * 32}-{'5' * 16}.safetensors").write_bytes(new.read_bytes())
    os.utime(old, (1, 1))
    assert read_newest_features(tmp_path).keys() == features.keys()
    new.unlink()
    assert read_newest_features(tmp_path).keys() == {content(0)}
    assert read_newest_features(tmp_path / "missing") == {}


def a_prediction(number: int, loss: float, fold: int = 0) -> Prediction:
    return Prediction(f"king/{number}.jpg", content(number), "king", "coral", 0.25, 0.75, loss, fold)


def test_predictions_are_read_back(tmp_path: Path) -> None:
    """What a training writes is read back by content."""
    rows = [a_prediction(1, 0.5), a_prediction(2, 2.0, 3)]
    write_predictions(tmp_path / "predictions.csv", rows)
    assert read_predictions(tmp_path / "predictions.csv") == {row.content: row for row in rows}
    assert read_predictions(tmp_path / "missing.csv") == {}


def test_damaged_predictions_are_skipped(tmp_path: Path) -> None:
    """Rows with missing cells or text in place of numbers are skipped."""
    path = tmp_path / "predictions.csv"
    write_predictions(path, [a_prediction(1, 0.5)])
    with path.open("ab") as file:
        file.write(b"a,b\nking/2.jpg,x,king,coral,many,0.1,0.2,0\n\x00\xff\n" + b'"' + b"x" * 200_000)
    assert read_predictions(path) == {content(1): a_prediction(1, 0.5)}


def test_only_losses_of_held_out_images_count() -> None:
    """The highest loss comes first; images that were never held out, or have no loss, are left out."""
    rows = [a_prediction(1, 0.5), a_prediction(2, 2.0), a_prediction(3, 9.0, -1), a_prediction(4, math.nan)]
    assert order_by_loss(rows) == [rows[1], rows[0]]
