"""Whole trainings on drawn shapes and a small network, of a few seconds each."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers import TrainerCallback, pipeline

from harvest.cli.train import load_train_script
from harvest.cli.training_progress import TerminalProgress
from harvest.errors import TrainingError, UsageError, UserCodeError
from harvest.training import fine_tuning, run_directory
from harvest.training.network.network_with_classes import load_pretrained, open_trained_network
from harvest.training.trainer import learning_rate_finder
from harvest.training.trainer.mixup import BatchMixup
from harvest.training.trainer.plan_stages_and_find_checkpoints import latest_checkpoint
from harvest.training.training_options import TrainingOptions
from tests.training.shapes import Listener, tree

COUNTS = {"cross": 24, "disc": 24, "square": 24}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return tree(tmp_path_factory.mktemp("album") / "shapes", COUNTS)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Return a tree for trainings of which only the steps are checked, and not what is learned."""
    return tree(tmp_path_factory.mktemp("album") / "few", dict.fromkeys(COUNTS, 8))


@pytest.fixture
def _short_search(monkeypatch):
    """Let `--lr find` try twelve rates instead of sixty."""
    monkeypatch.setattr(learning_rate_finder, "STEPS", 12)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, shapes):
    """Return the run of a network trained from random weights."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    train(shapes, out=path, from_scratch=True, epochs=6, size=32)
    return path


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory, whole):
    """Return a directory with a network trained on shapes, as from a hub: without a list of its images."""
    path = tmp_path_factory.mktemp("hub") / "small"
    return shutil.copytree(whole, path, ignore=shutil.ignore_patterns("splits.csv"))


def train(tree, **more):
    listener = more.pop("listener", None) or Listener()
    more.setdefault("batch", 16)
    return load_train_script()(TrainingOptions(tree, cpu=True, **more), listener)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_whole_run_from_random_weights(whole):
    """One command writes all files of a run: weights, labels, metrics, predictions and a report."""
    names = {path.name for path in whole.iterdir()}
    assert names >= {
        "model.safetensors",
        "config.json",
        "preprocessor_config.json",
        "labels.txt",
        "options.json",
        "splits.csv",
        "history.csv",
        "metrics.json",
        "predictions.csv",
        "features.npy",
        "report.html",
        "README.md",
    }
    assert (whole / "labels.txt").read_text("utf-8").split() == sorted(COUNTS)
    history = rows_of(whole / "history.csv")
    assert [row["epoch"] for row in history] == [str(number) for number in range(7)]
    assert {"train_loss", "valid_loss", "accuracy", "f1", "time"} <= history[0].keys()
    assert not history[0]["train_loss"]
    assert float(history[6]["train_loss"]) < float(history[1]["train_loss"])
    outcome = json.loads((whole / "metrics.json").read_text("utf-8"))
    assert outcome["saved"] in {"frozen head", "fine-tuned"}
    assert outcome["candidates"]["frozen head"]["valid"]["count"] == 15


def test_predictions_and_features_name_every_picture(pretrained):
    """Each image has a row in predictions.csv, out-of-fold, and its features in the same row."""
    predictions = rows_of(pretrained / "predictions.csv")
    features = np.load(pretrained / "features.npy", allow_pickle=False)
    assert len(predictions) == len(features) == sum(COUNTS.values())
    assert {row["label"] for row in predictions} == set(COUNTS)
    assert all(int(row["fold"]) >= 0 and row["predicted"] in COUNTS for row in predictions)


def test_the_directory_is_a_model_of_transformers(shapes, pretrained):
    """Transformers' own pipeline loads a run with its labels."""
    outcome = pipeline("image-classification", str(pretrained))(str(next(shapes.glob("disc/*.png"))))
    assert {each["label"] for each in outcome} == set(COUNTS)
    assert sum(each["score"] for each in outcome) == pytest.approx(1, abs=1e-4)


def test_the_head_alone(few, pretrained, tmp_path):
    """`--epochs 0` stops at the frozen head, and the saved network gives its metrics."""
    result = train(few, model=str(pretrained), out=tmp_path / "run", epochs=0)
    assert result.evaluation.saved == "frozen head"
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert [row["epoch"] for row in rows_of(tmp_path / "run" / "history.csv")] == ["0"]
    assert open_trained_network(tmp_path / "run").labels == tuple(sorted(COUNTS))


def test_an_epoch_is_evaluated_in_the_precision_of_its_saved_network(few, tmp_path, monkeypatch):
    """An epoch trained in half precision is evaluated in the full precision of its saved network."""
    monkeypatch.setattr("harvest.training.trainer.fit.choose_mixed_precision", lambda _: "bf16")
    monkeypatch.setattr(
        "harvest.training.calibrate_saved_network.fit_temperature", lambda *_: 1.0
    )  # the epoch was not calibrated
    asked = {"from_scratch": True, "epochs": 3, "size": 32, "monitor": "log_loss"}
    run = train(few, out=tmp_path / "run", **asked).path
    outcome = json.loads((run / "metrics.json").read_text("utf-8"))
    best = rows_of(run / "history.csv")[outcome["epoch"]]
    assert outcome["saved"] == "fine-tuned"
    measured = outcome["candidates"]["fine-tuned"]["valid"]["metrics"]["log_loss"]
    assert float(best["log_loss"]) == pytest.approx(measured, abs=1e-5)


def test_two_stages_from_random_weights_learn(shapes, tmp_path):
    """If the head alone did not improve, the second stage starts with a head that can learn."""
    table = train(shapes, out=tmp_path / "run", from_scratch=True, epochs=3, size=32, two_stage=True).fine_tuned.rows
    assert len(table) == 7
    assert table[-1]["train_loss"] < 1.2
    assert table[-1]["valid_loss"] < 3


def test_the_seed_determines_the_result(few, tmp_path):
    """From random weights, the same seed gives the same numbers, and another one gives others."""
    tables = []
    for name, seed in (("one", 1), ("two", 1), ("three", 3)):
        run = train(few, out=tmp_path / name, from_scratch=True, epochs=1, size=32, seed=seed).path
        tables.append([{**row, "time": ""} for row in rows_of(run / "history.csv")])
    assert tables[0] == tables[1] != tables[2]


def test_training_images_of_an_earlier_run_are_not_held_out(shapes, pretrained, tmp_path):
    """Training images of an earlier run go to train, and there is no learning curve."""
    once = train(shapes, model=str(pretrained), out=tmp_path / "once", epochs=0, seed=7)
    listener = Listener()
    next_run = train(shapes, model=str(once.path), out=tmp_path / "heir", epochs=0, seed=8, listener=listener)
    learned, others = (
        {row["content"] for row in rows_of(run / "splits.csv") if (row["part"] == "train") == is_train}
        for run, is_train in ((once.path, True), (next_run.path, False))
    )
    assert not learned & others
    assert next_run.evaluation.learned_before
    assert not once.evaluation.learned_before
    assert "Not known" in (next_run.path / "report.html").read_text("utf-8")
    assert any(f"was trained on {len(learned)} of these images" in text for text in listener.warnings)


def test_the_better_one_is_saved(few, pretrained, tmp_path):
    """If fine-tuning makes the network worse, candidate 0, the frozen head, is saved."""
    ruined = train(few, model=str(pretrained), out=tmp_path / "run", epochs=1, lr=(5.0, 5.0))
    train(few, model=str(pretrained), out=tmp_path / "alone", epochs=0)
    assert ruined.fine_tuned.best["epoch"] == 0
    assert ruined.evaluation.saved == "frozen head"
    mine, other = (open_trained_network(tmp_path / name).model.state_dict() for name in ("run", "alone"))
    assert all(np.allclose(mine[name], other[name], atol=1e-5) for name in mine)


@pytest.mark.usefixtures("_short_search")
def test_every_option_at_once(few, pretrained, tmp_path, monkeypatch):
    """Two stages, views, mixup, callback, metric, costs, early stopping, logs and exports work together."""
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "from transformers import TrainerCallback\n"
        "class Flip:\n"
        "    def random_transform(self, x, seed=None):\n"
        "        return np.ascontiguousarray(x[:, ::-1])\n"
        "flip = Flip()\n"
        "class Count(TrainerCallback):\n"
        "    def on_epoch_end(self, args, state, control, **more):\n"
        "        with open('epochs.txt', 'a') as file:\n"
        "            file.write('x')\n"
        "def sure(targets, probabilities):\n"
        "    return float(probabilities.max(axis=1).mean())\n"
    )
    (tmp_path / "costs.csv").write_text(",cross,disc,square\ncross,1,0,0\ndisc,3,1,0\nsquare,-1,0,2\n")
    monkeypatch.chdir(tmp_path)
    listener = Listener()
    blended = []
    monkeypatch.setattr(BatchMixup, "blend", lambda _, inputs, step: blended.append(step) or inputs)
    result = train(
        few,
        listener=listener,
        model=str(pretrained),
        out=tmp_path / "run",
        epochs=2,
        lr="find",
        two_stage=True,
        n_augmentation=2,
        transform="mine:flip",
        callbacks=("mine:Count",),
        metric="mine:sure",
        cost_matrix=tmp_path / "costs.csv",
        monitor="log_loss",
        patience=2,
        min_delta=0.001,
        mixup=0.4,
        class_weights="none",
        keep=1,
        export=("pt2",),
        log=("csv", "tensorboard"),
    )
    run = tmp_path / "run"
    history = rows_of(run / "history.csv")
    assert {"log_loss", "custom", "cost_matrix_gain"} <= history[0].keys()
    assert any(
        "predicting 'cross' for 'disc' gains 3, more than the correct prediction, 1" in each
        for each in listener.warnings
    )
    assert (tmp_path / "epochs.txt").read_text() == "x" * (len(history) - 1)
    assert any("batch 16 × 2 views = 32" in step for step in listener.steps)
    assert blended[0] == 0
    assert len(blended) >= len(history) - 1
    assert json.loads((run / "finder.json").read_text("utf-8"))["chosen"] > 0
    assert (run / "model.pt2").exists()
    assert max(result.differences.values()) < 1e-3
    assert list((run / "logs").glob("events.*"))
    assert list((run / "checkpoints").glob("*/checkpoint-*"))
    assert "The learning-rate finder" in (run / "report.html").read_text("utf-8")


def test_from_an_earlier_run_with_other_classes(shapes, pretrained, tmp_path):
    """An earlier run can be the --model, also with other classes."""
    two = tmp_path / "two"
    for kind in ("disc", "square"):
        shutil.copytree(shapes / kind, two / f"{kind}s")
    result = train(two, model=str(pretrained), out=tmp_path / "run", epochs=0)
    assert result.labels == ("discs", "squares")


def test_T06_a_resumed_run_ends_like_an_uninterrupted_one(few, pretrained, tmp_path):
    """A killed run is resumed from its last checkpoint, and ends with the same numbers."""
    common = {"model": str(pretrained), "epochs": 3, "batch": 8, "lr": (1e-4, 1e-3)}
    train(few, out=tmp_path / "whole", **common)
    run = tmp_path / "cut"
    with pytest.raises(UserCodeError, match="the plug was pulled"):
        train(few, out=run, callbacks=("tests.training.test_training:Plug",), **common)
    assert list((run / "checkpoints").glob("*/checkpoint-*"))
    cut = json.loads((run / "options.json").read_text("utf-8")) | {"callbacks": []}
    (run / "options.json").write_text(json.dumps(cut), "utf-8")
    half = next((run / "checkpoints" / "unfrozen").iterdir())
    shutil.copytree(half, half.with_name("checkpoint-999"))
    (half.with_name("checkpoint-999") / "trainer_state.json").write_text('{"epoch": 9')  # killed while saving

    train(few, out=run, resume=True)

    whole, resumed = (rows_of(tmp_path / name / "history.csv") for name in ("whole", "cut"))
    assert len(whole) == len(resumed) == 4
    for one, other in zip(whole, resumed, strict=True):
        for name in ("train_loss", "valid_loss", "accuracy"):
            assert (one[name] or 0) == (other[name] or 0) or float(one[name]) == pytest.approx(
                float(other[name]), rel=1e-3
            )


class Plug(TrainerCallback):
    """Interrupts the training in the last epoch."""

    def on_step_begin(self, _args, state, _control, **_):
        """Raise the error."""
        if state.epoch and state.epoch > 2:
            raise RuntimeError("the plug was pulled")


@pytest.mark.usefixtures("two_threads", "_short_search")
def test_two_workers_are_deterministic(few, pretrained, tmp_path):
    """Batches shared by two cores give the same numbers in every run: each has its own generator."""
    asked = {"model": str(pretrained), "epochs": 1, "n_augmentation": 2, "lr": "find"}
    runs = [train(few, out=tmp_path / name, **asked).path for name in ("one", "two")]
    one, two = (
        [{**row, "time": ""} for row in rows_of(run / "history.csv")] + rows_of(run / "predictions.csv") for run in runs
    )
    assert one == two
    assert len({row["train_loss"] for row in one if "train_loss" in row}) == 2


def test_a_run_killed_before_its_first_checkpoint_can_be_resumed(few, pretrained, tmp_path):
    """A run killed before its head was fitted starts anew when resumed, and is complete."""
    options = TrainingOptions(few, model=str(pretrained), out=tmp_path / "run", epochs=0, cpu=True)
    run_directory.create_directory(tmp_path / "run", options)
    result = train(few, out=tmp_path / "run", resume=True)
    assert result.evaluation.saved == "frozen head"
    assert open_trained_network(tmp_path / "run").labels == tuple(sorted(COUNTS))
    assert len(rows_of(tmp_path / "run" / "history.csv")) == 1


def test_a_finished_stage_is_not_repeated(few, pretrained, tmp_path):
    """A run resumed in its second stage has the epochs and candidates of an uninterrupted one."""
    common = {"model": str(pretrained), "epochs": 2, "batch": 8, "two_stage": True, "save_every": 1, "lr": (0.1, 0.1)}
    common |= {"metric": "tests.training.test_training:later", "monitor": "custom"}
    train(few, out=tmp_path / "whole", **common)
    run = tmp_path / "cut"
    with pytest.raises(UserCodeError, match="the plug was pulled"):
        train(few, out=run, callbacks=("tests.training.test_training:SecondPlug",), **common)
    cut = json.loads((run / "options.json").read_text("utf-8")) | {"callbacks": []}
    (run / "options.json").write_text(json.dumps(cut), "utf-8")

    train(few, out=run, resume=True, metric="tests.training.test_training:later")

    whole, resumed = (rows_of(tmp_path / name / "history.csv") for name in ("whole", "cut"))
    assert [row["epoch"] for row in whole] == [row["epoch"] for row in resumed]
    outcome = [json.loads((tmp_path / name / "metrics.json").read_text("utf-8")) for name in ("whole", "cut")]
    head, again = (each["candidates"]["head alone"]["valid"] for each in outcome)
    assert head["confusion"] == again["confusion"]


_calls = count()


def later(_targets, _probabilities):
    """Rank every epoch above those before it."""
    return float(next(_calls))


class SecondPlug(TrainerCallback):
    """Interrupts the training after an epoch of the second stage."""

    def on_step_begin(self, args, state, _control, **_):
        """Raise the error."""
        if "unfrozen" in args.output_dir and state.epoch and state.epoch > 1:
            raise RuntimeError("the plug was pulled")


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory, few, pretrained):
    """Return a run interrupted in its third epoch, with an earlier checkpoint; no test changes it."""
    run = tmp_path_factory.mktemp("cut") / "run"
    callbacks = ("tests.training.test_training:Plug",)
    with pytest.raises(UserCodeError, match="the plug was pulled"):
        train(few, model=str(pretrained), out=run, epochs=3, batch=8, callbacks=callbacks)
    cut = json.loads((run / "options.json").read_text("utf-8")) | {"callbacks": []}
    (run / "options.json").write_text(json.dumps(cut), "utf-8")
    return run


def test_a_resumed_run_uses_the_best_network_of_the_checkpoint(cut_off, tmp_path):
    """Epochs after the last checkpoint are repeated: their network is not used."""
    run = shutil.copytree(cut_off, tmp_path / "run")
    begun = latest_checkpoint(run / "checkpoints" / "unfrozen")
    kept = (begun / "best.safetensors").read_bytes()
    (run / "model.safetensors").unlink()
    (run / "model.safetensors").write_bytes(b"of an epoch after it")
    run_directory.TrainingRun(run).take_best(begun)
    assert (run / "model.safetensors").read_bytes() == kept
    run_directory.TrainingRun(run).take_best(begun)  # changes nothing
    assert (run / "model.safetensors").read_bytes() == kept
    assert not list(run.glob(".*"))


@pytest.mark.parametrize("name", ["optimizer.pt", "rng_state.pth", "model.safetensors"])
def test_a_damaged_checkpoint_is_named(few, cut_off, tmp_path, name):
    """A checkpoint that is damaged, or holds a pickle that could run code, is named and not loaded."""
    run = shutil.copytree(cut_off, tmp_path / "run")
    evil = b"cos\nsystem\n(S'touch " + str(tmp_path / "pwned").encode() + b"'\ntR."
    begun = latest_checkpoint(run / "checkpoints" / "unfrozen")
    (begun / name).write_bytes(evil)
    (begun.with_name("checkpoint-mine")).mkdir()  # not deleted
    with pytest.raises(TrainingError, match=f"{begun.name} cannot be loaded"):
        train(few, out=run, resume=True)
    assert not (tmp_path / "pwned").exists()
    assert begun.with_name("checkpoint-mine").exists()


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"rates": "a", "losses": "b", "chosen": "c"}', '{"rates": [1], "losses": [1], "chosen": 0}'],
)
def test_a_damaged_finder_json_is_ignored(tmp_path, text):
    """An impossible finder.json counts as missing."""
    (tmp_path / "finder.json").write_text(text)
    assert fine_tuning._read_found_rate(tmp_path / "finder.json") is None
    (tmp_path / "finder.json").write_text('{"rates": [1e-3], "losses": [1.0], "chosen": 1e-3}')
    assert fine_tuning._read_found_rate(tmp_path / "finder.json").chosen == 1e-3


def test_T09_other_classes_are_not_resumed(few, pretrained, tmp_path):
    """A run is not resumed with other classes; the error names the difference."""
    mine = tmp_path / "mine"
    shutil.copytree(few, mine)
    train(mine, model=str(pretrained), out=tmp_path / "run", epochs=1, keep=1)
    (tmp_path / "run" / "metrics.json").unlink()  # as if interrupted before the evaluation
    (mine / "disc").rename(mine / "ring")
    with pytest.raises(TrainingError, match=r"missing: disc; new: ring"):
        train(mine, out=tmp_path / "run", resume=True)


def test_ctrl_c_keeps_the_best_epoch(few, pretrained, tmp_path):
    """After Ctrl-C, the best epoch is saved, evaluated and reported, and the run can be resumed."""
    result = train(
        few,
        model=str(pretrained),
        out=tmp_path / "run",
        epochs=3,
        batch=8,
        callbacks=("tests.training.test_training:Stop",),
    )
    assert result.fine_tuned.stopped
    assert len(result.fine_tuned.rows) == 3
    assert (tmp_path / "run" / "report.html").exists()
    assert (tmp_path / "run" / "checkpoints").exists()


class Stop(TrainerCallback):
    """Raises KeyboardInterrupt in the third epoch."""

    def on_step_begin(self, _args, state, _control, **_):
        """Raise the error."""
        if state.epoch and state.epoch > 2:
            raise KeyboardInterrupt


def test_out_of_memory_says_what_to_try(few, pretrained, tmp_path):
    """A device without enough memory gives an error with the batch size to try."""
    with pytest.raises(TrainingError) as caught:
        train(
            few,
            model=str(pretrained),
            out=tmp_path / "run",
            epochs=1,
            callbacks=("tests.training.test_training:Full",),
        )
    assert "--batch 8" in caught.value.hint


class Full(TrainerCallback):
    """Raises an error of running out of memory."""

    def on_step_begin(self, *_, **__):
        """Raise the error."""
        np.empty(1 << 60, np.uint8)


def test_an_object_that_is_not_a_callback_is_an_error(few, pretrained, tmp_path):
    """An object that is not a callback is named as typed."""
    with pytest.raises(UsageError, match="is not a transformers"):
        train(few, model=str(pretrained), out=tmp_path / "run", epochs=1, callbacks=("json:JSONDecoder",))
    assert not (tmp_path / "run" / "model.safetensors").exists()  # before the training


def test_an_empty_validation_set_is_an_error_at_once(tmp_path):
    """An empty validation set is an error at once; only the head can be trained without it."""
    two = tree(tmp_path / "two", {"disc": 1, "square": 1})
    with pytest.raises(TrainingError, match="the validation set is empty"):
        train(two, out=tmp_path / "run", from_scratch=True, epochs=1, size=32)
    assert train(two, out=tmp_path / "head", from_scratch=True, epochs=0, size=32).evaluation.saved == "frozen head"


def test_missing_validation_images_do_not_stop_the_training(tmp_path):
    """If all validation images disappear during the training, the frozen head stays the best."""
    mine = tree(tmp_path / "mine", {"disc": 6, "square": 6})
    listener = Listener()
    result = train(
        mine,
        out=tmp_path / "run",
        from_scratch=True,
        epochs=1,
        size=32,
        callbacks=("tests.training.test_training:Thief",),
        listener=listener,
    )
    assert result.evaluation.saved == "frozen head"
    assert result.fine_tuned.gone
    assert any("disappeared or broke during the training" in warning for warning in listener.warnings)


class Thief(TrainerCallback):
    """Deletes every image."""

    def on_epoch_end(self, args, *_, **__):
        """Delete them."""
        for path in Path(args.output_dir).parents[2].glob("mine/*/*.png"):
            path.unlink()


def test_X09_thin_images_are_trained_on(tmp_path, monkeypatch):
    """Images one pixel wide or high can be used; none is enlarged as a whole."""
    mine = tree(tmp_path / "mine", {"disc": 6, "square": 6})
    levels = np.random.default_rng(0).integers(256, size=(65_535, 1, 3), dtype=np.uint8)
    Image.fromarray(levels).save(mine / "disc" / "thin.png")
    Image.fromarray(levels.reshape(1, -1, 3)).save(mine / "square" / "flat.png")
    sizes, resize = [], Image.Image.resize

    def noted(image, size, *more, **named):
        sizes.append(tuple(size))
        return resize(image, size, *more, **named)

    monkeypatch.setattr(Image.Image, "resize", noted)
    result = train(mine, out=tmp_path / "run", from_scratch=True, epochs=1, size=32)
    assert len(result.evaluation.predictions) == 14
    assert max(across * down for across, down in sizes) <= 1 << 20


def test_T08_from_scratch_needs_no_hub():
    """Random weights need no download."""
    network = load_pretrained("resnet18", ("a", "b"), from_scratch=True)
    assert network.labels == ("a", "b")


def test_step_titles_have_no_control_characters(capsys):
    """Control characters in the name of a tree are not sent to the terminal."""
    TerminalProgress(quiet=False).step("folders → splits: red\x1b[2J\nsnakes\u202e")
    assert "red?[2J snakes?" in capsys.readouterr().err


def test_table_of_epochs_keeps_to_the_terminal(capsys, monkeypatch):
    """If the names of the metrics are too wide for a terminal, the longest are shortened, not the numbers."""
    row = dict.fromkeys(("epoch", "train_loss", "valid_loss", "accuracy", "f1"), 0.5)
    row |= {"average_precision": 0.25, "cost_matrix_gain": -0.75, "time": 7.0}
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    TerminalProgress(quiet=False).row(row)

    head, figures = capsys.readouterr().err.splitlines()

    assert len(head) <= 80
    assert len(figures) == len(head)
    assert "average_…" in head
    assert figures.split()[-4:] == ["0.2500", "-0.7500", "7.0", "s"]
