"""What a person does to an image after a kill between its rename and its confirmation is not lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Changes, Dataset, Placement
from harvest.dataset.file_operations import FileOperations
from harvest.files import disk
from harvest.verdicts import Verdict
from tests import datasets
from tests.datasets import a_hit, a_picture, find

if TYPE_CHECKING:
    from pathlib import Path


class Killed(BaseException):
    """An exception that ends an operation as a kill does, as far as one process can simulate it."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "dataset"


def place_and_kill(root: Path, *, replaces: bool = False) -> None:
    """Place an image, or a better copy that `replaces` one, and stop before the confirmation."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        [worse, task] = find(dataset, [a_hit(1), a_hit(2)])
        known = dataset.place([Placement(worse, a_picture(1))])[0] if replaces else None
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(FileOperations, "_confirm", _kill)
            with pytest.raises(Killed):
                dataset.place([Placement(task, a_picture(2), replaces=known)])


def _kill(*_: object) -> None:
    raise Killed


def image(root: Path, number: int = 2, class_name: str = "king") -> Path:
    return root / class_name / datasets.name(number)


def test_X12_deleted_image_is_a_rejection(root: Path) -> None:
    """A deleted image is reported as deleted, and its URL is not downloaded again."""
    place_and_kill(root)
    image(root).unlink()
    with Dataset.open(root) as dataset:
        assert [change.name for change in dataset.changes.deleted] == [datasets.name(2)]
        assert [report.verdict for report in dataset.history_of_text(datasets.name(2)).sources] == [Verdict.KEPT]
        assert [known.content for known in dataset.list_rejected()] == [a_picture(2).content]


def test_X12_moved_image_is_relabelled(root: Path) -> None:
    """An image moved to another class keeps its source."""
    place_and_kill(root)
    (root / "coral").mkdir()
    image(root).rename(image(root, class_name="coral"))
    with Dataset.open(root) as dataset:
        assert dataset.counts() == {"coral": 1}
        assert not dataset.changes.deleted
        assert [source.url for source in dataset.history_of_text(datasets.name(2)).sources] == [a_hit(2).url]


def test_X12_edited_image_keeps_its_source(root: Path) -> None:
    """An edited image is a version of that image, and not an added file."""
    place_and_kill(root)
    image(root).write_bytes(datasets.jpeg(77))
    with Dataset.open(root) as dataset:
        assert dataset.counts() == {"king": 1}
        assert not dataset.changes.deleted
        assert not dataset.changes.added
        assert [source.url for source in dataset.history_of_text(datasets.name(2)).sources] == [a_hit(2).url]


def test_X12_worse_copy_stays_when_the_better_one_is_deleted(root: Path) -> None:
    """Of two copies after the kill, the one that the person kept stays."""
    place_and_kill(root, replaces=True)
    image(root, 2).unlink()
    with Dataset.open(root) as dataset:
        assert dataset.counts() == {"king": 1}
    assert image(root, 1).exists()


def test_X12_what_was_not_renamed_is_nobodys_deletion(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill between the record and the rename is not a decision: the part file is removed, and the hit is resumed."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        [task] = find(dataset, [a_hit(2)])
        monkeypatch.setattr(disk, "replace", _kill)
        with pytest.raises(Killed):
            dataset.place([Placement(task, a_picture(2))])
        monkeypatch.undo()
    assert list(root.glob(".harvest-*.part"))
    for _ in range(2):
        with Dataset.open(root) as dataset:
            assert dataset.changes == Changes()
            assert not list(dataset.list_rejected())
            search = dataset.begin_search(datasets.a_query(), "BING", 1)
            assert [waiting.id for waiting in dataset.unsettled_tasks(search.id)] == [task.id]
    assert not list(root.glob(".harvest-*.part"))


def test_X12_killed_again_while_part_files_are_removed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second kill, after the part file was removed, does not turn it into a deletion."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        [task] = find(dataset, [a_hit(2)])
        monkeypatch.setattr(disk, "replace", _kill)
        with pytest.raises(Killed):
            dataset.place([Placement(task, a_picture(2))])
        monkeypatch.undo()
    monkeypatch.setattr(FileOperations, "complete_moves", _kill)
    with pytest.raises(Killed):
        Dataset.open(root)
    monkeypatch.undo()
    assert not list(root.glob(".harvest-*.part"))
    with Dataset.open(root) as dataset:
        assert dataset.changes == Changes()
        assert not list(dataset.list_rejected())
