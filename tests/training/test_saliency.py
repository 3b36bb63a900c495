"""Explanations: the heat is where the deciding shape is, for networks of convolutions and of tokens."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from transformers import (
    Dinov2Config,
    Dinov2ForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)

from harvest.errors import UsageError
from harvest.labelled_pictures.image_reader import ImageReader
from harvest.labelled_pictures.prediction_table import Prediction
from harvest.models import Refusal
from harvest.training import explain_predictions as explaining
from harvest.training import predictor
from harvest.training.predictor import Predictor
from harvest.training.saliency.heat_image import SMALLEST, draw_heat, encode_overlay
from harvest.training.saliency.heat_map import compute_heat
from tests.pictures import encoded, photo
from tests.training.tiny import SEEN, network

SIDE, AREA = 64, 0.5  # pixels, and the share of the image that the shape covers
LABELS = dict(enumerate(("red", "green", "blue")))
TOKENS = {
    "image_size": SIDE,
    "patch_size": 8,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "id2label": LABELS,
}
NETWORKS = {
    "resnet": lambda: ResNetForImageClassification(
        ResNetConfig(embedding_size=8, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic", id2label=LABELS)
    ),
    "vit": lambda: ViTForImageClassification(ViTConfig(intermediate_size=48, **TOKENS)),
    "dinov2": lambda: Dinov2ForImageClassification(Dinov2Config(mlp_ratio=2, **TOKENS)),
}


def draw(label: int, dice: random.Random) -> tuple[np.ndarray, np.ndarray]:
    """Draw a disc, square or triangle over half of a noisy image; its colour is the label. Return its mask, too."""
    noise = np.random.default_rng(dice.randrange(1 << 30))
    ground = [dice.randrange(256) for _ in range(3)]
    image = np.clip(noise.normal(ground, 40, (SIDE, SIDE, 3)), 0, 255)
    mask = Image.new("1", (SIDE, SIDE))
    kind, area = dice.choice(("disc", "square", "triangle")), AREA * SIDE * SIDE
    width, height = {
        "disc": ((area / np.pi) ** 0.5 * 2,) * 2,
        "square": (area**0.5,) * 2,
        "triangle": (SIDE - 2, 2 * area / (SIDE - 2)),
    }[kind]
    x, y = dice.uniform(0, SIDE - width), dice.uniform(0, max(0, SIDE - height))
    pen, box = ImageDraw.Draw(mask), (x, y, x + width, y + height)
    if kind == "disc":
        pen.ellipse(box, fill=1)
    elif kind == "square":
        pen.rectangle(box, fill=1)
    else:
        pen.polygon([(x, y + height), (x + width / 2, y), (x + width, y + height)], fill=1)
    inside = np.asarray(mask)
    colour = [200 if number == label else 60 for number in LABELS]
    image[inside] = np.clip(noise.normal(colour, 10, (inside.sum(), 3)), 0, 255)
    return image, inside


def drawings(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Return drawings as input of a network, their labels, and the masks of their shapes."""
    dice = random.Random(seed)
    pairs = [draw(number % len(LABELS), dice) for number in range(count)]
    pixels = torch.from_numpy(np.stack([image for image, _ in pairs])).permute(0, 3, 1, 2).float() / 127.5 - 1
    return pixels, torch.arange(count) % len(LABELS), np.stack([mask for _, mask in pairs])


@cache
def train(name: str):
    """Train a small network until it knows the colours of the shapes."""
    pixels, targets, _ = drawings(300, seed=0)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        model = NETWORKS[name]().train()
        optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, 60)
        for _ in range(60):
            rows = torch.randint(len(pixels), (32,))
            loss = torch.nn.functional.cross_entropy(model(pixel_values=pixels[rows]).logits, targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_heat_is_on_the_shape_that_decides(name):
    """On held-out drawings at least 60 % of the heat is on the shape, which covers half of the image."""
    model = train(name)
    pixels, targets, shapes = drawings(60, seed=1)
    with torch.inference_mode():
        predicted = model(pixel_values=pixels).logits.argmax(1)
    assert (predicted == targets).float().mean() >= 0.9

    heat = compute_heat(model, lambda values: model(pixel_values=values).logits, pixels, predicted.tolist())

    shares = (heat * shapes).sum((1, 2)) / heat.sum((1, 2))
    assert shapes.mean() == pytest.approx(AREA, abs=0.02)
    assert shares.mean() >= 0.6


def test_the_heat_of_another_class_is_elsewhere():
    """With a red shape beside a green one, the heat of each class is on its own half of the image."""
    model = train("resnet")
    image = np.full((SIDE, SIDE, 3), 60.0)
    image[:, : SIDE // 2, 0] = image[:, SIDE // 2 :, 1] = 200
    pixels = torch.from_numpy(np.stack([image] * 2)).permute(0, 3, 1, 2).float() / 127.5 - 1

    heat = compute_heat(model, lambda values: model(pixel_values=values).logits, pixels, [0, 1])

    left = heat[:, :, : SIDE // 2].sum((1, 2)) / heat.sum((1, 2))
    assert left[0] > 0.6
    assert left[1] < 0.4


def test_no_gradient_is_left():
    """An explanation changes nothing in the network: no gradients, no hooks, and it works inside inference mode."""
    made = network()
    pixels = torch.rand(2, 3, SEEN.size, SEEN.size)

    with torch.inference_mode():
        heat = compute_heat(made.model, lambda values: made.model(pixel_values=values).logits, pixels, [0, 1])

    assert heat.shape == (2, SEEN.size, SEEN.size)
    assert heat.max((1, 2)) == pytest.approx([1, 1])
    assert all(parameter.grad is None for parameter in made.model.parameters())
    assert not any(layer._forward_hooks for layer in made.model.modules())


def test_a_network_without_places_has_no_heat():
    """A network with no layer that knows places gives no heat, and no error."""
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 2))

    assert not compute_heat(model, model, torch.rand(1, 3, 8, 8), [0]).any()


def test_a_run_explains_its_answer(run, tmp_path):
    """`Predictor.explain` names the most probable label, and draws the middle of the image with the heat."""
    photo(90, 60).save(tmp_path / "a.png")
    opened = Predictor.open(run)

    explanation = opened.explain(tmp_path / "a.png")

    ((best, *_),) = opened.predict([tmp_path / "a.png"])
    assert (explanation.label, explanation.probability) == (best.label, pytest.approx(best.probability))
    assert explanation.heat.shape == explanation.view.shape[:2] == (SEEN.size, SEEN.size)
    assert explanation.draw().size == (SMALLEST, SMALLEST)
    with_views = Predictor.open(run, tta=True).explain(tmp_path / "a.png")
    assert np.array_equal(with_views.heat, explanation.heat)


def test_model_onnx_is_explained_by_the_weights_beside_it(exported, tmp_path):
    """Where model.onnx predicts, the weights in the same run explain; model.onnx alone says what is missing."""
    whole = Predictor.open(exported)
    assert whole.engine == "onnx"
    assert whole.explain(encoded(photo())).heat.any()
    (tmp_path / "model.onnx").write_bytes((exported / "model.onnx").read_bytes())
    alone = Predictor.open(tmp_path)

    with pytest.raises(UsageError, match="cannot be explained: that needs PyTorch") as refused:
        alone.explain(encoded(photo()))

    assert not alone.can_explain
    assert "classharvest[train]" in refused.value.hint


def test_without_torch_it_says_so(exported, monkeypatch):
    """Without PyTorch the whole run predicts with model.onnx, and cannot explain."""
    known = predictor.find_spec
    monkeypatch.setattr(predictor, "find_spec", lambda name: None if name == "torch" else known(name))
    opened = Predictor.open(exported)

    assert not isinstance(opened.predict([encoded(photo())])[0], Refusal)
    with pytest.raises(UsageError, match="needs PyTorch"):
        opened.explain(encoded(photo()))


def test_what_is_not_an_image_is_refused(run):
    """What is not an image has a refusal instead of an explanation."""
    assert isinstance(Predictor.open(run).explain(b"<!doctype html>"), Refusal)


def test_an_overlay_is_small():
    """The overlay of a thumbnail has less than 3 KB, whatever the heat."""
    noise = np.random.default_rng(0).random((224, 224), np.float32)

    assert encode_overlay(noise).startswith("data:image/webp;base64,")
    assert len(encode_overlay(noise)) < 3000


def test_cold_places_keep_their_colours():
    """A place without heat is shown as it is."""
    view = np.full((32, 32, 3), (10, 200, 30), np.uint8)
    heat = np.zeros((32, 32), np.float32)
    heat[:8] = 1

    drawn = np.asarray(draw_heat(view, heat))

    assert drawn[-1, -1].tolist() == [10, 200, 30]
    assert drawn[0, 0].tolist() != [10, 200, 30]


def test_the_report_explains_what_is_there(tmp_path):
    """Predictions of images that are gone or broken have no overlay, and the others have one."""
    made = network()
    (tmp_path / "a").mkdir()
    photo().save(tmp_path / "a" / "good.png")
    (tmp_path / "a" / "bad.png").write_bytes(b"broken")
    rows = [
        Prediction(f"a/{name}.png", "0" * 64, "milk_snake", "king_snake", 0.1, 0.9, 2.3, 0)
        for name in ("good", "bad", "gone")
    ]

    found = explaining.explain_predictions(made, ImageReader(tmp_path), rows)

    assert list(found) == [("a/good.png", "king_snake")]
