"""Disks that are full, read-only or shared, clocks that go back, damaged ledgers: the real command.

The tests use lists of URLs, for which no run waits between search pages.
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from harvest.models import Recipe
from tests import datasets
from tests.end_to_end.harvests import OURS, ExpectedImages, decisions, other_files, pictures, pixels
from tests.guard.sitecustomize import SLOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.command import Command, Ran
    from tests.web import Internet, ResultList

LINE = ("-c", "URLS", "-q", "corals.csv")
KB = 1024


pytestmark = pytest.mark.usefixtures("corals")


@pytest.fixture
def corals(internet: Internet, cli: Command) -> ResultList:
    """List thirty images for one class."""
    results = internet.addresses(30, "corals")
    (cli.folder / "corals.txt").write_text("\n".join(results.urls), "utf-8")
    (cli.folder / "corals.csv").write_text("class,query\ncoral,corals.txt\n", "utf-8")
    return results


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Return a function that mounts file systems, if allowed; they are unmounted after the test."""
    mounted: list[Path] = []

    def mount(name: str, *options: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        done = subprocess.run(["mount", *options, folder], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"cannot mount here: {done.stderr.decode().strip()}")
        mounted.append(folder)
        return folder

    if shutil.which("mount") is None:
        pytest.skip("no mount here")
    yield mount
    for folder in reversed(mounted):
        subprocess.run(["umount", "--lazy", folder], check=False)


def assert_refused(ran: Ran, *words: object) -> None:
    """Assert that a disk error is reported once, with exit code 6 and the path, and without a traceback."""
    assert ran.code == 6, ran.err
    assert ran.err.count("error:") == 1
    assert "Traceback" not in ran.err
    for word in words:
        assert str(word) in ran.err


def assert_whole(out: Path) -> None:
    """Assert that every file in a class folder decodes, and that no unfinished file is left."""
    for path in pictures(out):
        pixels(path)
    assert not list(out.glob(".harvest-*"))


def shows_all(out: Path, corals: ResultList, expected: Path) -> bool:
    """Return whether each listed image exists, once, and nothing else."""
    known = ExpectedImages(Recipe(), expected)
    known.add(corals)
    return sorted(known.photos) == sorted(pixels(path) for path in pictures(out))


# ---- P02: power loss


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace here")
def test_P02_each_step_is_on_disk_before_the_next(cli: Command, corals: ResultList, tmp_path: Path) -> None:
    """Each change is recorded, written, renamed and confirmed, and each step is flushed before the next."""
    trace = tmp_path / "trace"
    watched = "trace=openat,fsync,fdatasync,rename,renameat,renameat2"
    strace = ["strace", "-f", "-y", "-e", watched, "-o", str(trace)]
    ran = run_under(strace, cli)
    if not trace.exists() or "ptrace" in ran.stderr:
        pytest.skip(f"strace may not trace here: {ran.stderr}")
    assert ran.returncode == 0, ran.stderr
    events = list(events_in(trace.read_text("utf-8", "replace")))
    named = [(at, event[1:]) for at, event in enumerate(events) if event[0] == "name" and event[1][-4:] == ".jpg"]
    assert len(named) == len(corals)
    for at, (name, part) in named:
        made, flushed = events.index(("make", part)), events.index(("flush", part))
        assert made < flushed < at, f"{name} was named before its bytes were safe"
        last = max((earlier for earlier, _ in named if earlier < made), default=0)
        assert ("flush", WAL) in events[last:made], f"{name} was not announced"
        assert events.index(("flush", "coral"), at) < events.index(("flush", WAL), at)


WAL = "harvest.db-wal"


def run_under(command: list[str], cli: Command, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run the command as the argument of another command."""
    line = [*command, sys.executable, "-m", "harvest", *LINE]
    return subprocess.run(
        line, cwd=cli.folder, env=cli.environ, capture_output=True, check=False, text=True, timeout=60, **more
    )


def events_in(trace: str) -> Iterator[tuple[str, ...]]:
    """Read the output of strace: files created, files and folders flushed, files renamed, in order."""
    flushing: dict[str, str] = {}
    for line in trace.splitlines():
        process, _, call = line.partition(" ")
        call = call.strip()
        if found := re.match(r'openat\(.*"([^"]*\.part)", \S*O_CREAT', call):
            yield "make", found[1].rpartition("/")[2]
        elif found := re.match(r"f(?:data)?sync\(\d+<([^>]*)>(\) = 0| <unfinished)", call):
            flushing[process] = found[1].rpartition("/")[2]
            if found[2] == ") = 0":
                yield "flush", flushing.pop(process)
        elif re.match(r"<\.\.\. f(?:data)?sync resumed>\) += 0", call):
            yield "flush", flushing.pop(process)
        elif found := re.match(r'rename(?:at2?)?\(.*?"([^"]*)".*?"([^"]*)".*\) = 0', call):
            yield "name", found[2].rpartition("/")[2], found[1].rpartition("/")[2]


# ---- P03: disk full


@pytest.mark.parametrize("room", [*(pytest.param(room, marks=pytest.mark.slow) for room in (100, 250)), 700])
def test_P03_full_disk_is_said_once_and_with_room_again_the_line_finishes(
    room: int, cli: Command, corals: ResultList, mount, tmp_path: Path
) -> None:
    """Without space for the ledger or the images there is one error; with space again the run continues."""
    disk = mount("disk", "-t", "tmpfs", "-o", f"size={room}k", "tmpfs")
    out = disk / "dataset"
    assert_refused(cli(*LINE, "-o", out), disk, "0.0 GB free", "Free some space")
    assert_whole(out)
    there = set(pictures(out))
    mount("disk", "-o", "remount,size=20m")
    ran = cli(*LINE, "-o", out)
    assert ran.code == 0, ran.err
    assert there <= set(pictures(out))
    assert shows_all(out, corals, tmp_path)
    assert not decisions(out)
    assert other_files(out) == OURS


@pytest.mark.parametrize("most", [60, 110])
def test_P03_quota_on_files_is_said_once(most: int, internet: Internet, cli: Command, tmp_path: Path) -> None:
    """A limit on file sizes, which SQLite reports as an I/O error, is one error that names the ledger.

    The rows of 120 images take more than 110 kB, however few transactions a slow machine writes them in.
    """
    many = internet.addresses(120, "many")
    (cli.folder / "corals.txt").write_text("\n".join(many.urls), "utf-8")
    limit = resource.RLIMIT_FSIZE, (most * KB, most * KB)
    ran = run_under([], cli, preexec_fn=lambda: resource.setrlimit(*limit))
    out = cli.folder / "dataset"
    assert ran.returncode == 6, ran.stderr
    assert "harvest.db" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert_whole(out)
    again = cli(*LINE)
    assert again.code == 0, again.err
    assert shows_all(out, many, tmp_path)


# ---- P04: paths that cannot be written


def test_P04_a_file_in_the_way_is_said_before_anybody_is_asked(internet: Internet, cli: Command) -> None:
    """A file in place of the dataset or of a parent folder ends the run before the first request."""
    (cli.folder / "taken").write_text("mine", "utf-8")
    for out in ("taken", "taken/below"):
        assert_refused(cli(*LINE, "-o", out), "taken")
    assert not internet.log.to()
    assert (cli.folder / "taken").read_text("utf-8") == "mine"


def test_P04_a_folder_above_that_is_not_there_is_made(cli: Command, corals: ResultList, tmp_path: Path) -> None:
    """Missing parents of the output folder are created."""
    ran = cli(*LINE, "-o", "some/where/dataset")
    assert ran.code == 0, ran.err
    assert shows_all(cli.folder / "some/where/dataset", corals, tmp_path)


def test_P04_read_only_disk_is_said_before_anybody_is_asked(internet: Internet, cli: Command, mount) -> None:
    """On a read-only disk no request is sent, for a new or an existing dataset; a dry run still works."""
    (cli.folder / "disk").mkdir()
    disk = mount("disk", "--bind", str(cli.folder / "disk"))
    assert cli(*LINE, "-o", "disk/old").code == 0
    mount("disk", "-o", "remount,bind,ro")
    internet.log.clear()
    for name in ("new", "old"):
        assert_refused(cli(*LINE, "--refresh", "-o", disk / name), disk / name, "Read-only")
    assert not internet.log.to()
    dry = cli(*LINE, "--refresh", "--dry-run", "-o", disk / "old")
    assert dry.code == 0, dry.err


def test_P04_immutable_folder(internet: Internet, cli: Command, tmp_path: Path) -> None:
    """A folder without write permission is reported with its path, before the first request."""
    folder = tmp_path / "fixed"
    folder.mkdir()
    chattr = shutil.which("chattr")
    if not chattr or subprocess.run([chattr, "+i", folder], capture_output=True, check=False).returncode:
        pytest.skip("cannot fix a folder here")
    try:
        assert_refused(cli(*LINE, "-o", folder), folder)
        assert_refused(cli(*LINE, "-o", folder / "dataset"), folder)
    finally:
        subprocess.run([chattr, "-i", folder], check=True)
    assert not internet.log.to()


# ---- P05: two runs at once


@pytest.mark.slow
def test_P05_the_second_get_is_told_who_runs_and_a_kill_frees_the_lock(
    internet: Internet, cli: Command, corals: ResultList, tmp_path: Path
) -> None:
    """The second of two runs on one dataset ends with exit code 6 and names the first; a killed run holds no lock."""
    (cli.folder / "slow.txt").write_text(internet.addresses(1, "slow", stall=1)[0].url, "utf-8")
    (cli.folder / "slow.csv").write_text("class,query\ncoral,slow.txt\n", "utf-8")
    first = cli.start("-c", "URLS", "slow.csv")
    wait_until(lambda: internet.log.to("stall.pictures.test"))
    second = cli(*LINE)
    assert_refused(second, f"process {first.process.pid}", "dataset")
    assert not internet.log.to("img*.pictures.test")
    first.kill()
    first.process.wait()
    third = cli(*LINE)
    assert third.code == 0, third.err
    assert shows_all(cli.folder / "dataset", corals, tmp_path)


def test_P05_other_outputs_are_free(cli: Command) -> None:
    """Two runs on two datasets do not affect each other."""
    first = cli.start(*LINE, "-o", "one")
    second = cli(*LINE, "-o", "two")
    assert (first.wait().code, second.code) == (0, 0)


def wait_until(happens: Callable[[], object], patience: float = 60) -> None:
    """Wait for a condition, with a time limit."""
    deadline = time.monotonic() + patience
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---- P08: clocks

BACKWARDS = """
import datetime, itertools, runpy, sys, time
steps, real = itertools.count(), time.time
time.time = lambda: real() - 3600 * next(steps)

class Backwards(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().fromtimestamp(time.time(), tz)

datetime.datetime = Backwards
sys.argv[0] = "harvest"
runpy.run_module("harvest", run_name="__main__")
"""


def test_P08_a_clock_that_runs_backwards_changes_nothing(
    internet: Internet, cli: Command, corals: ResultList, tmp_path: Path
) -> None:
    """With a clock that goes back an hour at every reading, runs end, take a normal time, and record their results."""
    script = tmp_path / "backwards.py"
    script.write_text(BACKWARDS, "utf-8")
    out = cli.folder / "dataset"

    def run(*more: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, script, *LINE, "--json", *more],
            cwd=cli.folder,
            env=cli.environ,
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    began = time.monotonic()
    account = run()
    assert 0 < account["seconds"] < time.monotonic() - began
    assert shows_all(out, corals, tmp_path)
    gone = pictures(out)[0]
    gone.unlink()
    internet.log.clear()
    assert run("--refresh")["total"]["before"] == 1
    assert not internet.log.to()
    assert not gone.exists()


# ---- P10: damaged ledgers


def truncate(ledger: Path) -> None:
    """Cut off the end, as an interrupted copy does."""
    ledger.write_bytes(ledger.read_bytes()[: ledger.stat().st_size // 2])


def empty(ledger: Path) -> None:
    """Leave an empty file."""
    ledger.write_bytes(b"")


def scribble(ledger: Path) -> None:
    """Overwrite the first page."""
    ledger.write_bytes(b"not a ledger " * 400 + ledger.read_bytes()[5200:])


def outgrow(ledger: Path) -> None:
    """Set the version of a future release."""
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA user_version = 99")


def be_another(ledger: Path) -> None:
    """Replace it with the database of another program."""
    ledger.unlink()
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("CREATE TABLE notes (text)")


@pytest.fixture(scope="module")
def harvested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset, for tests that damage a copy of it."""
    root = tmp_path_factory.mktemp("broken") / "dataset"
    datasets.new(root, coral=range(4))
    return root


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        outgrow,
        *(pytest.param(how, marks=pytest.mark.slow) for how in (empty, scribble, be_another)),
    ],
)
def test_P10_a_ledger_that_cannot_be_used_is_refused_by_every_command(
    damage: Callable[[Path], None], harvested: Path, internet: Internet, cli: Command
) -> None:
    """Each command ends with exit code 6 and the path of the ledger; no byte changes, and no request is sent."""
    out = shutil.copytree(harvested, cli.folder / "dataset")
    damage(out / "harvest.db")
    (out / "harvest.lock").unlink()
    before = files(out)
    for line in (LINE, ["status"], ["why", "dataset", "urls-1.jpg"], ["restore"], [*LINE, "--dry-run"]):
        ran = cli(*line)
        assert_refused(ran, out / "harvest.db" if damage is not outgrow else "newer")
    assert files(out) == before
    assert not internet.log.to()


def files(root: Path) -> dict[str, bytes]:
    """Return the contents of every file except the lock, which names the last process."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != "harvest.lock"
    }


# ---- X04, X13: links, and a dataset that is moved or deleted


def test_X04_get_names_a_linked_lock(cli: Command, tmp_path: Path) -> None:
    """A lock that is a symbolic link ends the command with exit code 6, its name and a hint."""
    (tmp_path / "thesis.tex").write_text("years of work")
    (cli.folder / "dataset").mkdir()
    (cli.folder / "dataset" / "harvest.lock").symlink_to(tmp_path / "thesis.tex")
    ran = cli(*LINE)
    assert_refused(ran, "harvest.lock is a symbolic link", "thesis.tex", "Replace the link")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    assert other_files(cli.folder / "dataset") == {"harvest.lock"}


@pytest.mark.parametrize("change", ["renamed", "deleted"])
def test_X13_get_notices_that_the_dataset_is_gone(
    internet: Internet, cli: Command, tmp_path: Path, change: str
) -> None:
    """A run whose dataset is deleted ends with exit code 6 and creates nothing; a renamed dataset stays intact."""
    many = internet.addresses(60, "many")
    (cli.folder / "corals.txt").write_text("\n".join(many.urls), "utf-8")
    out, moved = cli.folder / "dataset", cli.folder / "moved"
    running = cli.start(*LINE, "--jobs", "2", **{SLOW: "0.05"})
    while not any(out.glob("coral/*.jpg")):
        assert running.process.poll() is None, running.messages
        time.sleep(0.001)
    out.rename(moved)
    if change == "deleted":
        shutil.rmtree(moved)
    assert_refused(running.wait(), out, "was moved, renamed or deleted")
    assert not list(cli.folder.glob("dataset*"))
    if change == "renamed":
        assert cli(*LINE, "-o", "moved").code == 0
        assert shows_all(moved, many, tmp_path)
