"""Runs from strangers: their code is not run, their links are not followed, and errors are messages."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from harvest.cli.train import load_train_script, resume_hint
from harvest.errors import HarvestError, TrainingError, UsageError, UserCodeError
from harvest.training import run_directory
from harvest.training.read_run_options import read_options
from harvest.training.run_directory import TrainingRun
from harvest.training.trainer.check_untrusted_checkpoint import check_size
from harvest.training.trainer.plan_stages_and_find_checkpoints import latest_checkpoint
from harvest.training.trainer.user_callback_errors import from_worker
from harvest.training.training_options import TrainingOptions
from tests.training.shapes import Listener, tree

OWN = """
import pathlib
from transformers import TrainerCallback
pathlib.Path(__file__).with_name("code was run").touch()
def score(targets, probabilities):
    return 0.5
class Watch(TrainerCallback):
    pass
class Flip:
    def random_transform(self, x, seed=None):
        return x
"""


def train(folder, **more):
    return load_train_script()(TrainingOptions(folder, cpu=True, **more), Listener())


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Return a tree and a run interrupted after its first epoch, as they are copied together."""
    home = tmp_path_factory.mktemp("travels")
    shapes = tree(home / "shapes", {"disc": 8, "square": 8})
    options = {"from_scratch": True, "epochs": 2, "size": 32, "batch": 8}
    train(shapes, out=home / "shapes.runs" / "x", keep=2, **options)
    run = home / "shapes.runs" / "x"
    (run / "metrics.json").unlink()  # as if interrupted before the evaluation
    shutil.rmtree(latest_checkpoint(run / "checkpoints" / "unfrozen"))
    (run / "checkpoints" / "lock").touch()
    return home


@pytest.fixture
def stranger(begun, tmp_path):
    """Return a copy of both, which a test can damage."""
    return shutil.copytree(begun, tmp_path / "travels")


def change(home, **options):
    """Change options.json of the run."""
    path = home / "shapes.runs" / "x" / "options.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | options), "utf-8")


def resume(home, **more):
    with resume_hint(options := TrainingOptions(home / "shapes", cpu=True, resume=True, **more)):
        return load_train_script()(options, Listener())


def snapshot(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metric": "evil:score", "monitor": "custom"}, "--metric evil:score"),
        ({"transform": "evil:Flip"}, "--transform evil:Flip"),
        ({"callbacks": ["evil:Watch"]}, "--callback evil:Watch"),
        ({"monitor": "evil:score"}, "--monitor evil:score"),
    ],
)
def test_X01_code_that_a_run_names_is_not_imported(stranger, options, words):
    """Modules named in options.json are shown with the options to add, and not imported."""
    (stranger / "evil.py").write_text(OWN, "utf-8")
    change(stranger, **options)
    before = snapshot(stranger / "shapes.runs" / "x")
    with pytest.raises(UsageError, match=f"was started with {words}") as refused:
        resume(stranger)
    assert f"add {words}" in refused.value.hint
    assert not (stranger / "code was run").exists()
    after = snapshot(stranger / "shapes.runs" / "x")
    assert {path for path in before if path.name != "lock" and before[path] != after.get(path)} == set()


def test_X01_code_named_by_the_command_is_run(stranger, monkeypatch):
    """If the command names the same code, the run is resumed."""
    (stranger / "trusted_code.py").write_text(OWN, "utf-8")
    monkeypatch.chdir(stranger)
    change(stranger, callbacks=["trusted_code:Watch"])
    assert resume(stranger, callbacks=("trusted_code:Watch",)).fine_tuned.rows
    assert (stranger / "code was run").exists()


def test_X01_other_code_is_not_run_either(stranger):
    """Other code instead is an error before it is imported; the message shows both."""
    (stranger / "evil.py").write_text(OWN, "utf-8")
    change(stranger, metric="evil:score")
    with pytest.raises(UsageError, match="not with --metric other:score") as refused:
        resume(stranger, metric="other:score")
    assert "instead of --metric other:score" in refused.value.hint


def test_a_run_is_locked_again_by_a_relative_path(tmp_path, monkeypatch):
    """`--resume --out run` finds the files of the run, whatever folders are in it."""
    run_directory.create_directory(tmp_path / "run", TrainingOptions(tmp_path / "shapes"))
    (tmp_path / "run" / "checkpoints" / "unfrozen").mkdir()
    run_directory.unlock_run(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    run_directory.lock_run(Path("run"))
    run_directory.unlock_run(tmp_path / "run")


def test_X01_the_command_to_resume_names_the_code(tmp_path):
    """The command that resumes a run names its code."""
    options = TrainingOptions(tmp_path / "shapes", callbacks=("mine:Watch",), metric="mine:score")
    run_directory.create_directory(tmp_path / "run", options)
    with pytest.raises(HarvestError) as stopped, resume_hint(options):
        raise KeyboardInterrupt
    run_directory.unlock_run(tmp_path / "run")
    assert "--callback mine:Watch --metric mine:score" in stopped.value.hint


def test_X01_features_are_kept_where_the_command_says(stranger, tmp_path):
    """A cache named in options.json is not written to."""
    (tmp_path / "home").mkdir()
    change(stranger, cache=str(tmp_path / "home"), out=str(tmp_path / "home" / "out"))
    resume(stranger)
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize("place", ["checkpoint", "optimizer.pt", "logs", "history.csv"])
def test_X01_no_link_within_a_run_is_followed(stranger, tmp_path, place):
    """A link anywhere in a run is an error before anything is read or written through it."""
    run = stranger / "shapes.runs" / "x"
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "profile").write_text("mine", "utf-8")
    checkpoint = latest_checkpoint(run / "checkpoints" / "unfrozen")
    places = {
        "checkpoint": (checkpoint.with_name("checkpoint-99"), tmp_path / "home"),
        "optimizer.pt": (checkpoint / "optimizer.pt", tmp_path / "home" / "profile"),
        "logs": (run / "logs", tmp_path / "home"),
        "history.csv": (run / "history.csv", tmp_path / "home" / "profile"),
    }
    link, target = places[place]
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    with pytest.raises(TrainingError, match="is a link"):
        resume(stranger)
    assert snapshot(tmp_path / "home") == {tmp_path / "home" / "profile": b"mine"}


def test_X01_a_pipe_in_a_run_does_not_block(stranger):
    """A pipe is named as neither a file nor a folder."""
    run = stranger / "shapes.runs" / "x"
    (run / "finder.json").unlink(missing_ok=True)
    os.mkfifo(run / "finder.json")
    with pytest.raises(TrainingError, match="neither a file nor a folder"):
        resume(stranger)


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 5},
        {"lr": "quickly"},
        {"lr": [True, True]},
        {"lr": ["a", "b"]},
        {"monitor": None},
        {"monitor": "accuracy\nerror: all is well"},
        {"min_delta": None},
        {"min_delta": -1.0},
        {"min_delta": float("nan")},
        {"seed": False},
        {"seed": -1},
        {"seed": 1 << 40},
        {"valid": 100},
        {"epochs": 10**400},
        {"epochs": 10**9},
        {"batch": 10**12},
        {"batch": None},
        {"n_augmentation": 10**6},
        {"callbacks": "evil"},
        {"callbacks": None},
        {"callbacks": ["a\x1b[2J:b"]},
        {"model": "\ud800"},
        {"model": None},
        {"model": "x" * 100_000},
        {"log": ["comet"]},
        {"export": ["exe"]},
        {"size": 10**6},
    ],
    ids=lambda options: repr(options)[:40],
)
def test_X01_options_are_checked_as_the_command_lines(tmp_path, options):
    """A value in options.json that no command line can give is an error with the file name."""
    document = TrainingOptions(Path("snakes")).as_json() | options
    (tmp_path / "options.json").write_text(json.dumps(document), "utf-8")
    with pytest.raises(TrainingError, match=r"options\.json does not contain the options of a run"):
        read_options(tmp_path)


def test_X01_options_of_any_size_are_not_read(tmp_path):
    """An options.json of gigabytes is refused by its size."""
    with (tmp_path / "options.json").open("wb") as file:
        file.truncate(50 << 30)
    with pytest.raises(TrainingError, match="more than 16,777,216 bytes"):
        read_options(tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"cost_matrix": "/nowhere/costs.csv"},
        {"model": "/nowhere", "from_scratch": False},
        {"model": "y" * 300, "from_scratch": False},
        {"model": "~nobody-of-that-name/x", "from_scratch": False},
        {"monitor": "beauty"},
        {"model": "../shapes", "from_scratch": False},
    ],
    ids=repr,
)
def test_X01_missing_files_and_names_are_errors(stranger, options):
    """A missing network, metric or matrix is an error with a message."""
    change(stranger, **options)
    with pytest.raises(HarvestError):
        resume(stranger)


@pytest.mark.parametrize(
    "table",
    [
        "epoch,accuracy\n1e308,1\n",
        "epoch\n0\n1\n1\n",
        "epoch\n0\n2\n1\n",
        "epoch\n5\n6\n",
        "epoch,accuracy\n0,1\n1,1,1,1\n",
        "epoch\n-1\n",
        "epoch\n" + "9" * 5000,
    ],
    ids=lambda table: repr(table)[:30],
)
def test_X01_a_history_out_of_order_is_an_error(tmp_path, table):
    """A history.csv whose epochs are out of order is an error."""
    (tmp_path / "history.csv").write_text(table, "utf-8")
    with pytest.raises(TrainingError, match=r"history\.csv cannot be read"):
        TrainingRun(tmp_path).history()


@pytest.mark.parametrize("value", ["1e308", "-1e308", "inf", "nan", "1e-320"])
def test_X01_figures_of_any_size_are_shown(stranger, value):
    """Absurd numbers in history.csv do not stop the run or its report."""
    path = stranger / "shapes.runs" / "x" / "history.csv"
    head, *rows = path.read_text("utf-8").splitlines()
    count = head.count(",")
    path.write_text("\n".join([head, *(row.partition(",")[0] + f",{value}" * count for row in rows)]), "utf-8")
    assert (resume(stranger).path / "report.html").exists()


@pytest.mark.parametrize(
    "state",
    [
        "",
        "[]",
        "null",
        "[" * 100_000,
        '{"epoch": 1e308}',
        '{"epoch": "one"}',
        '{"epoch": 1, "global_step": -1}',
        '{"epoch": NaN}',
        '{"unknown": 1}',
        '{"log_history": 7}',
        '{"stateful_callbacks": [1]}',
        '{"stateful_callbacks": null}',
        '{"stateful_callbacks": {"EpochCallback": [1]}}',
        '{"train_batch_size": "many"}',
        '{"train_batch_size": -1}',
    ],
    ids=lambda state: state[:30],
)
def test_X01_a_checkpoint_with_an_impossible_state_is_ignored(stranger, state):
    """A checkpoint whose trainer_state.json has impossible values counts as incomplete."""
    checkpoint = latest_checkpoint(stranger / "shapes.runs" / "x" / "checkpoints" / "unfrozen")
    path = checkpoint / "trainer_state.json"
    known = json.loads(path.read_text("utf-8"))
    try:
        messages = json.loads(state)
    except (ValueError, RecursionError):
        messages = None
    path.write_text(json.dumps(known | messages) if isinstance(messages, dict) else state, "utf-8")
    assert latest_checkpoint(checkpoint.parent) is None


@pytest.mark.parametrize("name", ["epoch", "global_step", "train_batch_size", "stateful_callbacks"])
def test_X01_a_checkpoint_without_a_value_that_the_trainer_needs_is_ignored(stranger, name):
    """A checkpoint counts as incomplete if trainer_state.json lacks a value that transformers computes with."""
    checkpoint = latest_checkpoint(stranger / "shapes.runs" / "x" / "checkpoints" / "unfrozen")
    path = checkpoint / "trainer_state.json"
    document = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({key: value for key, value in document.items() if key != name}), "utf-8")
    assert latest_checkpoint(checkpoint.parent) is None


def inside(checkpoint):
    """Return the state of the optimizer."""
    return torch.load(checkpoint / "optimizer.pt", weights_only=True)


def larger(state):
    state["state"][0]["exp_avg"] = torch.zeros(1).expand(1 << 40)


def of_words(state):
    state["state"][0]["exp_avg"] = "average"


def of_other_groups(state):
    state["param_groups"][0]["lr"] = "fast"


def of_nothing(state):
    state.clear()


@pytest.mark.parametrize("damage", [larger, of_words, of_other_groups, of_nothing])
def test_X01_an_optimizer_of_another_shape_is_refused(stranger, damage):
    """The state of an optimizer is only loaded if it fits this training."""
    checkpoint = latest_checkpoint(stranger / "shapes.runs" / "x" / "checkpoints" / "unfrozen")
    state = inside(checkpoint)
    damage(state)
    torch.save(state, checkpoint / "optimizer.pt")
    with pytest.raises(TrainingError, match=r"cannot be loaded: optimizer\.pt"):
        resume(stranger)


@pytest.mark.parametrize("state", [{"step": 7}, {}, [], {"last_epoch": 10**400}])
def test_X01_a_schedule_of_another_shape_is_refused(stranger, state):
    """The state of a schedule can neither replace its methods nor hold other values than numbers."""
    checkpoint = latest_checkpoint(stranger / "shapes.runs" / "x" / "checkpoints" / "unfrozen")
    torch.save(state, checkpoint / "scheduler.pt")
    with pytest.raises(TrainingError, match=r"cannot be loaded: scheduler\.pt"):
        resume(stranger)


def test_X01_weights_of_a_checkpoint_are_of_this_network(stranger):
    """Weights of other shapes are refused before they are loaded."""
    checkpoint = latest_checkpoint(stranger / "shapes.runs" / "x" / "checkpoints" / "unfrozen")
    weights = load_file(checkpoint / "model.safetensors")
    save_file({name: torch.zeros(3, 3) for name in weights}, checkpoint / "model.safetensors")
    with pytest.raises(TrainingError, match="is of another network"):
        resume(stranger)


def test_X01_a_state_that_unpacks_to_more_is_refused(tmp_path):
    """A compressed file is checked by its unpacked size, and a bare pickle is not opened."""
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(80 << 20))
    with pytest.raises(ValueError, match="would unpack"):
        check_size(tmp_path / "bomb.pt", 0)
    (tmp_path / "bare.pt").write_bytes(pickle.dumps([1]))
    with pytest.raises(ValueError, match="could run code"):
        check_size(tmp_path / "bare.pt", 0)


def test_X01_a_run_with_another_network_is_an_error(stranger):
    """Weights and configuration of another network in the run are an error."""
    run = stranger / "shapes.runs" / "x"
    shutil.rmtree(run / "checkpoints" / "unfrozen")
    config = json.loads((run / "config.json").read_text("utf-8"))
    weights = load_file(run / "model.safetensors")
    (run / "config.json").write_text(json.dumps(config | {"hidden_sizes": [1, 2, 3]}), "utf-8")
    save_file(weights, run / "model.safetensors")
    with pytest.raises(TrainingError):
        resume(stranger)


BAD = """
from transformers import TrainerCallback
def deep():
    raise ZeroDivisionError("three of none")
class Watch(TrainerCallback):
    def on_step_end(self, *_, **__):
        deep()
class Flip:
    calls = 0
    def random_transform(self, x, seed=None):
        Flip.calls += 1
        return deep() if Flip.calls > 5 else x
calls = []
def score(targets, probabilities):
    calls.append(1)
    return deep() if len(calls) > 4 else 0.5
"""


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("callbacks", "--callback bad_code_{}:Watch"),
        ("transform", "--transform bad_code_{}:Flip"),
        ("metric", "--metric bad_code_{}:score"),
    ],
)
def test_X11_code_of_the_user_that_raises_shows_its_own_trace(tmp_path, monkeypatch, option, named):
    """The message has the lines of the user's file, none of ours, and the command to resume."""
    shapes = tree(tmp_path / "shapes", {"disc": 8, "square": 8})
    (tmp_path / f"bad_code_{option}.py").write_text(BAD, "utf-8")
    monkeypatch.chdir(tmp_path)
    named = named.format(option)
    value = named.partition(" ")[2]
    options = TrainingOptions(
        shapes,
        out=tmp_path / "run",
        from_scratch=True,
        epochs=2,
        size=32,
        batch=8,
        cpu=True,
        **{option: (value,) if option == "callbacks" else value},
    )
    with pytest.raises(UserCodeError) as raised, resume_hint(options):
        load_train_script()(options, Listener())
    messages = raised.value.message
    assert messages.startswith(f"{named} failed at ")
    assert "ZeroDivisionError: three of none" in messages
    assert f'bad_code_{option}.py", line 4, in deep' in messages
    assert "harvest/training" not in messages
    assert raised.value.exit_code == 2
    assert f"--resume --out run {named}" in raised.value.hint
    run_directory.unlock_run(tmp_path / "run")
    (tmp_path / f"bad_code_{option}.py").write_text(BAD.replace("raise Zero", "return 1  # "), "utf-8")
    assert not TrainingRun(tmp_path / "run").is_done


ODD = """
from transformers import TrainerCallback
class Text(TrainerCallback):
    def on_step_end(self, *_, **__):
        return "done"
class Leave(TrainerCallback):
    def on_step_end(self, *_, **__):
        raise SystemExit("enough")
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Text", "on_step_end returned 'done', not None or the TrainerControl"),
        ("Leave", "SystemExit: enough"),
    ],
)
def test_X11_a_callback_that_answers_nonsense_is_named(tmp_path, monkeypatch, name, message):
    """A callback that returns something else than transformers expects, or ends the program, is an error."""
    shapes = tree(tmp_path / "shapes", {"disc": 8, "square": 8})
    (tmp_path / "odd_callback.py").write_text(ODD, "utf-8")
    monkeypatch.chdir(tmp_path)
    options = {"from_scratch": True, "epochs": 1, "size": 32, "batch": 8}
    with pytest.raises(UserCodeError, match=message) as raised:
        train(shapes, out=tmp_path / "run", callbacks=(f"odd_callback:{name}",), **options)
    assert raised.value.message.startswith(f"--callback odd_callback:{name}")


def test_X11_a_callback_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    """An error in the constructor of a callback is reported as the user's."""
    shapes = tree(tmp_path / "shapes", {"disc": 8, "square": 8})
    (tmp_path / "bad_callback.py").write_text("class Watch:\n    def __init__(self):\n        1 / 0\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserCodeError, match=r"--callback bad_callback:Watch failed at .*, line 3"):
        train(shapes, out=tmp_path / "run", from_scratch=True, size=32, callbacks=("bad_callback:Watch",))


def test_X11_an_error_of_a_worker_is_shown_as_it_was_raised():
    """An error from a decoding process is shown without torch's wrapping."""
    wrapped = (
        "Caught UserCodeError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
        '  File "torch/worker.py", line 1\nharvest.errors.UserCodeError: --transform a:b failed: 1\n  in b\n'
    )
    with pytest.raises(UserCodeError) as raised, from_worker():
        raise UserCodeError(wrapped)
    assert raised.value.message == "--transform a:b failed: 1\n  in b"
