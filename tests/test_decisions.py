"""The decisions of a person, carried out in the ledger and in the folders."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Changes, Dataset, Placement
from harvest.dataset.file_operations import FileOperations
from harvest.errors import CannotWrite
from harvest.files import disk
from harvest.licences import Licence
from harvest.models import Refusal
from harvest.verdicts import Verdict
from tests.datasets import a_hit, a_picture, a_query, fill, find, jpeg, name, new, tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    new(tmp_path / "dataset", king=range(5), coral=range(100, 105))
    return tmp_path / "dataset"


@pytest.fixture
def dataset(root: Path) -> Iterator[Dataset]:
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        yield dataset


def rejected(root: Path) -> set[str]:
    return set(tree(root.parent / "dataset.rejected"))


def test_reject_moves_the_file_and_remembers(root: Path, dataset: Dataset) -> None:
    """A rejected picture is in dataset.rejected, and its URL is not downloaded again."""
    dataset.reject(dataset.find(name(3)), by="page", reason="no snake")
    assert f"king/{name(3)}" not in tree(root)
    assert rejected(root) == {f"king/{name(3)}"}
    search = dataset.begin_search(a_query(text="other"), "BING", 1)
    (way,) = dataset.record_hits(search.id, "king", [a_hit(3)])
    assert isinstance(way, Refusal)
    assert way.verdict is Verdict.REJECTED
    (event,) = dataset.history_of_text(name(3)).events
    assert (event.by, event.action, event.value) == ("page", "reject", "no snake")


def test_decisions_are_nobodys_doing_on_disk(root: Path) -> None:
    """Moves of our own are not taken for changes by a person."""
    with Dataset.open(root) as dataset:
        dataset.reject(dataset.find(name(1)), by="page")
        dataset.move(dataset.find(name(2)), "coral", by="page")
        dataset.reject(dataset.find(name(3)), by="page")
        dataset.restore(dataset.find(name(3)), by="cli")
    with Dataset.open(root) as dataset:
        assert dataset.changes == Changes()


def test_reject_twice_is_once(root: Path, dataset: Dataset) -> None:
    """Rejecting a rejected picture, as a stale tab does, changes nothing."""
    ids = dataset.find(name(3))
    dataset.reject([*ids, *ids], by="page")
    dataset.reject(ids, by="page")
    assert len(dataset.history_of_text(name(3)).events) == 1
    assert rejected(root) == {f"king/{name(3)}"}


@pytest.mark.parametrize("goes", ["reject", "move"])
def test_a_decision_that_is_undone_before_the_file_moves_keeps_it(
    root: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch, goes: str
) -> None:
    """Where another process undoes a decision before its file is moved, the file stays where it is."""
    before = tree(root)
    ids = dataset.find(name(3))
    with monkeypatch.context() as late:
        late.setattr(FileOperations, "try_moves", lambda _: {})
        if goes == "reject":
            dataset.reject(ids, by="page")
        else:
            dataset.move(ids, "coral", by="page")
    assert tree(root) == before
    if goes == "reject":
        dataset.restore(ids, by="cli")
    else:
        dataset.move(ids, "king", by="cli")
    assert tree(root) == before


def test_restore_brings_the_file_back(root: Path, dataset: Dataset) -> None:
    """A restored picture is where it was, byte for byte, and no better copy replaces it."""
    before = tree(root)
    dataset.reject(dataset.find(name(3)), by="page")
    restored = dataset.restore(dataset.find(name(3)), by="cli")
    assert (restored.back, restored.to_fetch) == (1, 0)
    assert tree(root) == before
    assert [known.content for known in dataset.list_present() if known.protected] == [a_picture(3).content]


def test_restore_without_a_file_fetches_again(root: Path) -> None:
    """A picture whose file is gone is downloaded again, from every URL that it was found at."""
    (root / "king" / name(3)).unlink()
    with Dataset.open(root) as dataset:
        restored = dataset.restore(dataset.find(name(3)), by="cli")
        assert (restored.back, restored.to_fetch) == (0, 1)
        assert list(dataset.list_rejected()) == []
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        search = dataset.begin_search(a_query("king", "king snake"), "BING", 5)
        assert (search.finished, search.waiting) == (True, 1)
        (task,) = dataset.unsettled_tasks(search.id)
        assert dataset.record_hits(search.id, "king", [task.hit]) == [task]
        dataset.place([Placement(task, a_picture(3))])
        assert dataset.count_present("king") == 5
    assert f"king/{name(3)}" in tree(root)


def test_restore_where_another_file_lies_now(root: Path, dataset: Dataset) -> None:
    """A restored picture never overwrites a file that has its name now."""
    dataset.reject(dataset.find(name(3)), by="page")
    (root / "king" / name(3)).write_bytes(b"a person's own")
    dataset.restore(dataset.find(name(3)), by="cli")
    assert (root / "king" / name(3)).read_bytes() == b"a person's own"
    assert (root / "king" / name(3).replace(".jpg", "-2.jpg")).read_bytes() == jpeg(3)


def test_move_relabels(root: Path, dataset: Dataset) -> None:
    """A moved picture is in its new class, and is not downloaded again for the old one."""
    dataset.move(dataset.find(name(3)), "coral", by="page")
    assert f"coral/{name(3)}" in tree(root)
    assert dataset.counts() == {"king": 4, "coral": 6}
    search = dataset.begin_search(a_query(text="other"), "BING", 1)
    (way,) = dataset.record_hits(search.id, "king", [a_hit(3)])
    assert way.verdict is Verdict.DUPLICATE


def test_move_resolves_a_conflict(dataset: Dataset) -> None:
    """Moving a picture to the other class of its conflict resolves the conflict for good."""
    search = dataset.begin_search(a_query("coral"), "BING", 1)
    dataset.record_hits(search.id, "coral", [a_hit(3)])
    assert len(dataset.conflicts()) == 1
    dataset.move(dataset.find(name(3)), "coral", by="page")
    assert dataset.conflicts() == []


def test_earlier_faces_mean_the_picture(root: Path) -> None:
    """A duplicate of the earlier version of an edited picture is a duplicate of that picture."""
    (root / "king" / name(3)).write_bytes(jpeg(333))
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        face = next(known for known in dataset.list_present() if known.fingerprint == a_picture(3).fingerprint)
        dataset.reject([face.id], by="page")
        assert (root.parent / "dataset.rejected" / "king" / name(3)).read_bytes() == jpeg(333)


def test_failed_move_is_carried_out_later(root: Path, monkeypatch) -> None:
    """A decision that the disk did not allow is carried out by the next process that opens the dataset."""

    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with Dataset.open(root) as dataset, monkeypatch.context() as patched:
        patched.setattr(disk, "replace", read_only)
        with pytest.raises(CannotWrite, match="Read-only"):
            dataset.reject(dataset.find(name(3)), by="page")
    with Dataset.open(root) as dataset:
        assert dataset.changes == Changes()
        assert [event.by for event in dataset.history_of_text(name(3)).events] == ["page"]
    assert rejected(root) == {f"king/{name(3)}"}


def test_better_copy_takes_the_place(root: Path, dataset: Dataset) -> None:
    """A better copy replaces the worse one and inherits its sources; one file remains, and one original."""
    (worse,) = fill(dataset, "king", [50])
    (task,) = find(dataset, [a_hit(51, "FLICKR", licence=Licence("CC-BY-2.0"))], text="better")
    (better,) = dataset.place([Placement(task, a_picture(51, size=48, original=b"raw"), worse)])
    assert better.open_licence
    assert f"king/{name(50)}" not in tree(root)
    assert dataset.history_of_text(f"king/{name(51)}") is None, "its provider and size name it"
    report = dataset.history_of_text(a_hit(50).url)
    assert [source.verdict for source in report.sources] == [Verdict.BETTER, Verdict.KEPT]
    assert set(tree(root.parent / "dataset.raw")) == {f"king/{report.name.replace('.jpg', '.png')}"}
    assert dataset.count_present("king") == 6
    search = dataset.begin_search(a_query(text="again"), "BING", 1)
    (way,) = dataset.record_hits(search.id, "king", [a_hit(50)])
    assert way.verdict is Verdict.DUPLICATE


def test_better_copy_of_what_was_just_deleted(root: Path, dataset: Dataset) -> None:
    """A picture that a person deletes during the run is not replaced by a better copy."""
    worse = next(known for known in dataset.list_present() if known.content == a_picture(3).content)
    (root / "king" / name(3)).unlink()
    (task,) = find(dataset, [a_hit(51)], text="better")
    assert dataset.place([Placement(task, a_picture(51), worse)]) == []
    assert dataset.history_of_text(a_hit(51).url).sources[-1].verdict is Verdict.REJECTED
    assert f"king/{name(51)}" not in tree(root)


def test_names_do_not_collide(root: Path, dataset: Dataset) -> None:
    """A picture whose short name is used by another file, here or in another class, gets a longer one."""
    (root / "coral" / name(60)).write_bytes(b"a person's own")
    dataset.reconcile()
    (root / "king" / name(61)).write_bytes(b"not seen yet")
    fill(dataset, "king", [60, 61])
    assert (root / "king" / f"bing-{a_picture(60).content[:16]}.jpg").read_bytes() == jpeg(60)
    assert (root / "king" / f"bing-{a_picture(61).content[:16]}.jpg").read_bytes() == jpeg(61)
    assert (root / "king" / name(61)).read_bytes() == b"not seen yet"


@pytest.mark.parametrize(("provider", "start"), [("BING", "bing-"), ("../My Own!", "myown-"), ("日本", "web-")])
def test_provider_names_make_safe_file_names(root: Path, dataset: Dataset, provider: str, start: str) -> None:
    """A file name has the source of its picture, in letters that every system accepts."""
    fill(dataset, "king", [70], provider)
    assert any(path.name.startswith(start) for path in (root / "king").iterdir())


def test_keep_rates_and_tallies(root: Path) -> None:
    """Kept hits are counted after pruning, and the pictures of a class by their origin."""
    (root / "king" / name(0)).unlink()
    (root / "king" / name(1)).rename(root / "coral" / name(1))
    (root / "coral" / "mine.jpg").write_bytes(jpeg(999))
    with Dataset.open(root) as dataset:
        dataset.reject(dataset.find(name(2)), by="page")
        coral, king = dataset.count_classes()
        assert (coral.kept, coral.new, coral.own, coral.moved, coral.rejected) == (7, 6, 1, 1, 0)
        assert (king.kept, king.rejected, king.restorable) == (2, 2, 1)
        assert [(rate.query, rate.found, rate.placed, rate.kept) for rate in dataset.keep_rates()] == [
            ("coral snake", 5, 5, 5),
            ("king snake", 5, 5, 3),
        ]


def test_suspects(dataset: Dataset) -> None:
    """A picture whose title names another class and not its own is a mismatch, until a person decides."""
    hits = [
        a_hit(80, title="Scarlet Kingsnake on a road"),
        a_hit(81, title="Coral snake or king snake?"),
        a_hit(82, page="https://example.com/animals/king-snakes/7"),
        a_hit(83, title="A drinking snakelike thing"),
    ]
    tasks = find(dataset, hits, "coral_snake", "micrurus tener -king")
    dataset.begin_search(a_query("king_snake", "lampropeltis"), "BING", 1)
    placed = dataset.place([Placement(task, a_picture(task.hit.rank)) for task in tasks])
    assert {suspect.id for suspect in dataset.suspects()} == {placed[0].id, placed[2].id}
    dataset.move([placed[0].id], "king_snake", by="page")
    assert {suspect.id for suspect in dataset.suspects()} == {placed[2].id}
    assert dataset.suspects({"coral_snake": ["coral snake", "animals"], "king_snake": ["king snake"]}) == []
