"""The directory that a training writes."""

from __future__ import annotations

import os

import pytest

from harvest.errors import TrainingError, UsageError
from harvest.learning import runs
from harvest.learning.options import Options
from harvest.learning.runs import Run


@pytest.fixture
def tree(tmp_path):
    tree = tmp_path / "snakes"
    tree.mkdir()
    return tree


def test_runs_of_one_second_are_apart(tree):
    """Two runs begun in one second have directories of their own."""
    options = Options(tree)
    first = runs.begin(options)
    runs.make(first, options)
    assert runs.begin(options) != first
    assert first.parent == tree.with_name("snakes.runs")


@pytest.mark.parametrize("place", [".", "first", "coral/first"])
def test_nothing_is_written_within_the_tree(tree, place):
    """A run within the tree would be a class: it is refused."""
    with pytest.raises(UsageError, match="where every folder is a class"):
        runs.begin(Options(tree, out=tree / place))


def test_what_is_there_is_not_covered(tree, tmp_path):
    """A directory with something in it, and a file, are refused."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("")
    for name in ("full", "file"):
        with pytest.raises(UsageError):
            runs.begin(Options(tree, out=tmp_path / name))
    (tmp_path / "empty").mkdir()
    assert runs.begin(Options(tree, out=tmp_path / "empty")) == tmp_path / "empty"


def test_history_is_read_back(tmp_path):
    """The table of epochs has a column for all that any row knows, and comes back as it was."""
    run = Run(tmp_path)
    rows = [{"epoch": 0.0, "accuracy": 0.5}, {"epoch": 1.0, "train_loss": 0.25, "accuracy": 0.75}]
    run.write_history(rows)
    assert (tmp_path / "history.csv").read_text("utf-8").startswith("epoch,accuracy,train_loss\n")
    assert run.history() == rows


def test_no_history_and_a_damaged_one(tmp_path):
    """No table is no epochs; one that is no table is said."""
    run = Run(tmp_path)
    assert run.history() == []
    run.write("history.csv", "epoch,accuracy\n1,good\n")
    with pytest.raises(TrainingError, match=r"history\.csv cannot be read"):
        run.history()


def test_the_newest_unfinished_run_is_resumed(tree):
    """Without a name it is the newest that did not end; a finished one is left alone."""
    options = Options(tree)
    made = []
    for number, name in enumerate(("old", "new", "done")):
        run = runs.make(options.runs / name, options)
        run.checkpoints.mkdir()
        os.utime(run.path / "options.json", (number, number))
        made.append(run)
    made[2].write("metrics.json", "{}")
    made[2].forget_checkpoints(keep=0)
    assert runs.unfinished(options) == made[1].path


def test_nothing_to_resume_is_said(tree, tmp_path):
    """Where there is no unfinished run, or the one named is none, that is said."""
    with pytest.raises(UsageError, match="no unfinished run"):
        runs.unfinished(Options(tree))
    with pytest.raises(UsageError, match="is no run"):
        runs.unfinished(Options(tree, out=tmp_path))
