"""The run directory."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from harvest.errors import CannotWrite, RunBusy, TrainingError, UsageError
from harvest.files import disk
from harvest.files.lock import Lock
from harvest.training import choose_run_directory, run_directory
from harvest.training.metrics.metric_functions import get_metric
from harvest.training.read_run_options import read_options
from harvest.training.run_directory import TrainingRun
from harvest.training.trainer.find_best_epoch import EpochTable
from harvest.training.training_options import TrainingOptions


@pytest.fixture
def tree(tmp_path):
    tree = tmp_path / "snakes"
    tree.mkdir()
    return tree


def test_runs_of_one_second_have_different_names(tree):
    """Two runs started in the same second have directories of their own."""
    options = TrainingOptions(tree)
    first = choose_run_directory.create_run(options)
    run_directory.create_directory(first, options)
    assert choose_run_directory.create_run(options) != first
    assert first.parent == tree.with_name("snakes.runs")


@pytest.mark.parametrize("place", [".", "first", "coral/first"])
def test_nothing_is_written_within_the_tree(tree, place):
    """A run directory inside the tree is an error: it would be a class."""
    with pytest.raises(UsageError, match="where every folder is a class"):
        choose_run_directory.create_run(TrainingOptions(tree, out=tree / place))


def test_the_cache_is_not_inside_the_tree(tree):
    """A cache inside the tree is an error as well."""
    with pytest.raises(UsageError, match="cache is inside"):
        choose_run_directory.create_run(TrainingOptions(tree, cache=tree / "cache"))


def test_runs_of_the_folder_above_are_beside_it(tree, monkeypatch):
    """For `..`, the runs are next to the folder that it stands for, not inside it."""
    (tree / "coral").mkdir()
    monkeypatch.chdir(tree / "coral")
    assert TrainingOptions(Path("..")).runs == tree.resolve().with_name("snakes.runs")


def test_impossible_paths_are_errors(tree, tmp_path):
    """The root has no parent folder, and a name of a thousand letters is too long for a file system."""
    with pytest.raises(UsageError, match="has no parent folder"):
        choose_run_directory.create_run(TrainingOptions(Path("/")))
    with pytest.raises(UsageError, match=r"--out .* cannot be read"):
        choose_run_directory.create_run(TrainingOptions(tree, out=tmp_path / ("x" * 1000)))


def test_existing_files_are_not_overwritten(tree, tmp_path):
    """A directory that is not empty and a file are errors."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("")
    for name in ("full", "file"):
        with pytest.raises(UsageError):
            choose_run_directory.create_run(TrainingOptions(tree, out=tmp_path / name))
    (tmp_path / "empty").mkdir()
    assert choose_run_directory.create_run(TrainingOptions(tree, out=tmp_path / "empty")) == tmp_path / "empty"


def test_history_is_read_back(tmp_path):
    """history.csv has a column for every key of any row, and gives back the same rows."""
    run = TrainingRun(tmp_path)
    rows = [{"epoch": 0.0, "accuracy": 0.5}, {"epoch": 1.0, "train_loss": 0.25, "accuracy": 0.75}]
    run.write_history(rows)
    assert (tmp_path / "history.csv").read_text("utf-8").startswith("epoch,train_loss,accuracy\n0,,0.5\n")
    first, second = run.history()
    assert math.isnan(first.pop("train_loss"))
    assert [first, second] == rows


def test_no_history_and_a_damaged_one(tmp_path):
    """A missing history.csv gives no epochs; a damaged one is an error."""
    run = TrainingRun(tmp_path)
    assert run.history() == []
    run.write("history.csv", "epoch,accuracy\n1,good\n")
    with pytest.raises(TrainingError, match=r"history\.csv cannot be read"):
        run.history()


def test_the_columns_of_history_keep_their_order(tmp_path):
    """train_loss, missing in the first epoch, stays the second column after reading and writing."""
    run = run_directory.TrainingRun(tmp_path)
    first = {"epoch": 0.0, "train_loss": math.nan, "valid_loss": 1.0, "accuracy": 0.5, "time": math.nan}
    run.write_history([first])
    before = (tmp_path / "history.csv").read_text("utf-8")
    run.write_history(run.history())
    assert (tmp_path / "history.csv").read_text("utf-8") == before
    run.write_history([{"time": 1.0, "accuracy": 0.5, "epoch": 0.0}, first])
    header = (tmp_path / "history.csv").read_text("utf-8").partition("\n")[0]
    assert header == "epoch,train_loss,valid_loss,accuracy,time"


@pytest.mark.parametrize(
    "table",
    ["accuracy\n1\n", "epoch,accuracy\nnan,1\n", "epoch\n0.5\n", "epoch\ninf\n", f"epoch\n{'9' * 200000}\n"],
)
def test_a_history_without_epochs_is_an_error(tmp_path, table):
    """A history.csv edited by the user is not read as epochs."""
    run = TrainingRun(tmp_path)
    run.write("history.csv", table)
    with pytest.raises(TrainingError, match=r"history\.csv cannot be read"):
        run.history()


@pytest.mark.parametrize("name", ["checkpoints", "checkpoints/unfrozen", "checkpoints/lock"])
def test_nothing_is_written_through_a_link(tree, tmp_path, name):
    """Links in a stranger's run are not followed when writing."""
    run = run_directory.create_directory(tmp_path / "run", TrainingOptions(tree))
    run_directory.unlock_run(run.path)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("years of work")
    target = tmp_path / "precious"
    if name == "checkpoints":
        (run.checkpoints / "lock").unlink()
        run.checkpoints.rmdir()
    if name == "checkpoints/lock":
        (run.checkpoints / "lock").unlink()
        target /= "thesis.tex"
    (run.path / name).symlink_to(target)
    with pytest.raises(TrainingError, match="is a link"):
        run_directory.lock_run(run.path)
    assert [path.read_text() for path in (tmp_path / "precious").iterdir()] == ["years of work"]


def test_the_newest_unfinished_run_is_resumed(tree):
    """By default, the newest unfinished run is resumed; a complete one is not."""
    options = TrainingOptions(tree)
    made = []
    for number, name in enumerate(("old", "new", "done")):
        run = run_directory.create_directory(options.runs / name, options)
        os.utime(run.path / "options.json", (number, number))
        made.append(run)
    made[2].write("metrics.json", "{}")
    made[2].forget_checkpoints(keep=0)
    assert choose_run_directory.find_unfinished_run(options) == made[1].path


def test_nothing_to_resume_is_an_error(tree, tmp_path):
    """It is an error if there is no unfinished run, or if the named folder is not a run."""
    with pytest.raises(UsageError, match="no unfinished run"):
        choose_run_directory.find_unfinished_run(TrainingOptions(tree))
    with pytest.raises(UsageError, match="is not a run"):
        choose_run_directory.find_unfinished_run(TrainingOptions(tree, out=tmp_path))


def test_a_complete_run_is_not_resumed(tree, tmp_path):
    """A complete run is not resumed even if it is named: that would start it anew."""
    run = run_directory.create_directory(tmp_path / "run", TrainingOptions(tree))
    run.write("metrics.json", "{}")
    assert not run.is_done  # the report and the exports are not written yet
    run.forget_checkpoints(keep=0)
    assert run.is_done
    assert {path.name for path in run.path.iterdir()} == {"options.json", "metrics.json"}
    with pytest.raises(UsageError, match="nothing to resume"):
        choose_run_directory.find_unfinished_run(TrainingOptions(tree, out=run.path))


def test_a_run_with_kept_checkpoints_is_complete(tree):
    """A complete run with kept checkpoints counts as complete; a run being written does not."""
    run = run_directory.create_directory(tree.with_name("kept"), TrainingOptions(tree, keep=2))
    (run.checkpoints / "unfrozen" / "checkpoint-9").mkdir(parents=True)
    run.write_json("metrics.json", {})
    assert not run.is_done
    run.forget_checkpoints(keep=2)
    assert run.is_done
    assert (run.checkpoints / "unfrozen" / "checkpoint-9").is_dir()


def test_one_training_writes_a_run(tree, tmp_path):
    """Of two trainings for one directory, the second fails and changes nothing."""
    run = run_directory.create_directory(tmp_path / "run", TrainingOptions(tree))
    run_directory.unlock_run(run.path)
    with Lock(run.checkpoints / "lock") as another:
        assert another.acquire()
        with pytest.raises(RunBusy, match="process"):
            run_directory.create_directory(run.path, TrainingOptions(tree, epochs=7))
    assert read_options(run.path).epochs is None
    assert run_directory.create_directory(run.path, TrainingOptions(tree)).checkpoints.exists()


def test_temporary_files_of_a_killed_process_are_deleted(tree, tmp_path):
    """Temporary files of a killed process are deleted, and nothing else."""
    run = run_directory.create_directory(tmp_path / "run", TrainingOptions(tree))
    (run.path / ".history.csv.4711.part").write_text("epo")
    (run.path / ".network-abc").mkdir()
    (run.path / ".network-abc" / "model.safetensors").write_bytes(b"half")
    (run.path / ".gitignore").write_text("*")
    run_directory.lock_run(run.path)
    assert {path.name for path in run.path.iterdir()} == {"options.json", "checkpoints", ".gitignore"}


def test_a_directory_without_disk_space_can_be_used_again(tree, tmp_path, monkeypatch):
    """A directory whose first file did not fit on the disk can be used again."""

    def full(path, _data):
        raise CannotWrite(f"cannot write {path}")

    monkeypatch.setattr(disk, "write_atomically", full)
    with pytest.raises(CannotWrite):
        run_directory.create_directory(tmp_path / "run", TrainingOptions(tree))
    assert choose_run_directory.create_run(TrainingOptions(tree, out=tmp_path / "run")) == tmp_path / "run"


def test_a_resumed_run_selects_the_same_epoch(tmp_path):
    """Rows read from the file rank like the original ones: both are rounded."""
    run = TrainingRun(tmp_path)
    third = {"epoch": 0.0, "accuracy": 1 / 3, "valid_loss": 1.0}
    better = {"epoch": 1.0, "accuracy": 1 / 3, "valid_loss": 0.9}
    worse = {"epoch": 2.0, "accuracy": 1 / 3, "valid_loss": 0.95}
    run.write_history([third, better])
    accuracy = get_metric("accuracy", labels=("a", "b"))
    for rows in ([third, better, worse], [*run.history(), worse]):
        table = EpochTable(rows, accuracy)
        assert table.best["epoch"] == 1
        assert table.best_until(0)["epoch"] == 0
        assert table.epochs_without_progress(0, by=0.0) == 2  # equal accuracy is not an improvement


def test_without_hard_links_a_copy_is_made(tmp_path, monkeypatch):
    """On a file system without hard links, a copy is made."""
    (tmp_path / "one").write_bytes(b"weights")

    def refused(_self, _target):
        raise PermissionError

    monkeypatch.setattr("pathlib.Path.hardlink_to", refused)
    disk.link(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "two").read_bytes() == b"weights"
    assert not (tmp_path / "two").samefile(tmp_path / "one")
