"""The options of a training are checked before anything is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.main import get_command

from harvest.cli.app import app
from harvest.cli.declared_options import as_keywords
from harvest.errors import TrainingError, UsageError
from harvest.option_fields import all_options, from_keywords
from harvest.training.read_run_options import read_options
from harvest.training.training_options import TrainingOptions

TREE = Path("snakes")


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        ({"valid": 60, "test": 40}, "no images for training"),
        ({"valid": 0}, "--valid is 0; the minimum is 1"),
        ({"batch": 0}, "--batch is 0; the minimum is 1"),
        ({"epochs": -1}, "--epochs is -1; the minimum is 0"),
        ({"n_augmentation": 0}, "--n-augmentation is 0"),
        ({"patience": 0}, "--patience is 0; the minimum is 1"),
        ({"seed": -1}, "--seed is -1; the minimum is 0"),
        ({"seed": 1 << 32}, "--seed is 4294967296; the maximum is 4,294,967,295"),
        ({"size": 4}, "--size is 4; the minimum is 16"),
        ({"min_delta": float("nan")}, "--min-delta is nan"),
        ({"min_delta": float("inf")}, "--min-delta is inf"),
        ({"random_crop": 100}, "--random-crop is 100; the maximum is 99"),
        ({"lr": (1e-4, 1e-5)}, "--lr 0.0001 1e-05"),
        ({"lr": (0.0, 1e-5)}, "--lr 0 1e-05"),
        ({"export": ("onnx", "tflite")}, "--export tflite: not one of onnx, pt2"),
        ({"log": ("comet",)}, "--log comet: not one of csv, tensorboard, wandb, mlflow"),
        ({"class_weights": "square"}, "--class-weights square: not one of balanced, none"),
        ({"mixup": -0.1}, "--mixup is -0.1; the minimum is 0"),
        ({"mixup": float("inf")}, "--mixup is inf; the maximum is 100"),
        ({"monitor": "custom"}, "--metric module:function"),
    ],
)
def test_invalid_options_are_errors(options, messages):
    """An error for an invalid option names it as typed."""
    with pytest.raises(UsageError) as caught:
        TrainingOptions(TREE, **options)
    assert messages in f"{caught.value.message} {caught.value.hint}"


def test_defaults_depend_on_where_weights_come_from():
    """The defaults are four epochs for pretrained weights; twenty and a small network for random ones."""
    assert (TrainingOptions(TREE).source, TrainingOptions(TREE).rounds) == ("lite0", 4)
    scratch = TrainingOptions(TREE, from_scratch=True)
    assert (scratch.source, scratch.rounds) == ("small", 20)
    assert TrainingOptions(TREE, epochs=0).rounds == 0


def test_runs_are_beside_the_tree(tmp_path):
    """Runs and features are in a folder next to the tree: inside it, they would be a class."""
    options = TrainingOptions(tmp_path / "snakes")
    assert options.runs == tmp_path / "snakes.runs"
    assert tmp_path / "snakes" not in options.store.parents


def test_options_json_gives_back_the_options(tmp_path):
    """options.json gives back the options that were written."""
    options = TrainingOptions(
        TREE,
        out=tmp_path,
        lr=(1e-5, 1e-4),
        export=("onnx",),
        callbacks=("a:B",),
        cost_matrix=Path("costs.csv"),
    )
    (tmp_path / "options.json").write_text(json.dumps(options.as_json()), "utf-8")
    assert read_options(tmp_path) == options


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"tree": 7}',
        '{"tree": "x", "batch": "many"}',
        '{"tree":',
        "[" * 100_000,
        '{"tree": "x", "batch": 2.5}',
        '{"tree": "x", "epochs": true}',
        '{"tree": "x", "model": 7}',
        '{"tree": "x", "callbacks": [7]}',
        '{"tree": "x", "lr": [1e-5, 1e-4, 1e-3]}',
        '{"tree": "x", "cache": "a\\u0000b"}',
    ],
)
def test_a_damaged_options_json_is_an_error(tmp_path, text):
    """A run with a damaged options.json is not resumed."""
    (tmp_path / "options.json").write_text(text, "utf-8")
    with pytest.raises(TrainingError, match="does not contain the options of a run"):
        read_options(tmp_path)


def test_the_command_has_the_declared_options():
    """`harvest train` offers every declared option, and typed values give the same options as Python."""
    command = get_command(app).commands["train"]
    declared = {field.keyword for field in all_options(TrainingOptions)}
    assert {param.name for param in command.params} - {"tree", "quiet", "as_json"} == declared

    words = "snakes --lr 1e-5 1e-4 --valid 30 --no-augment --callback a:B --callback c:D --export onnx,pt2 --log csv"
    with command.make_context("train", words.split()) as context:
        typed = as_keywords(TrainingOptions, context.params)

    assert from_keywords(TrainingOptions, {**typed, "tree": TREE}) == TrainingOptions(
        TREE, lr=(1e-5, 1e-4), valid=30, augment=False, callbacks=("a:B", "c:D"), export=("onnx", "pt2")
    )
