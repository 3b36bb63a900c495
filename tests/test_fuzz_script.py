"""The fuzz script: a few seeded cases of each part break no rule, and what breaks one is seen."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

import pytest

from harvest.files.check_names_and_cells import check_component

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads /proc"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # threads of other tests are not needed
]
SEEDS = [("images", [0]), ("answers", [0]), ("pages", [1]), ("ledgers", [0, 2, 3])]

if sys.platform == "linux":
    from tests.bench.fuzzing.bench import Bench


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def kinds(bench):
    """Name the rules that were broken."""
    return {kind for kind, _ in bench.account.failures}


def test_a_command_that_ends_well_breaks_no_rule(bench):
    """A command runs in a process of its own, and what it says is kept."""
    ended = bench.harvest("--version")
    assert (ended.code, kinds(bench)) == (0, set())
    assert ended.out.startswith("harvest ")


def test_an_exception_is_seen_with_its_place(bench):
    """An exception is a failure, named by its type and the innermost line of harvest."""

    def fail():
        check_component("..")

    assert bench.call(fail, "fail").code == 1
    ((kind, place),) = bench.account.failures
    assert kind == "ValueError"
    assert place.startswith("harvest/files/check_names_and_cells.py:")


@pytest.mark.parametrize("name", [".bash_profile", "work/precious.jpg", "documents/new.txt"])
def test_a_change_outside_of_the_dataset_is_seen(bench, name):
    """A file of the decoy home that is written is a failure; those of the dataset are not looked at."""

    def write():
        Path("dataset").mkdir()
        Path("dataset", "harvest.db").write_text("ours")
        Path.home().joinpath(name).write_text("not ours")

    bench.call(write, "write")
    assert "files outside of the dataset changed" in kinds(bench)
    (text,) = [failure.text for (kind, _), (failure, _) in bench.account.failures.items() if "changed" in kind]
    assert text.endswith(name)


def test_files_that_are_read_outside_are_seen(bench):
    """Reading a document of the person is a failure, though nothing is changed."""
    bench.call(lambda: Path.home().joinpath("documents", "thesis.tex").read_text(), "read")
    assert kinds(bench) == {"outside of the dataset"}


def test_a_crash_and_a_hang_are_seen(bench):
    """A process that is killed, or does not end, is a failure and harms nobody."""
    bench.call(lambda: os.kill(os.getpid(), 11), "crash")
    assert kinds(bench) == {"killed by SIGSEGV"}
    bench.account.failures.clear()

    def wait():
        while True:
            os.read(os.pipe()[0], 1)

    bench.call(wait, "wait", seconds=1)
    assert kinds(bench) == {"hang"}


@pytest.mark.parametrize(("name", "seeds"), SEEDS)
def test_seeded_cases_break_no_rule(bench, name, seeds):
    """A handful of seeded cases of a part end as they should; the script runs many more."""
    part = import_module(f"tests.bench.fuzzing.{name}")
    getattr(part, "prepare_dataset", part.prepare)(bench)
    for bench.seed in seeds:
        bench.clear()
        assert part.case(bench) > 0
    assert {key: failure.text for key, (failure, _) in bench.account.failures.items()} == {}


@pytest.mark.slow
def test_seeded_runs_break_no_rule(bench):
    """The same of trainings, whose preparing alone takes longer than all the other parts."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    part = import_module("tests.bench.fuzzing.runs")
    part.prepare(bench)
    for bench.seed in (0, 1, 2, 3):
        bench.clear()
        assert part.case(bench) > 0
    assert {key: failure.text for key, (failure, _) in bench.account.failures.items()} == {}
