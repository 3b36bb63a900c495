"""The Python API: `from harvest import harvest, read_queries, Dataset`."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import harvest as package
from harvest import Dataset, Query, Summary, Verdict, harvest, read_queries
from harvest.errors import KeyMissing, QueryFileError, Unavailable, UsageError
from tests.datasets import tree
from tests.end_to_end.snakes import list_addresses, pictures, write
from tests.web import NetworkConditions

SHAPES = [Query("red circle", "red_circle"), Query("blue square", "blue_square")]
ADDRESSES = "class,query\ncoral_snake,coral.txt\n"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def online(internet, monkeypatch):
    """Connect this process to the test Internet."""
    for name, value in internet.environ.items():
        monkeypatch.setenv(name, value)
    return internet


def test_a_list_of_queries():
    """A list of queries, a source and a folder are enough."""
    summary = harvest(SHAPES, "SAMPLE", "shapes", limit=8)

    assert isinstance(summary, Summary)
    assert summary.exit_code == 0
    found = {name: len(paths) for name, paths in pictures(Path("shapes")).items()}
    assert found == summary.kept
    assert summary.total().found == 16
    assert sum(summary.total().columns().values()) == 16


def test_a_query_file(tmp_path):
    """A query file works too, given as a path or a name."""
    path = write(tmp_path, "class,query\nred_circle,red circle\n")

    assert harvest(path, ["SAMPLE"], limit=3).kept == {"red_circle": 3}
    assert harvest("snakes.csv", ("sample",), tmp_path / "other", limit=2).kept == {"red_circle": 2}
    assert read_queries("snakes.csv") == [Query("red circle", "red_circle", line=2)]


def test_the_options_are_those_of_the_command_line(online, cli, tmp_path):
    """The same options give the same tree as the command line, byte for byte."""
    list_addresses(tmp_path, online.addresses(4, size=(640, 400)).urls)
    write(tmp_path, ADDRESSES)
    assert cli("-c", "URLS", "-p", "-s", "320", "-k", "-m", "3", "snakes.csv", "-o", "one").code == 0

    summary = harvest("snakes.csv", "URLS", "two", size=320, pad=False, keep_originals=True, limit=3, min_size=200)

    assert summary.exit_code == 0
    assert tree(tmp_path / "two") == tree(tmp_path / "one")
    assert tree(tmp_path / "two.raw") == tree(tmp_path / "one.raw")


def test_again_and_a_dataset():
    """A second call finds its work done, and the dataset returns its counts."""
    first = harvest(SHAPES[:1], "SAMPLE", "shapes", limit=5)
    second = harvest(SHAPES[:1], "SAMPLE", "shapes", limit=5)

    assert second.total().verdicts[Verdict.KEPT] == 0
    assert second.kept == first.kept
    with Dataset.open("shapes") as dataset:
        assert dataset.counts() == first.kept
        assert {tally.class_name for tally in dataset.count_classes()} == {"red_circle"}


def test_inside_a_running_loop():
    """harvest() works inside a running event loop, as in a notebook."""

    async def cell() -> Summary:
        return harvest(SHAPES[:1], "SAMPLE", "shapes", limit=3)

    assert asyncio.run(cell()).exit_code == 0


def test_from_a_thread():
    """harvest() can be called from any thread, and does not change signal handlers."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        summary = pool.submit(harvest, SHAPES[:1], "SAMPLE", "shapes", limit=3).result()

    assert summary.exit_code == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_two_at_once():
    """Two calls in two threads, on two datasets, do not affect each other."""
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(harvest, [query], "SAMPLE", query.class_name, limit=6) for query in SHAPES]
        assert [run.result().exit_code for run in runs] == [0, 0]

    assert set(pictures(Path("red_circle"))) == {"red_circle"}
    assert set(pictures(Path("blue_square"))) == {"blue_square"}


def test_the_progress(capsys):
    """`progress` receives growing summaries up to the final one; nothing is printed."""
    seen: list[tuple[int, int]] = []

    def progress(summary: Summary) -> None:
        total = summary.total()
        seen.append((total.found, total.settled))

    summary = harvest(SHAPES, "SAMPLE", "shapes", limit=20, progress=progress)

    assert seen == sorted(seen)
    assert seen[-1] == (summary.total().found, summary.total().settled) == (40, 40)
    assert capsys.readouterr() == ("", "")


def test_a_progress_that_fails():
    """An error in the caller's callback is raised unchanged, and the dataset is unlocked."""

    def progress(_: Summary) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        harvest(SHAPES, "SAMPLE", "shapes", limit=20, progress=progress)

    assert harvest(SHAPES, "SAMPLE", "shapes", limit=20).exit_code == 0


def test_messages_for_the_user(online, tmp_path):
    """`say` receives the messages for the user: a proxy, an odd row."""
    list_addresses(tmp_path, online.addresses(1).urls)
    write(tmp_path, "class,query,exclude\ncoral_snake,coral.txt,snake\n")
    messages: list[str] = []

    harvest("snakes.csv", "URLS", say=messages.append)

    assert any(online.proxy in text for text in messages)
    assert any("line 2: exclude has no effect" in text for text in messages)


def test_nothing_is_left_running():
    """After the call returns, all of its servers, searches and threads have ended."""
    before = set(threading.enumerate())

    harvest(SHAPES, "SAMPLE", "shapes", limit=10)

    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=60)
    assert set(threading.enumerate()) <= before


def test_an_interrupted_cell(online, tmp_path):
    """Interrupting the cell ends the run with its summary, and the next call continues."""
    list_addresses(tmp_path, online.addresses(20).urls)
    write(tmp_path, ADDRESSES)
    online.conditions = NetworkConditions(stalls=0.5)

    def progress(summary: Summary) -> None:
        if summary.kept["coral_snake"] >= 3 and not stopped:
            stopped.append(signal.pthread_kill(threading.main_thread().ident, signal.SIGINT))

    stopped: list[None] = []
    summary = harvest("snakes.csv", "URLS", progress=progress)

    assert summary.interrupted
    assert summary.exit_code == 130
    assert summary.total().left > 0
    online.conditions = NetworkConditions()
    assert harvest("snakes.csv", "URLS").kept == {"coral_snake": 20}


def test_without_a_key():
    """A provider that cannot work is a problem in the summary, as is any that ends early."""
    summary = harvest(SHAPES, "FLICKR", "shapes")

    assert [type(problem.error) for problem in summary.problems] == [KeyMissing]
    assert summary.exit_code == 5
    assert not Path("shapes").exists()


def test_a_provider_without_its_file(tmp_path):
    """A failing provider is reported, and does not stop the other one."""
    write(tmp_path, "class,query,providers\nred_circle,red circle,SAMPLE\ncoral_snake,coral.txt,URLS\n")

    summary = harvest("snakes.csv", out="shapes", limit=2)

    assert summary.exit_code == 3
    assert [(p.provider, type(p.error)) for p in summary.problems] == [("URLS", Unavailable)]
    assert summary.kept == {"red_circle": 2, "coral_snake": 0}


def test_a_dry_run():
    """A dry run returns what would be downloaded, and leaves no files."""
    summary = harvest(SHAPES, "SAMPLE", "shapes", limit=9, dry_run=True)

    assert summary.dry_run
    assert summary.total().found == summary.total().left == 18
    assert not list(Path().iterdir())


def test_the_summary_as_json():
    """The summary consists of plain values, so that it can be stored."""
    summary = harvest(SHAPES, "SAMPLE", "shapes", limit=4)

    account = json.loads(json.dumps(summary.as_json()))
    assert account["total"]["found"] == 8
    assert account["exit_code"] == 0


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"queries": "not_there.csv"}, QueryFileError, "not_there.csv"),
        ({"providers": "FLIKR"}, UsageError, "Did you mean FLICKR?"),
        ({"license": "free"}, UsageError, "license is 'free'; it must be one of any, open, commercial, public-domain"),
        ({"size": -1}, UsageError, "size is -1"),
        ({"size": 20_001}, UsageError, "size is 20001; the maximum is 20,000"),
        ({"since": "yesterday"}, UsageError, "since is 'yesterday'; it must be a day"),
        ({"since": "2025-01-02", "until": "2025-01-01"}, UsageError, "since is 2025-01-02, which is after until"),
        ({"colour": "red"}, TypeError, "unexpected keyword argument 'colour'"),
        ({"limit": 0}, UsageError, "limit is 0"),
        ({"target": 0}, UsageError, "target is 0"),
        ({"min_size": 0}, UsageError, "min_size is 0"),
        ({"connections": 0}, UsageError, "connections is 0"),
        ({"safe": "no"}, UsageError, "safe is 'no'; it must be one of strict, moderate, off"),
        ({"queries": []}, UsageError, "no queries"),
        ({"queries": [Query("red circle", "../red")]}, UsageError, "class '../red' cannot be a folder"),
    ],
)
def test_invalid_arguments_raise_at_once(arguments, error, words):
    """An invalid argument raises before anything is created."""
    with pytest.raises(error, match=words.replace("?", r"\?")):
        harvest(**{"queries": SHAPES, "providers": "SAMPLE", "out": "shapes"} | arguments)

    assert not list(Path().iterdir())


def test_every_public_name_is_there():
    """All public names can be imported, and there are no others."""
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'harvset'"):
        package.harvset  # noqa: B018
