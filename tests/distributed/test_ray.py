"""Whole runs on Ray: the same dataset as a local run, also if workers, the driver or Ray itself are killed.

One Ray, with four workers, serves all of these tests but that of a killed driver. A new worker takes 2 s of CPU:
KILLS_ON_RAY=30 sets the number of kills.
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

import harvest as package
from harvest.distributed import ray_cluster
from harvest.errors import OutOfResources, UsageError
from tests.datasets import tree
from tests.distributed.many_domains import list_on_many_domains
from tests.torture import outcome
from tests.web import Internet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None or sys.platform != "linux", reason="needs pip install -e '.[ray]', on Linux"
)

WORKERS = 4
KILLS = int(os.environ.get("KILLS_ON_RAY", "6"))
WORKER = b"ray::DownloadActor"  # the process name that Ray gives it


class World:
    """A small Internet with two lists of URLs, and the environment that leads there."""

    def __init__(self, internet: Internet) -> None:
        self.internet = internet
        self.corals = list_on_many_domains(internet, "coral", 40, dead=2, html=1, tiny=1, flaky=1, redirect=2, hosts=12)
        self.kings = list_on_many_domains(
            internet, "king", 24, blank=1, copy=0, hosts=5, also=self.corals.of("good")[:3]
        )

    def write(self, folder: Path, *names: str) -> Path:
        """Write the query file for some of the classes, and the lists of URLs, into a new folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, results in (("coral", self.corals), ("king", self.kings)):
            (folder / f"{name}.txt").write_text("\n".join(results.urls), "utf-8")
        path = folder / f"{'-'.join(names)}.csv"
        path.write_text("class,query\n" + "".join(f"{name},{folder / name}.txt\n" for name in names), "utf-8")
        return path


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with Internet() as internet:
        yield World(internet)


@pytest.fixture
def environ(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in world.internet.environ.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def ray(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Start Ray once; its workers see the small Internet, and runs in this process join it."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**world.internet.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home)}.items():
            patch.setenv(name, value)
        with ray_cluster.open_cluster(None, WORKERS):
            yield


@pytest.fixture
def run(world: World, tmp_path: Path, environ: None) -> Callable[..., dict]:  # noqa: ARG001 - sets variables
    """Return a function that harvests both classes, one after the other, and returns the results."""

    def harvest_classes(workers: str, *names: str) -> dict:
        folder = tmp_path / workers
        summaries = []
        for name in names or ("coral", "king"):  # an image of both belongs to the first: the order must not be chance
            found = package.harvest(
                world.write(folder, name), "URLS", folder / "dataset", workers=workers, ray_workers=2
            ).as_json()
            del found["seconds"]
            summaries.append(found)
        return {"summaries": summaries, "files": tree(folder / "dataset"), "ledger": read_ledger(folder / "dataset")}

    return harvest_classes


def read_ledger(root: Path) -> dict:
    """Return what the ledger and the folders contain, without ids, times and the paths of query files."""
    found = outcome(root)
    del found["searches"]
    return {**found, "files": [line for line in found["files"] if line.startswith("dataset")]}


def test_without_ray_there_is_one_error_before_anything_happens(tmp_path, monkeypatch):
    """`--workers ray` without Ray says what to install; no folder is made."""
    monkeypatch.setattr(ray_cluster, "find_spec", lambda _: None)

    with pytest.raises(UsageError, match="ray, which is not installed") as caught:
        package.harvest([package.Query("cat", "cat")], "SAMPLE", tmp_path / "dataset", workers="ray")

    assert caught.value.hint == "pip install 'classharvest[ray]'"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_address_without_a_cluster_ends_the_run(host):
    """Where nothing listens at --ray-address, the run ends at once with exit code 6 and names the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"{host}:{server.getsockname()[1]}"

    with pytest.raises(OutOfResources, match=f"There is no Ray cluster at {address}") as error:
        ray_cluster._connect(None, address, 1)

    assert error.value.exit_code == 6
    assert "ray status" in error.value.hint


@needs_ray
def test_the_ray_client_is_refused():
    """An address of the Ray client is not that of a cluster: the message says what to use."""
    with pytest.raises(UsageError, match=r"ray://head:10001 is not"), ray_cluster.open_cluster("ray://head:10001", 1):
        pass


@needs_ray
@pytest.mark.usefixtures("ray")
def test_a_run_on_ray_equals_a_local_one(run):
    """Tree, ledger and summary of a run on two workers are those of a local run, byte by byte, without the times."""
    local, distributed = run("local"), run("ray")

    assert local["summaries"][0]["total"]["kept"] == 40 - 4
    assert len(local["files"]) > 40
    assert distributed == local


@needs_ray
@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_killed_workers_lose_and_double_nothing(world, run, tmp_path):
    """Whenever workers are killed, the dataset is that of a run without kills, and each hit has one verdict."""
    expected = run("local", "coral")["ledger"]
    draw, killed, number = Random(13), 0, 0
    while killed < KILLS:
        number += 1
        folder = tmp_path / f"killed-{number}"
        file = world.write(folder, "coral")
        with killing_workers(draw, min(KILLS - killed, 10)) as kills:
            for _ in range(20):  # a hit that was with five lost workers is left for the same command again
                summary = package.harvest(file, "URLS", folder / "dataset", workers="ray", ray_workers=WORKERS)
                if not summary.total().left:
                    break
        killed += len(kills)
        assert read_ledger(folder / "dataset") == expected
        assert Counter(_verdicts(folder / "dataset").values()).total() == len(_verdicts(folder / "dataset"))


@contextmanager
def killing_workers(draw: Random, most: int) -> Iterator[list[int]]:
    """Kill a worker now and then while the block runs; yield the list of those that were killed."""
    kills: list[int] = []
    ended = threading.Event()

    def kill() -> None:
        while len(kills) < most and not ended.is_set():
            if pids := find_processes(lambda command: command.startswith(WORKER)):
                kills.append(draw.choice(pids))
                with suppress(ProcessLookupError):
                    os.kill(kills[-1], signal.SIGKILL)
            ended.wait(draw.uniform(0.05, 0.4))

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield kills
    finally:
        ended.set()
        killer.join()


def find_processes(is_wanted: Callable[[bytes], bool]) -> list[int]:
    """Return the ids of the processes with such a command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if is_wanted(path.read_bytes()):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return sorted(found)


def _verdicts(root: Path) -> dict[int, str]:
    with closing(sqlite3.connect(root / "harvest.db")) as ledger:
        return dict(ledger.execute("SELECT id, verdict FROM hit").fetchall())


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """Give a folder for a Ray of its own; the paths of its sockets must be short."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@needs_ray
@pytest.mark.slow
def test_a_driver_that_is_killed_leaves_no_ray_and_resumes(world, cli, run, tmp_path, ray_folder):
    """A kill of the driver ends its Ray; the same command finishes the dataset as if nothing had happened."""
    expected = run("local", "king")
    cli.environ |= {**world.internet.environ, "RAY_TMPDIR": str(ray_folder)}
    line = ("-c", "URLS", "-q", "--workers", "ray", "--ray-workers", "1", world.write(tmp_path, "king"))

    running = cli.start(*line)
    while running.process.poll() is None and not list((tmp_path / "dataset").glob("king/*")):
        time.sleep(0.01)
    running.kill()
    running.process.wait()
    while find_processes(lambda command: bytes(ray_folder) in command):
        time.sleep(0.1)
    ran = cli(*line)

    assert ran.code == 0, ran.err
    assert read_ledger(tmp_path / "dataset") == expected["ledger"]


def test_ray_gets_a_token_without_a_file_in_the_home_folder(tmp_path, monkeypatch):
    """A token is set for the processes that Ray starts, which need it in whatever home folder they are."""
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path)})

    ray_cluster.set_token()

    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    assert not list(tmp_path.iterdir())


def test_the_token_of_the_user_is_kept(tmp_path, monkeypatch):
    """Where the user has a token, in a variable or in the home folder, Ray uses that one."""
    for variables in ({"RAY_AUTH_TOKEN": "mine"}, {"RAY_AUTH_TOKEN_PATH": "mine"}):
        monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path), **variables})
        ray_cluster.set_token()
        assert {**os.environ, **variables} == os.environ
        assert os.environ.get("RAY_AUTH_TOKEN") in {"mine", None}

    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("mine", "utf-8")
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path)})
    ray_cluster.set_token()
    assert "RAY_AUTH_TOKEN" not in os.environ
