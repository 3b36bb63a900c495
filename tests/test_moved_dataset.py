"""A dataset that is moved, renamed or deleted during a run is detected, and nothing is created at its path."""

from __future__ import annotations

import os
import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Dataset, Placement
from harvest.errors import DatasetMoved
from harvest.files import disk
from tests import datasets
from tests.datasets import a_hit, a_picture, find

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows moves no folder with an open file in it")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a dataset with three images."""
    root = tmp_path / "dataset"
    datasets.new(root, king=range(3))
    return root


def rename(root: Path) -> None:
    root.rename(root.with_name("moved"))


def delete(root: Path) -> None:
    shutil.rmtree(root)


def replace_by_empty(root: Path) -> None:
    root.rename(root.with_name("moved"))
    root.mkdir()


def replace_by_copy(root: Path) -> None:
    root.rename(root.with_name("moved"))
    shutil.copytree(root.with_name("moved"), root)


def delete_and_make_again(root: Path) -> None:
    shutil.rmtree(root)
    root.mkdir()


WAYS = [rename, delete, replace_by_empty, replace_by_copy, delete_and_make_again]


@pytest.mark.parametrize("way", WAYS)
def test_X13_moved_between_two_batches(root: Path, way: Callable[[Path], None]) -> None:
    """The next batch is refused with exit code 6, and nothing is created or changed at the path of the dataset."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        [task] = find(dataset, [a_hit(9)], "coral", "coral snake")
        way(root)
        before = snapshot(root.parent)
        with pytest.raises(DatasetMoved, match=r"dataset was moved, renamed or deleted") as raised:
            dataset.place([Placement(task, a_picture(9, original=b"original"))])
    assert raised.value.exit_code == 6
    assert snapshot(root.parent) == before


@pytest.mark.parametrize("step", ["make_subfolder", "write", "replace", "sync_folder"])
@pytest.mark.parametrize("way", [rename, delete])
def test_X13_moved_in_the_middle_of_a_batch(
    root: Path, way: Callable[[Path], None], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever step of a batch the move precedes, the error says so and the path stays empty."""
    calls = []

    def once(real: Callable[..., None], *values: object) -> None:
        if not calls:
            calls.append(step)
            way(root)
        real(*values)

    with Dataset.open(root, create=True, exclusive=True) as dataset:
        [task] = find(dataset, [a_hit(9)], "coral", "coral snake")
        monkeypatch.setattr(disk, step, partial(once, getattr(disk, step)))
        with pytest.raises(DatasetMoved):
            dataset.place([Placement(task, a_picture(9))])
    assert calls
    assert not root.exists()


def test_X13_moved_dataset_goes_on_at_its_new_place(root: Path) -> None:
    """Nothing is lost by the move: the hit is unfinished there, and the ledger is complete."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        [task] = find(dataset, [a_hit(9)])
        rename(root)
        with pytest.raises(DatasetMoved):
            dataset.place([Placement(task, a_picture(9))])
    with Dataset.open(root.with_name("moved"), create=True, exclusive=True) as dataset:
        assert not dataset.changes.deleted
        search = dataset.begin_search(datasets.a_query(), "BING", 1)
        assert [waiting.hit.url for waiting in dataset.unsettled_tasks(search.id)] == [task.hit.url]


@pytest.mark.parametrize("way", ["removed", "replaced"])
def test_X13_ledger_alone_is_removed_or_replaced(root: Path, way: str) -> None:
    """Without its ledger a dataset is not written: exit code 6, and no new ledger."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        [task] = find(dataset, [a_hit(9)])
        (root / "harvest.db").rename(root.with_name("kept.db"))
        if way == "replaced":
            shutil.copy(root.with_name("kept.db"), root / "harvest.db")
        before = images(root)
        with pytest.raises(DatasetMoved, match=r"harvest\.db was removed or replaced") as raised:
            dataset.place([Placement(task, a_picture(9))])
    assert raised.value.exit_code == 6
    assert images(root) == before
    assert (root / "harvest.db").exists() == (way == "replaced")


def test_X13_a_link_to_the_new_place_is_the_same_dataset(root: Path) -> None:
    """A dataset that is moved and replaced by a link to it does not stop the run."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        [task] = find(dataset, [a_hit(9)])
        rename(root)
        root.symlink_to(root.with_name("moved"))
        assert len(dataset.place([Placement(task, a_picture(9))])) == 1


def test_X13_decisions_are_refused_too(root: Path) -> None:
    """A rejection does not move files in another dataset at the same path."""
    with Dataset.open(root) as dataset:
        replace_by_copy(root)
        before = images(root)
        with pytest.raises(DatasetMoved):
            dataset.reject(dataset.find(datasets.name(1)), by="page")
    assert images(root) == before
    assert not root.with_name("dataset.rejected").exists()


def test_new_ledger_takes_nothing_over_from_an_old_one(root: Path) -> None:
    """Files that SQLite left next to a removed ledger do not become part of a new one."""
    dataset = Dataset.open(root, create=True, exclusive=True)
    find(dataset, [a_hit(9)])
    (root / "harvest.db").unlink()
    dataset.close()
    assert (root / "harvest.db-wal").exists()
    with Dataset.open(root, create=True, exclusive=True, new_ledger=True) as new:
        assert new.counts() == {"king": 3}
        assert new.begin_search(datasets.a_query(), "BING", 1).asked == 0


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, except in the directory that was moved away."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
        if "moved" not in path.parts
    }


def images(root: Path) -> dict[str, bytes]:
    """Return the files of the class folders."""
    return {path.name: path.read_bytes() for path in sorted(root.glob("*/*"))}
