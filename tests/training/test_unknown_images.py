"""None of these: images unlike all training images are recognised, by torch and by ONNX alike."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from harvest.errors import TrainingError
from harvest.training.image_array import centre_crop, load_image
from harvest.training.inference import reference_features as reference
from harvest.training.inference.model_export import export_model
from harvest.training.inference.network_with_softmax import Classifier
from harvest.training.predictor import Predictor
from tests.pictures import encoded, photo
from tests.training.tiny import network, write_run

NAMES = tuple(f"coral_snake/{number}.jpg" for number in range(8))


def views(count: int = 8) -> np.ndarray:
    """Return photographs as the network sees them."""
    return np.stack([np.asarray(centre_crop(load_image(encoded(photo(seed=seed)), 32), 32)) for seed in range(count)])


def features_of(images: np.ndarray) -> np.ndarray:
    """Return the features of images, of unit length."""
    made = network()
    pixels = (images / 255 - np.array(made.mean)) / np.array(made.std)
    with torch.inference_mode():
        found = made.features(torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32)).numpy()
    return reference.unit_length(found)


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """Return a run that has the features of eight photographs, and model.onnx."""
    pytest.importorskip("onnxruntime")
    run = write_run(tmp_path_factory.mktemp("known.runs") / "first")
    quantiles = reference.AcceptanceQuantiles(tuple(np.linspace(0.925, 1, 101)))
    reference.ReferenceFeatures(features_of(views()).astype(np.float16), NAMES, quantiles).write(run)
    export_model(network(), run, ["onnx"])
    return run


def test_similarity_is_the_mean_of_the_nearest(known):
    """Torch and ONNX return the mean cosine similarity to the five nearest training images, and the nearest one."""
    images = views()
    rows = features_of(images)
    expected = np.sort(rows @ rows.T, axis=1)[:, -5:].mean(1)

    for prefer_onnx in (True, False):
        scores = Predictor.open(known, prefer_onnx=prefer_onnx).predict_batch(list(images))

        assert [each.similarity for each in scores] == pytest.approx(expected, abs=2e-3)
        assert [each.nearest for each in scores] == list(range(8))
    assert reference.nearest_similarities(rows, rows) == pytest.approx(expected, abs=1e-4)


def test_an_image_unlike_all_is_none_of_the_classes(known):
    """What is less similar than the accepted share is not known, and the nearest training image is named."""
    black = encoded(Image.new("RGB", (64, 64)), "PNG")

    (seen, other) = Predictor.open(known).predict([encoded(photo(seed=3)), black])

    assert (seen.is_known, seen.nearest) == (True, NAMES[3])
    assert not other.is_known
    assert other.as_json()["known"] is False
    assert other.as_json()["nearest"] in NAMES
    assert Predictor.open(known, accept=1).predict([black])[0].is_known


def test_a_run_without_features_knows_everything(run):
    """A run of an earlier version has no similarity, and its answers are as before."""
    (answer,) = Predictor.open(run).predict([encoded(photo())])

    assert (answer.is_known, answer.similarity) == (True, None)
    assert "known" not in answer.as_json()


def test_an_export_of_other_features_is_not_used(known, tmp_path):
    """model.onnx is not used once the features of the run are others."""
    run = shutil.copytree(known, tmp_path / "run")
    (run / reference.FILE).unlink()

    assert Predictor.open(run).engine == "torch"


@pytest.mark.parametrize(
    ("shape", "names", "quantiles"),
    [
        ((8, 15), json.dumps(NAMES), "101"),  # of another network
        ((8, 16), json.dumps(NAMES[:7]), "101"),
        ((8, 16), "[1, 2]", "101"),
        ((8, 16), "[" * 100_000, "101"),
        ((8, 16), json.dumps(NAMES), "[NaN]"),
        ((8, 16), json.dumps(NAMES), "{}"),
        ((0, 16), "[]", "101"),
        ((reference.MOST + 1, 16), json.dumps([""] * (reference.MOST + 1)), "101"),
    ],
)
def test_damaged_features_are_an_error(tmp_path, shape, names, quantiles):
    """A file with other shapes, names or quantiles than a training writes is refused, and the error names it."""
    text = json.dumps([0.0] * 101) if quantiles == "101" else quantiles
    metadata = {reference.IMAGES: names, reference.QUANTILES: text}
    save_file({"features": np.zeros(shape, np.float16)}, tmp_path / reference.FILE, metadata)

    with pytest.raises(TrainingError, match=r"reference\.safetensors is damaged"):
        reference.read_reference_features(tmp_path, 16)


def test_features_of_nan_or_no_file(tmp_path):
    """NaN among the features and a file that is not safetensors are refused; a missing file is not an error."""
    assert reference.read_reference_features(tmp_path, 16) is None
    (tmp_path / reference.FILE).write_bytes(b"\x80\x04nonsense")
    with pytest.raises(TrainingError, match="is damaged"):
        reference.read_reference_features(tmp_path, 16)
    whole = reference.ReferenceFeatures(
        np.full((1, 16), np.nan, np.float16), ("a",), reference.AcceptanceQuantiles((0.0,) * 101)
    )
    whole.write(tmp_path)
    with pytest.raises(TrainingError, match="is damaged"):
        reference.read_reference_features(tmp_path, 16)


def test_a_nearest_image_that_is_not_there(known, monkeypatch):
    """An answer whose nearest image has no name, as in a model.onnx made by others, has no name."""
    predictor = Predictor.open(known)
    monkeypatch.setattr(predictor._engine, "images", ())

    assert predictor.predict([encoded(photo())])[0].nearest == ""


def test_the_classifier_without_references_returns_probabilities_alone():
    """Without references the classifier is one tensor, as model.pt2 holds it."""
    rows = Classifier(network())(torch.from_numpy(views(2)))

    assert rows.shape == (2, 3)
