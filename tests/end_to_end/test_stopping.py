"""Stopped by a user, a terminal or the system: all images are complete, and the same command continues."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if sys.platform == "win32":
    pytest.skip("signals of another kind", allow_module_level=True)

from harvest.files.lock import Lock
from tests.datasets import tree
from tests.end_to_end.snakes import CORAL, CORALS, KING, list_addresses, parts, pictures, table, write
from tests.web import Answer, NetworkConditions

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.command import Command, Running
    from tests.web import Internet

ADDRESSES = "class,query\ncoral_snake,coral.txt\n"
LINE = ("-c", "URLS", "snakes.csv")


def until(condition: Callable[[], object], running: Running) -> None:
    """Wait for a condition while the command runs."""
    while not condition():
        assert running.process.poll() is None, running.messages
        time.sleep(0.01)


def shelve(internet: Internet, cli: Command, count: int = 40) -> None:
    """List URLs of good images, of which only some are served before the stop."""
    results = internet.addresses(count)
    list_addresses(cli.folder, results.urls)
    write(cli.folder, ADDRESSES)
    internet.conditions = NetworkConditions(stalls=0.5)


CUT_OFF = """
import os, signal
from harvest.cli import app
def command(prog_name):
    try:
        {}
    except KeyboardInterrupt:  # as a library does during its import
        pass
    raise RecursionError("half of a library")
app._run_to_the_end(command, "harvest")
"""


@pytest.mark.parametrize(
    ("stopped", "code", "messages"),
    [("os.kill(os.getpid(), signal.SIGINT)", 130, "stopped."), ("pass", 1, "RecursionError")],
)
def test_P06_what_a_stop_breaks_is_a_stop(stopped, code, messages):
    """Any error after a stop signal ends with exit code 130; without one it is a bug."""
    line = [sys.executable, "-c", CUT_OFF.format(stopped)]
    ran = subprocess.run(line, capture_output=True, text=True, check=False)
    assert ran.returncode == code
    assert messages in ran.stderr
    assert ("Traceback" in ran.stderr) == (code == 1)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_P06_a_stop_is_soon_and_clean(internet, cli, name):
    """Ctrl-C, SIGTERM and a closed terminal end a run that would wait: a summary, code 130, no unfinished files."""
    shelve(internet, cli)
    running = cli.start(*LINE)
    until(lambda: len(list(cli.folder.glob("dataset/coral_snake/*"))) >= 3, running)

    running.process.send_signal(getattr(signal, name))
    run = running.wait()

    assert run.code == 130
    assert "stopped; run the same command again to continue" in run.out
    assert "Traceback" not in run.err
    assert not parts(cli.folder / "dataset")
    row = table(run)["coral_snake"]
    assert row["new"] == row["kept"] == len(pictures(cli.folder / "dataset")["coral_snake"])
    assert row["left"] == 40 - row["new"] > 0


def test_P06_the_same_line_finishes_the_job(internet, cli):
    """After a stop the same command downloads the rest, nothing twice, and the tree equals that of a complete run."""
    shelve(internet, cli)
    running = cli.start(*LINE)
    until(lambda: len(list(cli.folder.glob("dataset/coral_snake/*"))) >= 3, running)
    running.interrupt()
    first = table(running.wait())["coral_snake"]["new"]
    internet.conditions = NetworkConditions()
    internet.log.clear()

    run = cli(*LINE)

    assert run.code == 0, run.err
    assert len({visit.url for visit in internet.log.visits}) == 40 - first  # a slow machine may ask again
    assert table(run)["coral_snake"] == {"kept": 40, "new": 40 - first, "found": 40 - first}
    assert cli(*LINE, "-o", "whole").code == 0
    assert tree(cli.folder / "dataset") == tree(cli.folder / "whole")


def test_P06_a_stop_while_searching(internet, cli):
    """A stop does not wait for a search engine that does not respond; its search is continued later."""
    corals = internet.flickr.add_results(CORAL, 3)
    internet.flickr.add_results(KING, 2)
    internet.flickr.set_mode("stalled", after=1)
    write(cli.folder)
    line = ("-c", "FLICKR", "snakes.csv")
    key = internet.flickr.key
    running = cli.start(*line, FLICKR_API_KEY=key)
    until(lambda: len(internet.log.to("api.flickr.com")) == 2, running)
    until(lambda: len(list(cli.folder.glob("dataset/coral_snake/*"))) == 3, running)

    running.interrupt()
    run = running.wait()

    assert run.code == 130
    internet.flickr.reset_mode()
    assert cli(*line, FLICKR_API_KEY=key).code == 0
    assert {name: len(paths) for name, paths in pictures(cli.folder / "dataset").items()} == {
        "coral_snake": 3,
        "king_snake": 2,
    }
    assert all(internet.log.count(url) == 1 for url in corals.urls)


def test_P06_a_stop_before_the_first_answer(internet, cli):
    """A stop before the first result leaves no image and no error."""
    internet.flickr.add_results(CORAL, 3)
    internet.flickr.set_mode("stalled")
    write(cli.folder, CORALS)
    line = ("-c", "FLICKR", "snakes.csv")
    key = internet.flickr.key
    running = cli.start(*line, FLICKR_API_KEY=key)
    until(lambda: internet.log.visits, running)

    running.interrupt()

    assert running.wait().code == 130
    internet.flickr.reset_mode()
    assert cli(*line, FLICKR_API_KEY=key).code == 0
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 3


@pytest.fixture(scope="module")
def bulky() -> bytes:
    """Return a PNG of 49 megapixels: 1.4 MB that take half a second and the whole memory budget to decode."""
    plane = Image.radial_gradient("L").resize((7000, 7000))
    file = io.BytesIO()
    Image.merge("RGBA", [plane] * 4).save(file, "PNG", compress_level=1)
    return file.getvalue()


@pytest.fixture
def decoding(internet, cli, bulky) -> Running:
    """Return a command with ten seconds of decoding left, all of it downloaded."""
    hosts = [f"bulky{number}.test" for number in range(8)]
    internet.sites |= dict.fromkeys(hosts, lambda _: Answer(bulky, kind="image/png"))
    list_addresses(cli.folder, [f"https://{host}/{number}.png" for host in hosts for number in range(4)])
    write(cli.folder, ADDRESSES)
    running = cli.start(*LINE)
    until(lambda: sum(visit.finished is not None for visit in internet.log.to("bulky*")) == 32, running)
    return running


def test_P06_a_stop_does_not_wait_for_decoders(cli, decoding):
    """A stop gives downloaded images 2 s, and does not wait for the rest of the decoding."""
    decoding.interrupt()
    run = decoding.wait()

    assert run.code == 130
    assert table(run)["coral_snake"]["left"] > 0
    assert "stopped; run the same command again" in run.out
    assert not parts(cli.folder / "dataset")


def test_P06_a_second_stop_is_immediate(cli, decoding):
    """A second Ctrl-C ends the run at once, without the summary of the first, and leaves a valid tree."""
    decoding.interrupt()
    time.sleep(0.3)
    decoding.interrupt()
    run = decoding.wait()

    assert run.code == 130
    assert "stopped; run the same command again" not in run.out
    assert "Traceback" not in run.err
    pictures(cli.folder / "dataset")


def test_P06_a_stop_before_the_run(internet, cli):
    """A stop while the dataset is being opened, here behind a lock, is reported as a stop."""
    shelve(internet, cli)
    (cli.folder / "dataset").mkdir()
    with Lock(cli.folder / "dataset" / "harvest.lock") as lock:
        assert lock.acquire()
        running = cli.start(*LINE, "--log", "run.log")
        until((cli.folder / "run.log").exists, running)
        time.sleep(0.2)
        running.interrupt()
        run = running.wait()

    assert run.code == 130
    assert "error: stopped." in run.err
    assert "Traceback" not in run.err


def test_P07_nohup_goes_on(internet, cli):
    """A command started by `nohup`, which ignores SIGHUP, continues after the terminal is closed."""
    shelve(internet, cli, 20)
    internet.conditions = NetworkConditions(latency=0.5)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        running = cli.start(*LINE, new_interpreter=True)  # which inherits what is ignored
    finally:
        signal.signal(signal.SIGHUP, before)
    until(lambda: internet.log.visits, running)

    running.process.send_signal(signal.SIGHUP)

    assert running.wait().code == 0
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 20


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_P07_a_reader_that_has_seen_enough(internet, cli, options):
    """`| head -1` ends the command without a traceback, like any other command."""
    list_addresses(cli.folder, internet.addresses(3).urls)
    write(cli.folder, ADDRESSES)
    process = piped(cli, *LINE, *options)
    process.stdout.close()

    _, err = process.communicate(timeout=60)

    assert process.returncode == 141
    for word in (b"Traceback", b"Exception", b"Broken"):
        assert word not in err
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 3


def test_P07_a_terminal_that_is_gone(internet, cli):
    """A run whose standard error is closed continues, and prints a complete summary."""
    list_addresses(cli.folder, internet.addresses(3).urls)
    write(cli.folder, ADDRESSES)
    process = piped(cli, *LINE)
    process.stderr.close()

    out, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    assert "coral_snake     3    3      3" in out.decode()


def piped(cli: Command, *args: str) -> subprocess.Popen[bytes]:
    """Start the command as in a shell pipeline."""
    command = [sys.executable, "-m", "harvest", *args]
    return subprocess.Popen(command, cwd=cli.folder, env=cli.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
