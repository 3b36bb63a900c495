"""Changes in the folders and other commands while a `get` runs: every change is recognised correctly."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Changes, Dataset
from harvest.dataset import dataset as dataset_module
from harvest.dataset.file_operations import FileOperations
from harvest.files.place_and_list_files import Tree
from harvest.images import source_of
from tests import datasets
from tests.end_to_end.harvests import OURS, decisions, other_files, pictures
from tests.web import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from harvest.files.ledger_names_to_paths import FileKey
    from tests.command import Command, Ran, Running
    from tests.web import Internet, Listing, ResultList

QUERIES = """\
class,query,providers
coral,micrurus tener,BING
coral,coral snake,FLICKR
"""
LINE = ("-c", "BING", "-c", "FLICKR", "-k", "snakes.csv", "--json")
BETTER = 14  # number of Bing's images that are on Flickr too, under an open licence


@pytest.fixture
def corals(internet: Internet, cli: Command) -> ResultList:
    """Let Flickr list better copies of Bing's images, and one of Bing's hosts serve placeholders."""
    corals = internet.bing.add_results("micrurus tener", 34, placeholder=7, copy=2)
    internet.flickr.add_results("coral snake", 4, also=corals.of("good")[:BETTER])
    (cli.folder / "snakes.csv").write_text(QUERIES, "utf-8")
    return corals


@pytest.fixture
def get(internet: Internet, cli: Command) -> Callable[..., Running]:
    """Return a function that starts the command."""
    return lambda *more: cli.start(*LINE, *more, FLICKR_API_KEY=internet.flickr.key)


def looks(running: Running, out: Path) -> Iterator[Changes]:
    """Open the dataset as other commands do, repeatedly, until the run ends and once more."""
    over = False
    while not over:
        over = running.process.poll() is not None
        if (out / "harvest.db").exists():
            with Dataset.open(out) as dataset:
                yield dataset.changes


def well(running: Running) -> Ran:
    """Wait for a successful end."""
    ran = running.wait()
    assert ran.code == 0, ran.err
    return ran


def files_of(out: Path, listings: Iterable[Listing]) -> list[Path]:
    """Return the files of listings by the URLs in their EXIF; skip one that disappears meanwhile."""
    urls = {listing.url for listing in listings}
    found = []
    for path in pictures(out):
        try:
            if source_of(path.read_bytes()) in urls:
                found.append(path)
        except FileNotFoundError:
            continue
    return found


def test_P01_onlookers_see_nothing_done_by_a_person(get, corals: ResultList, tmp_path: Path) -> None:
    """Images that a run places, replaces and moves are never reported as changes of the user."""
    out = tmp_path / "dataset"
    running = get()
    seen = list(looks(running, out))
    well(running)
    assert len(seen) > 20
    assert [changes for changes in seen if changes != Changes()] == []
    assert other_files(out) == OURS
    assert decisions(out) == [("harvest", "reject")]
    assert not files_of(out, corals.of("placeholder"))


@pytest.mark.slow
def test_R01_what_a_person_does_while_a_get_runs_is_seen_for_what_it_is(
    internet: Internet, get, corals: ResultList, tmp_path: Path
) -> None:
    """Files deleted and moved during a run are reported once each by the next command, and stay so."""
    out = tmp_path / "dataset"
    alone = [each for each in corals.of("good")[BETTER:] if each not in corals.duplicates]
    running = get()
    deleted: set[str] = set()
    moved: set[str] = set()
    reported: dict[str, list[str]] = {"deleted": [], "moved": []}
    for changes in looks(running, out):
        for kind, names in reported.items():
            names += [change.name for change in getattr(changes, kind)]
        assert set(changes.counts()) <= reported.keys()
        for path in files_of(out, alone):
            if path.name not in moved and len(deleted) < 3:
                deleted.add(path.name)
                path.unlink()
            elif len(moved) < 3:
                moved.add(path.name)
                (out / "other").mkdir(exist_ok=True)
                path.rename(out / "other" / path.name)
    well(running)
    with Dataset.open(out) as dataset:
        assert dataset.changes == Changes()
    assert {kind: sorted(names) for kind, names in reported.items()} == {
        "deleted": sorted(deleted),
        "moved": sorted(moved),
    }
    assert (len(deleted), len(moved)) == (3, 3)
    internet.log.clear()
    well(get("--refresh"))
    assert not internet.log.to("*.pictures.test")
    assert {path.name for path in (out / "other").iterdir()} == moved


@pytest.mark.slow
def test_R01_what_was_just_deleted_does_not_come_back_in_better_copies(
    internet: Internet, get, corals: ResultList, tmp_path: Path
) -> None:
    """An image deleted while better copies are still being downloaded stays deleted, and is a rejection."""
    out = tmp_path / "dataset"
    larger = Answer(corals.of("good")[0].photo.changed("larger"), kind="image/jpeg")
    internet.flickr.set_mode("slow", seconds=1.5)
    internet.sites["late.test"] = lambda _: replace(larger, wait=2.5)
    (tmp_path / "late.txt").write_text("https://late.test/1.jpg", "utf-8")
    (tmp_path / "snakes.csv").write_text(f"{QUERIES}coral,late.txt,URLS\n", "utf-8")
    running = get("-c", "URLS")
    deadline = time.monotonic() + 60
    while not (found := files_of(out, corals.of("good")[:1])):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    found[0].unlink()
    account = well(running).json
    verdicts = {line["provider"]: line["verdicts"] for line in account["lines"]}
    # On a busy machine Flickr may come first with an image: then that one is not a better copy of another.
    assert verdicts["FLICKR"]["better"] + verdicts["FLICKR"]["kept"] == BETTER + 3
    assert verdicts["FLICKR"]["rejected"] == 1
    assert verdicts["URLS"] == {"rejected": 1}
    with Dataset.open(out) as dataset:
        assert [change.name for change in dataset.changes.deleted] == [found[0].name]


def test_R02_a_file_moved_while_the_folders_are_listed_is_moved(tmp_path: Path, monkeypatch) -> None:
    """A file moved from a folder just scanned to one not yet scanned, or back, is neither duplicated nor missing."""
    root = tmp_path / "dataset"
    datasets.new(root, king=range(4), coral=range(10, 14))
    listed: list[str] = []
    moves: dict[str, str] = {}
    real = Tree._scan_class

    def scan_class(tree: Tree, here: FileKey, *more: object) -> None:
        real(tree, here, *more)
        listed.append(here.class_name)
        if len(listed) == 1:
            first, second = here.class_name, ("king" if here.class_name == "coral" else "coral")
            for source, target in ((first, second), (second, first)):
                path = min((root / source).iterdir())
                path.rename(root / target / path.name)
                moves[path.name] = target

    monkeypatch.setattr(Tree, "_scan_class", scan_class)
    with Dataset.open(root) as dataset:
        assert dataset.changes.counts().keys() == {"moved"}
        assert {change.name: change.to.split("/")[0] for change in dataset.changes.moved} == moves


@pytest.mark.slow
def test_R01_a_class_folder_deleted_while_a_get_runs_does_not_end_it(
    internet: Internet, cli: Command, tmp_path: Path
) -> None:
    """A whole class folder deleted during a run does not end it, and its images do not return."""
    results = internet.addresses(30, hosts=2)
    (tmp_path / "corals.txt").write_text("\n".join(results.urls), "utf-8")
    (tmp_path / "corals.csv").write_text("class,query\ncoral,corals.txt\n", "utf-8")
    folder = tmp_path / "dataset" / "coral"
    running = cli.start("-c", "URLS", "-q", "corals.csv")
    gone: set[str] = set()
    while running.process.poll() is None:
        if len(gone) < 20 and folder.exists() and (names := {path.name for path in folder.iterdir()}):
            gone |= names
            shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.001)
    ended = running.wait()
    internet.log.clear()
    again = cli("-c", "URLS", "-q", "--refresh", "--accept-missing", "corals.csv")
    left = pictures(tmp_path / "dataset")
    # On a busy machine the folder is seen, and deleted, when it has all images: then nothing is kept.
    assert ended.code in (0, 4), ended.err
    assert again.code == (0 if left else 4), again.err
    assert not internet.log.to()
    assert not gone & {path.name for path in pictures(tmp_path / "dataset")}


def test_P01_what_a_run_takes_out_between_look_and_record_is_not_restored(tmp_path: Path, monkeypatch) -> None:
    """A file that a run moves away just after another command saw it in its class stays moved."""
    root = tmp_path / "dataset"
    datasets.new(root, king=range(4))
    look, carry_out = dataset_module.compare_with_disk, FileOperations.complete_moves
    with Dataset.open(root) as run:

        def look_meanwhile(*values: object, **more: bool) -> object:
            monkeypatch.setattr(FileOperations, "complete_moves", lambda _: None)
            run.reject(run.find(datasets.name(1)), by="harvest")
            seen = look(*values, **more)
            carry_out(run._journal)
            monkeypatch.setattr(FileOperations, "complete_moves", carry_out)
            return seen

        monkeypatch.setattr(dataset_module, "compare_with_disk", look_meanwhile)
        with Dataset.open(root) as onlooker:
            assert onlooker.changes == Changes()
            assert onlooker.count_present("king") == 3
    monkeypatch.undo()
    with Dataset.open(root) as dataset:
        assert dataset.changes == Changes()
    assert decisions(root) == [("harvest", "reject")]
