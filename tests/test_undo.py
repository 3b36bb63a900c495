"""Undo and redo: without limit, across restarts, a batch at a time; what changed in between is reported."""

from __future__ import annotations

import errno
import os
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Action, Changes, Dataset
from harvest.files import disk
from tests.datasets import a_hit, a_query, copied, jpeg, name, tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copied(tmp_path / "dataset", king=range(8), coral=range(100, 103))


def both_trees(root: Path) -> dict[str, bytes]:
    """Return the files of the dataset and of its rejected images."""
    rejected = tree(root.with_name("dataset.rejected"))
    return tree(root) | {f"rejected/{path}": data for path, data in rejected.items()}


def ids(dataset: Dataset, *numbers: int) -> list[int]:
    return [dataset.find(name(number))[0] for number in numbers]


def decide_everything(dataset: Dataset) -> int:
    """Make one decision of each kind, and return how many."""
    dataset.decide(Action.REJECT, ids(dataset, 0), by="page")
    dataset.decide(Action.KEEP, ids(dataset, 1, 2, 3, 4), by="page")
    dataset.decide(Action.MOVE, ids(dataset, 5, 6), by="page", value="coral")
    dataset.decide(Action.RATE, ids(dataset, 7), by="page", value=7)
    dataset.decide(Action.RESTORE, ids(dataset, 0), by="page")
    dataset.decide(Action.MOVE, ids(dataset, 1), by="page", value="a new class")
    return 6


def test_undo_after_restarts_returns_every_byte(root: Path) -> None:
    """Every decision is undone by another process, one by one, and the folders are as they were; so does redo."""
    before = both_trees(root)
    states = []
    with Dataset.open(root) as dataset:
        for count in range(decide_everything(dataset)):
            states.append((both_trees(root), judgements(dataset)))
            with Dataset.open(root) as other:
                assert other.changes == Changes()
                result = other.undo(by="page")
                assert result.batch, count
                assert not result.failed
        assert both_trees(root) == before
        assert dataset.next_undo() is None
        assert set(judgements(dataset).values()) == {(0, 0, None)}
    for state in reversed(states):
        with Dataset.open(root) as other:
            assert not other.redo(by="page").failed
            assert (both_trees(root), judgements(other)) == state
            assert other.changes == Changes()


def judgements(dataset: Dataset) -> dict[str, tuple]:
    rows = dataset._ledger.rows("SELECT content, touched, reviewed, rating FROM picture")
    return {content: tuple(rest) for content, *rest in rows}


def test_undo_names_the_step(root: Path) -> None:
    """The next step has the action and the number of images, and a new decision ends the redo."""
    with Dataset.open(root) as dataset:
        dataset.decide(Action.REJECT, ids(dataset, 0, 1), by="page")
        step = dataset.next_undo()
        assert (step.name, step.images) == ("reject", 2)
        dataset.undo(by="page")
        step = dataset.next_redo()
        assert (step.name, step.images) == ("reject", 2)
        dataset.decide(Action.KEEP, ids(dataset, 3), by="page")
        assert dataset.next_redo() is None
        assert dataset.next_undo().name == "keep"


def test_nothing_to_undo_is_no_batch(root: Path) -> None:
    """Without a decision, undo and redo do nothing."""
    with Dataset.open(root) as dataset:
        assert (dataset.undo(by="page").batch, dataset.redo(by="page").batch) == (0, 0)


def test_undo_reopens_the_conflict_that_a_move_resolved(root: Path) -> None:
    """The undo of a move between the two classes of a conflict opens it again."""
    with Dataset.open(root) as dataset:
        search = dataset.begin_search(a_query("coral"), "BING", 1)
        dataset.record_hits(search.id, "coral", [a_hit(3)])
        conflicts = dataset.conflicts()
        dataset.decide(Action.MOVE, ids(dataset, 3), by="page", value="coral")
        assert dataset.conflicts() == []
        dataset.undo(by="page")
        assert dataset.conflicts() == conflicts
        dataset.decide(Action.MOVE, ids(dataset, 3), by="page", value="king")
        assert dataset.conflicts() == []


def test_undo_reports_what_a_person_changed_since(root: Path) -> None:
    """A file that was edited, moved or deleted since is left alone, and the reason is in the result."""
    rejected = root.with_name("dataset.rejected") / "king"
    with Dataset.open(root) as dataset:
        numbers = ids(dataset, 0, 1, 2, 3)
        dataset.decide(Action.REJECT, numbers, by="page")
        (rejected / name(0)).write_bytes(jpeg(500))
        (rejected / name(1)).unlink()
        (rejected / name(2)).rename(root / "coral" / name(2))
        dataset.reconcile()
        result = dataset.undo(by="page")
    assert set(result.failed) == set(numbers[:3])
    assert all(reason.startswith("Not undone: ") for reason in result.failed.values())
    assert (root / "king" / name(3)).exists()
    assert (rejected / name(0)).read_bytes() == jpeg(500)
    assert (root / "coral" / name(2)).exists()
    assert not (root / "king" / name(2)).exists()


def test_decisions_in_the_file_manager_are_not_undone(root: Path) -> None:
    """A deletion in the folders is no step of the undo: its file is gone."""
    (root / "king" / name(0)).unlink()
    with Dataset.open(root) as dataset:
        assert dataset.next_undo() is None


def test_groups_are_settled_and_asked_once(root: Path) -> None:
    """Settling a group keeps one, rejects the others and resolves the pairs; its undo opens the group again."""
    with Dataset.open(root) as dataset:
        numbers = ids(dataset, 0, 1, 2)
        with dataset._ledger.transaction():
            for one, two in pairwise(numbers):
                dataset._ledger.execute(
                    "INSERT INTO near_duplicate (picture, other, certain, at) VALUES (?, ?, 0, '2026')", one, two
                )
        groups, before = dataset.near_duplicates(), both_trees(root)
        assert [len(group) for group in groups] == [3]
        dataset.decide(Action.SETTLE, numbers, by="page", keep=numbers[:1])
        assert (dataset.near_duplicates(), dataset.like_rejected()) == ([], [])
        assert len(tree(root.with_name("dataset.rejected"))) == 2
        step = dataset.next_undo()
        assert (step.name, step.images) == ("settle", 3)
        dataset.undo(by="page")
        assert (dataset.near_duplicates(), both_trees(root)) == (groups, before)
        dataset.redo(by="page")
        assert dataset.near_duplicates() == []
        dataset.undo(by="page")
        dataset.decide(Action.DISTINCT, numbers, by="page")
        assert dataset.near_duplicates() == []
        assert both_trees(root) == before
        dataset.undo(by="page")
        assert dataset.near_duplicates() == groups


def test_what_the_disk_does_not_allow_is_cancelled(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decision of the page that fails leaves the image as it was, with the reason; the others are carried out."""
    real = disk.replace

    def refuse(source: Path, target: Path) -> None:
        if source.name == name(0):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        real(source, target)

    with Dataset.open(root) as dataset:
        first, second = ids(dataset, 0, 1)
        with monkeypatch.context() as patched:
            patched.setattr(disk, "replace", refuse)
            result = dataset.decide(Action.REJECT, [first, second], by="page")
        assert set(result.failed) == {first}
        assert "Read-only" in result.failed[first]
        assert (root / "king" / name(0)).exists()
        assert not (root / "king" / name(1)).exists()
        assert dataset.reconcile() == Changes()
        assert not dataset.undo(by="page").failed
        assert (root / "king" / name(1)).exists()
    with Dataset.open(root) as dataset:
        assert dataset.changes == Changes()
        assert dataset.next_undo() is None


def test_kept_images_are_reviewed_until_they_are_edited(root: Path) -> None:
    """Kept, moved, restored and rated images are reviewed; an edited one has to be looked at again."""
    with Dataset.open(root) as dataset:
        decide_everything(dataset)
        assert sum(reviewed for _, reviewed, _ in judgements(dataset).values()) == 8
    (root / "king" / name(2)).write_bytes(jpeg(555))
    with Dataset.open(root) as dataset:
        assert sum(reviewed for _, reviewed, _ in judgements(dataset).values()) == 7


def test_copies_in_two_classes_become_one(root: Path) -> None:
    """When a class is chosen for a file that is in two class folders, one copy stays, in that class."""
    (root / "coral" / "copy.jpg").write_bytes((root / "king" / name(0)).read_bytes())
    with Dataset.open(root) as dataset:
        assert len(dataset.conflicts()) == 1
        both = [*ids(dataset, 0), *dataset.find("coral/copy.jpg")]
        dataset.decide(Action.MOVE, both, by="page", value="coral")
        assert dataset.conflicts() == []
        assert (root / "coral" / "copy.jpg").exists()
        assert not (root / "king" / name(0)).exists()
        dataset.undo(by="page")
        assert (root / "king" / name(0)).exists()
        assert len(dataset.conflicts()) == 1


def test_a_moved_image_is_not_counted_as_moved_after_the_undo(root: Path) -> None:
    """The status counts an image as moved while it is in another class than at first."""
    with Dataset.open(root) as dataset:
        dataset.decide(Action.MOVE, ids(dataset, 0), by="page", value="coral")
        assert [each.moved for each in dataset.count_classes()] == [1, 0]
        dataset.undo(by="page")
        assert [each.moved for each in dataset.count_classes()] == [0, 0]
