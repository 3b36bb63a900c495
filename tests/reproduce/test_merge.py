"""`harvest merge`: two datasets into a new one, by the rules of a harvest."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Dataset, Placement, save_split_in_ledger
from harvest.errors import CannotWrite, UsageError
from harvest.files import disk
from harvest.harvesting.deduplicate import Deduplicator
from harvest.images import process_image
from harvest.licences import Evidence, Licence
from harvest.models import Outcome, Recipe
from harvest.reproduce.merge_datasets import merge_datasets
from tests import datasets
from tests.reproduce.in_process import run_command
from tests.reproduce.photo_datasets import SMALL, place
from tests.web import Photo

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.models import Hit

RULE = "10% 10% seed 1"


def elsewhere(number: int, **more: object) -> Hit:
    """Return a hit for the photo of a number on another site."""
    url = f"https://copies.example.com/{number}.jpg"
    return datasets.a_hit(number, "FLICKR", url=url, source=f"url:{url}", **more)


def place_copy(root: Path, number: int, change: str, class_name: str = "king") -> None:
    """Place a changed copy of a photo."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        (task,) = datasets.find(dataset, [elsewhere(number)], class_name, "copies")
        picture = process_image(Photo(number).changed(change), task.hit, Recipe(size=100, min_size=1))
        dataset.place([Placement(task, picture)])


def ids(dataset: Dataset) -> dict[str, int]:
    """Return the images on disk by the address that they come from."""
    rows = [row for row in dataset.recipe_rows.images() if row.state == "present" and row.hit is not None]
    return {dataset.picture_history(row.id).sources[0].url: row.id for row in rows}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two datasets with duplicates, a conflict, rejections, decisions, splits and files of the user."""
    folder = tmp_path_factory.mktemp("template")
    one, two = folder / "one", folder / "two"
    keep = Recipe(size=100, keep_original=True)
    place(one, *map(datasets.a_hit, range(1, 6)), recipe=keep)
    place(two, *(elsewhere(n, licence=Licence("CC-BY-4.0", None, Evidence.STATED)) for n in (1, 7)))
    place(two, *map(elsewhere, (2, 3)), class_name="coral")
    place(two, datasets.a_hit(8))
    place_copy(two, 4, "larger")
    (one / "king" / "mine.jpg").write_bytes(datasets.jpeg(71))
    (two / "king" / "mine.jpg").write_bytes(datasets.jpeg(72))
    with Dataset.open(one) as dataset:
        images = ids(dataset)
        dataset.reject([images[datasets.a_hit(3).url]], by="page")
        dataset.decide("rate", [images[datasets.a_hit(5).url]], by="page", value=8)
        content = dataset.picture_history(images[datasets.a_hit(5).url]).content
    with Dataset.open(two) as dataset:
        dataset.move([ids(dataset)[elsewhere(7).url]], "coral", by="page")
    save_split_in_ledger(one, RULE, {content: "test"})
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return tmp_path


def merged(folder: Path, out: str = "all", order: tuple[str, str] = ("one", "two")) -> Path:
    merge_datasets(*(folder / name for name in order), folder / out)
    return folder / out


def test_either_order_gives_the_same_tree(folder: Path) -> None:
    """A with B and B with A give the same files, and neither dataset is changed."""
    before = datasets.tree(folder)
    merged(folder, "all", ("one", "two"))
    merged(folder, "other", ("two", "one"))
    assert datasets.tree(folder / "all") == datasets.tree(folder / "other")
    assert datasets.tree(folder / "all.raw") == datasets.tree(folder / "other.raw")
    after = datasets.tree(folder)
    assert {path: data for path, data in after.items() if path.startswith(("one", "two"))} == before


def test_duplicates_and_conflicts_are_decided_as_in_a_harvest(folder: Path) -> None:
    """The openly licensed and the larger copy stay; an image of two classes is in one, and a conflict."""
    root = merged(folder)
    with Dataset.open(root) as dataset:
        urls = set(ids(dataset))
        assert {elsewhere(1).url, elsewhere(4).url, datasets.a_hit(5).url, datasets.a_hit(8).url} <= urls
        assert not {datasets.a_hit(1).url, datasets.a_hit(4).url} & urls
        assert len({datasets.a_hit(2).url, elsewhere(2).url} & urls) == 1
        assert len(dataset.conflicts()) == 1
        assert sum(dataset.counts().values()) == len(datasets.tree(root))


def test_a_rejection_of_one_dataset_counts_for_both(folder: Path) -> None:
    """What one dataset rejects is not in the new one, also where the other has it, and it does not come back."""
    with Dataset.open(merged(folder), exclusive=True) as dataset:
        assert not {datasets.a_hit(3).url, elsewhere(3).url} & set(ids(dataset))
        assert len(dataset.rejections()) == 1
        (task,) = datasets.find(dataset, [datasets.a_hit(1, url="https://new.example/3.jpg", source="new")])
        found = process_image(Photo(3).changed("rough"), task.hit, SMALL)
        assert Deduplicator(dataset).record_outcomes([Outcome(task, found)]) == ["rejected"]


def test_the_keep_rate_counts_what_was_rejected_before(folder: Path) -> None:
    """An image that was placed and rejected in one dataset is placed and not kept in the new one, too."""
    with Dataset.open(folder / "one") as dataset:
        before = [(rate.class_name, rate.placed - rate.kept) for rate in dataset.keep_rates()]
    with Dataset.open(merged(folder)) as dataset:
        after = {(rate.class_name, rate.placed - rate.kept) for rate in dataset.keep_rates()}
    assert before == [("king", 1)]
    assert ("king", 1) in after


def test_what_is_on_disk_outranks_the_rejection_of_its_own_dataset(tmp_path: Path) -> None:
    """An image that its own dataset keeps beside a rejected copy is kept, unless the other dataset rejects it."""
    for name in ("one", "two"):
        place(tmp_path / name, datasets.a_hit(1), datasets.a_hit(9 if name == "one" else 8))
        (tmp_path / name / "king" / "copy.jpg").write_bytes(next(iter(datasets.tree(tmp_path / name).values())))
    with Dataset.open(tmp_path / "one") as dataset:
        dataset.reject([ids(dataset)[datasets.a_hit(1).url]], by="page")
    root = merged(tmp_path)
    with Dataset.open(root) as dataset:
        assert dataset.find_file("king", "copy.jpg") is not None


def test_sources_and_decisions_of_both_are_kept(folder: Path) -> None:
    """Searches, results, ratings, moves, splits, originals and the user's files of both are in the new dataset."""
    root = merged(folder)
    with Dataset.open(root) as dataset:
        images = ids(dataset)
        rows = {row.id: row for row in dataset.recipe_rows.images()}
        assert rows[images[datasets.a_hit(5).url]].rating == 8
        moved = rows[images[elsewhere(7).url]]
        assert (moved.class_name, moved.is_touched) == ("coral", True)
        assert {search.provider for search in dataset.recipe_rows.searches()} == {"BING", "FLICKR"}
        assert dataset.recipe_rows.splits() == [(RULE, rows[images[datasets.a_hit(5).url]].content, "test")]
        assert [event.action for event in dataset.picture_history(moved.id).events] == ["move"]
        history = dataset.picture_history(images[elsewhere(1).url])
        assert {source.url for source in history.sources} == {datasets.a_hit(1).url, elsewhere(1).url}
    own = {path: data for path, data in datasets.tree(root).items() if "mine" in path}
    assert sorted(own.values()) == sorted([datasets.jpeg(71), datasets.jpeg(72)])
    assert len(datasets.tree(root.with_name("all.raw"))) == 1  # of the image that stayed


def test_a_full_disk_leaves_nothing_that_looks_finished(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full in the middle there is no OUT, and the same command completes the same tree."""
    whole = datasets.tree(merged(folder, "whole"))
    write, calls = disk.write, []

    def fill(path: Path, data: bytes) -> None:
        calls.append(path)
        if len(calls) > 5:
            raise OSError(28, "No space left on device")
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "write", fill)
        with pytest.raises(CannotWrite, match="No space left"):
            merged(folder)
    assert not (folder / "all").exists()
    assert datasets.tree(merged(folder)) == whole
    assert not (folder / "all.part").exists()


def test_class_names_that_differ_in_case_are_one_class(tmp_path: Path) -> None:
    """`King` and `king` become one class, in either order."""
    place(tmp_path / "one", datasets.a_hit(1), class_name="king")
    place(tmp_path / "two", elsewhere(2), class_name="King")
    trees = [merged(tmp_path, out, order) for out, order in (("a", ("one", "two")), ("b", ("two", "one")))]
    assert [sorted(path.name for path in root.iterdir() if path.is_dir()) for root in trees] == [["King"]] * 2


@pytest.mark.parametrize(
    ("second", "message"),
    [("one", "are the same dataset"), ("none", "is not a dataset")],
)
def test_what_cannot_be_merged_is_refused(folder: Path, second: str, message: str) -> None:
    """A dataset with itself, or with a folder that is none, is refused, and nothing is created."""
    with pytest.raises(UsageError, match=message):
        merge_datasets(folder / "one", folder / second, folder / "all")
    assert not list(folder.glob("all*"))


def test_the_command_prints_the_counts(folder: Path, capsys: pytest.CaptureFixture) -> None:
    """`harvest merge` prints the images by class and what was left out."""
    assert run_command("merge", folder / "one", folder / "two", "-o", folder / "all") == 0
    out = capsys.readouterr().out
    assert "left out: duplicates" in out
    assert "1 image left out: rejected in one of the datasets" in out
    assert "1 image in conflict" in out


def test_a_file_that_was_deleted_since_does_not_stop_the_next_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merge that was stopped continues, although the deletion of a file is not recorded in its dataset yet."""
    next((folder / "one" / "king").glob("bing-*")).unlink()
    with monkeypatch.context() as patch:
        patch.setattr("harvest.ledger.decision_log.now", lambda: "2026-01-01T00:00:00Z")
        patch.setattr("harvest.reproduce.merge_datasets._Merge.run", _stop)
        with pytest.raises(SystemError, match="stopped"):
            merged(folder)
    assert datasets.tree(merged(folder))


def _stop(_merge: object) -> None:
    raise SystemError("stopped")


def test_nothing_is_written_into_a_dataset(folder: Path) -> None:
    """A new dataset inside a dataset, its rejected images or its originals would become a class of it."""
    before = datasets.tree(folder)
    for out in ("one/all", "two.rejected/all", "one.raw/all", "one/king/all"):
        with pytest.raises(UsageError, match="is inside the dataset"):
            merged(folder, out)
    assert datasets.tree(folder) == before
