"""Exports: the network for other programs, with everything inside, and never one that says something else."""

from __future__ import annotations

import io
import json
import shutil
from importlib import util

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import pipeline

from harvest.errors import TrainingError, UsageError
from harvest.training import image_array
from harvest.training.inference import model_export as exporting
from harvest.training.inference import onnx_engine
from harvest.training.inference.model_export import export_model
from harvest.training.predictor import Predictor
from tests.pictures import encoded, photo
from tests.readme import block
from tests.training.tiny import LABELS, SEEN, network

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture
def picture():
    """Return a photograph as the network sees it: bytes."""
    return np.asarray(image_array.centre_crop(photo(), SEEN.size))


def by_hand(views: np.ndarray) -> np.ndarray:
    """Return what the network gives, normalised and made probabilities by hand."""
    numbers = (views / 255 - np.array(SEEN.mean)) / np.array(SEEN.std)
    batch = torch.tensor(numbers.transpose(0, 3, 1, 2), dtype=torch.float32)
    with torch.inference_mode():
        return torch.softmax(network().model(pixel_values=batch).logits, -1).numpy()


@pytest.mark.parametrize("count", [1, 2, 7])
def test_onnx_has_everything_inside(exported, picture, count):
    """model.onnx takes any number of images as bytes and gives what the network does, as probabilities."""
    views = np.stack([np.roll(picture, 5 * number, 0) for number in range(count)])
    session = onnxruntime.InferenceSession(exported / "model.onnx")

    (rows,) = session.run(["probability"], {"image": views})

    assert rows.shape == (count, len(LABELS))
    assert rows == pytest.approx(by_hand(views), abs=1e-5)
    assert rows.sum(1) == pytest.approx(np.ones(count))


def test_the_documented_program_says_what_predict_says(exported, tmp_path, monkeypatch, capsys):
    """The program in docs/serving.md gives the answer of `harvest predict`, also for an image on its side."""
    (tmp_path / "dataset.runs").mkdir()
    (tmp_path / "dataset.runs" / "first").symlink_to(exported)
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "snake.jpg").write_bytes(encoded(photo(70, 50), exif=exif))
    monkeypatch.chdir(tmp_path)

    exec(block("serving.md", "python", "onnxruntime"), {})

    label, share = capsys.readouterr().out.split()
    ((best, *_),) = Predictor.open(exported).predict([tmp_path / "snake.jpg"])
    assert (label, float(share)) == (best.label, pytest.approx(best.probability, abs=0.005))


def test_onnx_knows_its_labels(exported):
    """model.onnx carries the labels, in the order of its columns, for who has nothing else of the run."""
    session = onnxruntime.InferenceSession(exported / "model.onnx")

    result = session.get_modelmeta().custom_metadata_map

    assert json.loads(result["labels"]) == list(LABELS)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_pt2_has_everything_inside(exported, picture, count):
    """model.pt2 is run by torch alone, takes any number of images, and carries the labels."""
    extra = {"labels.json": ""}
    module = torch.export.load(exported / "model.pt2", extra_files=extra).module()
    views = np.stack([picture] * count)

    rows = module(torch.from_numpy(views)).detach().numpy()

    assert rows == pytest.approx(by_hand(views), abs=1e-5)
    assert json.loads(extra["labels.json"]) == list(LABELS)


@pytest.mark.parametrize("seed", range(4))
def test_a_pipeline_loads_the_run(exported, tmp_path, seed):
    """The pipeline of transformers loads the directory and gives the answer that `predict` gives."""
    image = photo(300 + 40 * seed, 260, seed)
    image.save(tmp_path / "picture.png")
    classify = pipeline("image-classification", str(exported))

    theirs = {each["label"]: each["score"] for each in classify(str(tmp_path / "picture.png"))}

    for prefer_onnx in (True, False):
        (ours,) = Predictor.open(exported, prefer_onnx=prefer_onnx).predict([tmp_path / "picture.png"])
        assert dict(ours) == pytest.approx(theirs, abs=0.005)


def test_what_differs_is_not_written(run, tmp_path, monkeypatch):
    """An export that gives something else than the network is an error, and what was there stays."""
    path = shutil.copytree(run, tmp_path / "run")
    (path / "model.pt2").write_bytes(b"as it was")
    load = torch.export.load

    def load_another(file):
        load(file)
        other = io.BytesIO()
        example = torch.zeros(2, SEEN.size, SEEN.size, 3, dtype=torch.uint8)
        shapes = {"image": {0: torch.export.Dim("batch")}}
        torch.export.save(
            torch.export.export(exporting.Classifier(network(seed=1)), (example,), dynamic_shapes=shapes),
            other,
        )
        other.seek(0)
        return load(other)

    monkeypatch.setattr(torch.export, "load", load_another)

    with pytest.raises(TrainingError, match=r"model\.pt2 would differ from the network by"):
        export_model(network(), path, ["pt2"])
    assert (path / "model.pt2").read_bytes() == b"as it was"
    assert not list(path.glob(".*"))


@pytest.mark.parametrize("missing", ["onnx", "onnxscript", "onnxruntime"])
def test_what_is_missing_is_named_before(tmp_path, monkeypatch, missing):
    """Without the extra an export to ONNX is refused, and the line that installs it is told."""
    known = util.find_spec
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == missing else known(name))

    with pytest.raises(UsageError, match=f"needs {missing}") as result:
        export_model(network(), tmp_path, ["onnx"])

    assert result.value.hint == "pip install onnx onnxscript onnxruntime"
    exporting.check_exports(["pt2"])


def test_an_export_of_an_earlier_training_is_not_used(exported, tmp_path):
    """model.onnx of other weights is left alone, which is said; that of these weights goes first."""
    path = shutil.copytree(exported, tmp_path / "run")
    messages = []
    assert Predictor.open(path, say=messages.append).engine == "onnx"

    network(seed=1).save(path)

    assert not messages
    assert Predictor.open(path, say=messages.append).engine == "torch"
    assert "exported from other weights" in messages[0]


def test_model_onnx_alone_is_enough(exported, tmp_path):
    """Who has nothing but model.onnx can predict with it."""
    shutil.copy(exported / "model.onnx", tmp_path)
    whole, alone = Predictor.open(exported), Predictor.open(tmp_path)

    assert (alone.engine, alone.labels, alone.size) == ("onnx", LABELS, SEEN.size)
    photo().save(tmp_path / "a.png")
    assert alone.predict([tmp_path / "a.png"]) == whole.predict([tmp_path / "a.png"])


def another_model(labels: str) -> bytes:
    from onnx import TensorProto, helper  # noqa: PLC0415 - an extra

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in ("image", "probability")]
    graph = helper.make_graph([helper.make_node("Identity", ["image"], ["probability"])], "g", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"labels": labels})
    return model.SerializeToString()


NONE = {
    "nothing": b"",
    "garbage": b"garbage",
    "a pickle": b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85\x94R\x94.",
}
ODD = {
    "no labels": "[]",
    "other shapes": '["a", "b", "c"]',
    "labels of another kind": '{"a": 1}',
    "labels too deep": "[" * 5000,
}


@pytest.mark.parametrize("what", [*NONE, *ODD])
def test_T07_a_foreign_model_onnx_is_refused(exported, tmp_path, what):
    """A model.onnx that is damaged, a pickle or somebody else's is an error that says what to do."""
    path = shutil.copytree(exported, tmp_path / "run")
    (path / "model.onnx").write_bytes(NONE[what] if what in NONE else another_model(ODD[what]))

    with pytest.raises(TrainingError, match=r"model\.onnx cannot be used") as result:
        Predictor.open(path)

    assert "delete it" in result.value.hint
    assert Predictor.open(path, prefer_onnx=False).engine == "torch"


def test_the_origin_is_of_all_that_is_exported(exported, tmp_path):
    """Other weights, labels or numbers for grey are another origin; a report next to them is not."""
    path = shutil.copytree(exported, tmp_path / "run")
    origins = {onnx_engine.origin(path)}
    (path / "report.html").touch()
    origins.add(onnx_engine.origin(path))
    assert len(origins) == 1

    for name in ("model.safetensors", "config.json", "preprocessor_config.json"):
        with (path / name).open("ab") as file:
            file.write(b" ")
        origins.add(onnx_engine.origin(path))

    assert len(origins) == 4
    (path / "config.json").unlink()
    assert onnx_engine.origin(path) is None


def test_the_documented_lines_run(exported, tmp_path, monkeypatch, capsys):
    """What docs/serving.md shows for model.onnx runs as it stands, and gives the label that `predict` gives."""
    lines = block("serving.md", "python", "model.onnx")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(exported, "dataset.runs/first")
    photo(300, 300, 3).save("snake.jpg")

    exec(lines, {})

    label, probability = capsys.readouterr().out.split()
    ((best, *_),) = Predictor.open("dataset.runs/first").predict(["snake.jpg"])
    assert label == best.label
    assert 0 < float(probability) <= 1
