"""Test-time augmentation: which views are predicted, and that their probabilities are averaged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from harvest.models import Refusal
from harvest.training import image_array
from harvest.training.prediction_views import make_views
from harvest.training.predictor import Predictor
from harvest.training.training_options import TrainingOptions
from tests.pictures import encoded, photo
from tests.training.tiny import LABELS, write_run

if TYPE_CHECKING:
    from pathlib import Path


def test_the_views_are_the_center_and_the_corners() -> None:
    """The first view is that of every prediction; the others show the corners, then all of them mirrored."""
    image = photo(90, 60)
    views = make_views(image, 32, mirror=True)

    assert views.shape == (10, 32, 32, 3)
    assert np.array_equal(views[0], np.asarray(image_array.centre_crop(image, 32)))
    assert np.array_equal(views[5:], views[:5, :, ::-1])
    assert len({view.tobytes() for view in views}) == 10
    assert np.array_equal(make_views(image, 32, mirror=False), views[:5])


def test_a_corner_is_cut_from_the_corner() -> None:
    """The second view begins at the left upper corner, and the fifth ends at the right lower one."""
    image = Image.fromarray(np.arange(37 * 50, dtype=np.uint16).astype(np.uint8).reshape(37, 50)).convert("RGB")
    views = make_views(image, 32, mirror=False)  # 37 is the shorter side for 32: nothing is resized

    assert np.array_equal(views[1], np.asarray(image)[:32, :32])
    assert np.array_equal(views[4], np.asarray(image)[-32:, -32:])


def test_probabilities_are_averaged_over_the_views(run: Path) -> None:
    """The answer has the mean probabilities of the views of each image; a broken file is still refused."""
    images = [encoded(photo(80, 50, number)) for number in range(3)]
    plain, averaged = Predictor.open(run), Predictor.open(run, tta=True)

    *found, refused = averaged.predict([*images, b"no image"])

    assert isinstance(refused, Refusal)
    for body, answer in zip(images, found, strict=True):
        decoded = image_array.load_image(body, plain.size)
        rows = plain.predict_batch(list(make_views(decoded, plain.size, mirror=True)))
        mean = np.mean([row.probabilities for row in rows], axis=0)
        assert dict(answer) == pytest.approx(dict(zip(LABELS, mean.tolist(), strict=True)), abs=1e-5)


def test_whether_an_image_is_known_depends_on_its_center(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The similarity is that of the first view: the threshold was measured on such views."""
    predictor = Predictor.open(run, tta=True)
    similarities = iter(np.linspace(0.9, 0.1, 10))
    plain = predictor.predict_batch
    monkeypatch.setattr(
        predictor,
        "predict_batch",
        lambda views: [each._replace(similarity=next(similarities), nearest=0) for each in plain(views)],
    )

    (answer,) = predictor.predict([encoded(photo())])

    assert answer.similarity == pytest.approx(0.9)


def test_an_explanation_is_of_the_center(run: Path) -> None:
    """`explain` shows the view without augmentation, also where ten views are averaged."""
    explanation = Predictor.open(run, tta=True).explain(encoded(photo()))

    assert explanation.view.shape == (32, 32, 3)


@pytest.mark.parametrize(("options", "count"), [({"flip_left_right": False}, 5), ({}, 10), (None, 10)])
def test_views_are_mirrored_as_in_the_training(tmp_path: Path, options: dict[str, bool] | None, count: int) -> None:
    """A run without mirrored training images has no mirrored views; a damaged options.json has no influence."""
    run = write_run(tmp_path / "run")
    document = "[" if options is None else json.dumps(TrainingOptions(tmp_path, **options).as_json())
    (run / "options.json").write_text(document, "utf-8")

    views = Predictor.open(run, tta=True).prepare_views(encoded(photo()))

    assert len(views) == count
