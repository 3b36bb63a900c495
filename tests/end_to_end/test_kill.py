"""Killed at any moment: class folders contain only complete images, and the same command finishes the job."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Changes, Dataset, Placement
from harvest.files import disk
from harvest.images import source_of
from harvest.models import Recipe
from tests.datasets import a_hit, a_picture, find
from tests.end_to_end.harvests import LEFT, OURS, ExpectedImages, decisions, other_files, pictures, pixels, wanted
from tests.guard.sitecustomize import SLOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.command import Command, Running
    from tests.web import Internet, Photo

KILLS = 50
LONGEST = 4  # kills in a row, before the command may run to its end
PARTS = ".harvest-*.part"
QUERIES = """\
class,query,providers
coral,micrurus tener,BING
coral,coral snake,FLICKR
king,scarlet king snake,FLICKR
"""
LINE = ("-c", "BING", "-c", "FLICKR", "-k", "-q", "snakes.csv")


@dataclass
class World:
    """Two classes on two sources, with every kind of host and image."""

    internet: Internet
    cli: Command
    expected: ExpectedImages
    homes: dict[Photo, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bing, flickr = self.internet.bing, self.internet.flickr
        corals = bing.add_results("micrurus tener", 26, dead=2, html=1, tiny=1, flaky=1, redirect=1, changed=4, copy=2)
        # Flickr states open licences, so its copy replaces the same image from Bing.
        more = flickr.add_results("coral snake", 10, dead=1, also=corals.of("good")[:6])
        # An image listed for both classes belongs to the class that has it first.
        kings = flickr.add_results("scarlet king snake", 14, blank=1, changed=1, also=corals.of("good")[6:9])
        self.homes = wanted(coral=[corals, more], king=[kings])
        for results in (corals, more, kings):
            self.expected.add(results)
        (self.cli.folder / "snakes.csv").write_text(QUERIES, "utf-8")

    @property
    def line(self) -> tuple[str, ...]:
        """The command that is run, killed, and run again."""
        return LINE

    def finish(self, out: Path) -> float:
        """Run the command to its normal end, and return the seconds it took."""
        ran = self.cli(*self.line, "-o", out.name, FLICKR_API_KEY=self.internet.flickr.key)
        assert ran.code == 0, ran.err
        assert "Traceback" not in ran.err
        return ran.seconds

    def run_and_kill(self, out: Path, moment: float, then: float | None) -> bool:
        """Run the command, and kill it after so many seconds; return whether it was still running then.

        With `then`, wait from that moment on for a file that is being placed, and kill so much later.
        """
        running = self.cli.start(*self.line, "-o", out.name, FLICKR_API_KEY=self.internet.flickr.key)
        time.sleep(moment)
        if then is not None:
            while running.process.poll() is None and not any(out.glob(PARTS)):
                time.sleep(0.0005)
            time.sleep(then)
        alive = running.process.poll() is None
        running.kill()
        code = running.process.wait()
        assert alive or code == 0, running.messages
        return alive

    def kept(self, out: Path) -> dict[Photo, list[str]]:
        """Decode every file, and return which photo it shows and the classes that contain it."""
        found: dict[Photo, list[str]] = {}
        for path in pictures(out):
            shown = pixels(path)
            assert shown in self.expected.photos, f"{path} shows an image that no host served"
            found.setdefault(self.expected.photos[shown], []).append(path.parent.name)
        return found


@pytest.mark.slow
def test_P01_killed_at_50_moments_it_ends_as_if_nobody_had_killed_it(
    internet: Internet, cli: Command, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After every kill all files are complete, and the final result equals that of an undisturbed run."""
    world = World(internet, cli, ExpectedImages(Recipe(), tmp_path_factory.mktemp("expected")))
    undisturbed = tmp_path / "undisturbed"
    took = world.finish(undisturbed)
    assert_whole(world, undisturbed)
    assert world.kept(undisturbed).keys() == world.homes.keys()

    draw = Random(2)
    kills = 0
    for number in range(KILLS):
        if kills >= KILLS:
            break
        out = tmp_path / f"killed-{number}"
        for _ in range(min(1 + number % LONGEST, KILLS - kills)):
            placing = draw.uniform(0, 0.02) if draw.random() < 0.5 else None
            alive = world.run_and_kill(out, draw.uniform(0, took), placing)
            assert_whole(world, out)
            kills += alive
            took *= 1 if alive else 0.8  # it ended before the kill: the machine is less busy than it was
        if draw.random() < 0.5:
            assert_nothing_was_decided(out)
        sources = {source_of(path.read_bytes()) for path in pictures(out)}
        internet.log.clear()
        world.finish(out)
        assert not [url for url in sources if internet.log.count(url)], "fetched again what was there"
        assert_finished(world, out, undisturbed)
    assert kills == KILLS


def assert_whole(world: World, out: Path) -> None:
    """Assert that every file in a class folder, and every original, is complete, and that there are no other files."""
    if not out.exists():
        return
    world.kept(out)
    strange = [name for name in other_files(out) - OURS if not name.startswith(LEFT)]
    assert not strange
    for original in pictures(out.with_name(f"{out.name}.raw")):
        assert original.read_bytes() in world.expected.bodies, f"{original} is not as it was served"


def assert_nothing_was_decided(out: Path) -> None:
    """Open the dataset as a command does between two runs, and assert that no decision is recorded."""
    if not (out / "harvest.db").exists():
        return
    with suppress(FileNotFoundError), Dataset.open(out) as dataset:
        assert dataset.changes == Changes()
    assert not decisions(out)


def assert_finished(world: World, out: Path, undisturbed: Path) -> None:
    """Assert that the photos and classes are those of an undisturbed run, once each, without other files."""
    kept, other = world.kept(out), world.kept(undisturbed)
    assert kept.keys() == other.keys()
    for photo, homes in kept.items():
        assert len(homes) == 1, f"{photo} is in {homes}"
        # Which of two classes comes first for a photo of both is not deterministic.
        assert set(homes) <= world.homes[photo]
    assert other_files(out) == OURS
    assert not decisions(out)
    with Dataset.open(out, read_only=True) as dataset:
        assert dataset.changes == Changes()
        tallies = dataset.count_classes()
    sums = Counter[str]()
    for tally in tallies:
        sums.update(kept=tally.kept, other=tally.own + tally.rejected + tally.moved + tally.edited)
    assert sums["kept"] == len(kept)
    assert sums["other"] == 0
    raw = out.with_name(f"{out.name}.raw")
    assert not other_files(raw)
    names = [sorted(f"{path.parent.name}/{path.stem}" for path in pictures(root)) for root in (out, raw)]
    assert names[0] == names[1], "an original without its picture, or a picture without its original"
    assert not out.with_name(f"{out.name}.rejected").exists()


class Killed(BaseException):
    """Ends the program in the middle of an operation, as far as an exception can simulate a kill."""


@pytest.mark.parametrize("step", ["replace", "remove"])
def test_P01_no_original_stays_without_its_picture(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An original whose image was never placed, or was replaced, is removed when the dataset is next opened."""
    root, raw = tmp_path / "dataset", tmp_path / "dataset.raw"
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        first, better = find(dataset, [a_hit(1), a_hit(2)])
        [known] = dataset.place([Placement(first, a_picture(1, original=b"worse"))])
        calls = 0

        def once(real: Callable[..., None], *paths: Path) -> None:
            nonlocal calls
            calls += 1
            if calls > 1:
                raise Killed
            real(*paths)

        monkeypatch.setattr(disk, step, partial(once, getattr(disk, step)))
        with pytest.raises(Killed):
            dataset.place([Placement(better, a_picture(2, original=b"better"), replaces=known)])
    monkeypatch.undo()
    with Dataset.open(root) as dataset:
        assert dataset.changes == Changes()
    assert [path.stem for path in pictures(raw)] == [path.stem for path in pictures(root)]


# A placement is recorded, written, renamed and confirmed; a slow disk makes each gap long enough to hit.
SLOW_KILLS = 6


def test_X12_deleted_after_a_kill_on_a_slow_disk(internet: Internet, cli: Command, tmp_path: Path) -> None:
    """An image that was renamed and not confirmed when the program was killed stays deleted."""
    addresses = internet.addresses(24, "corals")
    (cli.folder / "corals.txt").write_text("\n".join(addresses.urls), "utf-8")
    (cli.folder / "corals.csv").write_text("class,query\ncoral,corals.txt\n", "utf-8")
    unconfirmed = 0
    for number in range(SLOW_KILLS):
        out = tmp_path / f"slow-{number}"
        line = ("-c", "URLS", "-q", "corals.csv", "-o", out.name)
        running = cli.start(*line, **{SLOW: "0.03"})
        wait_for(lambda out=out: any(out.glob("coral/*.jpg")), running)
        time.sleep(0.01 * number)
        running.kill()
        running.process.wait()
        deleted = pictures(out)
        unconfirmed += len(deleted) - confirmed(out)
        for path in deleted:
            path.unlink()
        ran = cli(*line, "--accept-missing")
        assert ran.code == 0, ran.err
        assert {path.name for path in deleted} & {path.name for path in pictures(out)} == set()
        assert len(pictures(out)) == len(addresses) - len(deleted)
    assert unconfirmed


def wait_for(is_so: Callable[[], bool], running: Running) -> None:
    """Wait until a condition is true; the command must still be running then."""
    while not is_so():
        assert running.process.poll() is None, running.messages
        time.sleep(0.001)


def confirmed(out: Path) -> int:
    """Return how many images are present according to the ledger."""
    with closing(sqlite3.connect(out / "harvest.db")) as ledger:
        return ledger.execute("SELECT count(*) FROM picture WHERE state = 'present'").fetchone()[0]
