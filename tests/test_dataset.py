"""Ledger and folders in step: whatever a person does to the folders is seen, once, for what it is."""

from __future__ import annotations

import os
import shutil
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Change, Changes, Dataset, Placement
from harvest.errors import MissingFiles
from harvest.files import disk
from harvest.models import Refusal
from harvest.verdicts import Verdict
from tests.datasets import a_hit, a_picture, a_query, fill, find, jpeg, name, new, tree

if TYPE_CHECKING:
    from pathlib import Path

KING, CORAL = range(25), range(100, 125)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a dataset of two classes of 25 pictures."""
    new(tmp_path / "dataset", king=KING, coral=CORAL)
    return tmp_path / "dataset"


def look(root: Path, **how: bool) -> Changes:
    """Open the dataset, and make sure that what was seen is seen only once."""
    with Dataset.open(root, **how) as dataset:
        changes = dataset.changes
    with Dataset.open(root) as dataset:
        assert dataset.changes.counts() == {}
    return changes


def ways(dataset: Dataset, *numbers: int, class_name: str = "king", provider: str = "FLICKR") -> list[object]:
    """Offer hits of another search, and tell what becomes of each."""
    search = dataset.begin_search(a_query(class_name, "another"), provider, len(numbers))
    hits = [a_hit(number, provider) for number in numbers]
    return [
        way.verdict if isinstance(way, Refusal) else None for way in dataset.record_hits(search.id, class_name, hits)
    ]


def test_nothing_changed(root: Path) -> None:
    """A dataset that nobody touched has no changes, and every picture where it was placed."""
    assert look(root) == Changes()
    assert set(tree(root)) == {f"king/{name(n)}" for n in KING} | {f"coral/{name(n)}" for n in CORAL}


def test_R01_deleted_is_rejected_for_good(root: Path) -> None:
    """A deleted picture is rejected everywhere: by address, source, body, pixels, content and look."""
    (root / "king" / name(3)).unlink()
    assert look(root) == Changes(deleted=(Change("king", name(3)),))
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert ways(dataset, 3, 4) == [Verdict.REJECTED, Verdict.DUPLICATE]
        assert ways(dataset, 3, class_name="coral") == [Verdict.REJECTED]
        (out,) = dataset.list_rejected()
        picture = a_picture(3)
        assert (out.body, out.pixels, out.content, out.fingerprint) == (
            picture.body,
            picture.pixels,
            picture.content,
            picture.fingerprint,
        )
        assert out.id not in {known.id for known in dataset.list_present()}


def test_R01_rejection_spreads_over_addresses(root: Path) -> None:
    """What is found to be a rejected photograph makes its own address and source rejected too."""
    (root / "king" / name(3)).unlink()
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        other = replace(a_hit(3), url="https://mirror.example.com/three.jpg")
        search = dataset.begin_search(a_query(text="mirror"), "BING", 1)
        dataset.record_hits(search.id, "king", [other])
        third = a_hit(900, source="third:1")
        third = replace(third, url=other.url)
        search = dataset.begin_search(a_query(text="third"), "BING", 1)
        (way,) = dataset.record_hits(search.id, "king", [third])
        assert way.verdict is Verdict.REJECTED
        fourth = replace(a_hit(901, source="third:1"), url="https://fourth.example.com/4.jpg")
        (way,) = dataset.record_hits(dataset.begin_search(a_query(text="4"), "BING", 1).id, "king", [fourth])
        assert way.verdict is Verdict.REJECTED


def test_R02_moved_is_relabelled(root: Path) -> None:
    """A picture moved to another class keeps its sources, stays there, and the old class does not want it."""
    (root / "king" / name(3)).rename(root / "coral" / name(3))
    assert look(root) == Changes(moved=(Change("king", name(3), f"coral/{name(3)}"),))
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert ways(dataset, 3) == [Verdict.DUPLICATE]
        assert dataset.counts() == {"king": 24, "coral": 26}
        assert dataset.history_of_text(name(3)).sources[0].url == a_hit(3).url
        assert dataset.conflicts() == []


def test_R02_moved_picture_is_protected(root: Path) -> None:
    """What a person moved is a file a person touched: no better copy takes its place."""
    (root / "king" / name(3)).rename(root / "coral" / name(3))
    with Dataset.open(root) as dataset:
        assert [known.class_name for known in dataset.list_present() if known.protected] == ["coral"]


def test_R03_renamed_is_recognised(root: Path) -> None:
    """A picture with another file name is the same picture."""
    (root / "king" / name(3)).rename(root / "king" / "best one.jpg")
    assert look(root) == Changes(moved=(Change("king", name(3), "king/best one.jpg"),))
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert ways(dataset, 3) == [Verdict.DUPLICATE]
        assert dataset.history_of_text("king/best one.jpg").sources[0].url == a_hit(3).url


def test_R03_edited_keeps_its_sources(root: Path) -> None:
    """A picture cropped in place keeps name and sources, and is known by both its faces."""
    edited = jpeg(4444, 300)
    (root / "king" / name(3)).write_bytes(edited)
    assert look(root) == Changes(edited=(Change("king", name(3)),))
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert ways(dataset, 3) == [Verdict.DUPLICATE]
        assert list(dataset.list_rejected()) == []
        faces = [known for known in dataset.list_present() if known.protected]
        assert [face.fingerprint == a_picture(3).fingerprint for face in faces] == [False, True]
        assert {face.class_name for face in faces} == {"king"}
        assert dataset.find(name(3)) == [faces[0].id]
        assert dataset.history_of_text(name(3)).size == (300, 300)
    assert (root / "king" / name(3)).read_bytes() == edited


def test_R03_edited_then_deleted_is_rejected_in_both_faces(root: Path) -> None:
    """Deleting an edited picture rejects how it looked before, too."""
    (root / "king" / name(3)).write_bytes(jpeg(4444))
    look(root)
    (root / "king" / name(3)).unlink()
    look(root)
    with Dataset.open(root) as dataset:
        assert a_picture(3).fingerprint in [known.fingerprint for known in dataset.list_rejected()]


def test_R04_renamed_class_is_said_until_the_query_file_agrees(root: Path) -> None:
    """A class folder with another name takes the pictures' class along, and is told at every opening."""
    (root / "king").rename(root / "scarlet_king")
    for _ in range(2):
        with Dataset.open(root) as dataset:
            assert dataset.changes.renamed == {"king": "scarlet_king"}
            assert dataset.counts() == {"coral": 25, "scarlet_king": 25}
            assert not any(dataset.changes.counts())
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        dataset.begin_search(a_query("scarlet_king"), "BING", 25)
    with Dataset.open(root) as dataset:
        assert dataset.changes.renamed == {}


def test_R04_searches_of_a_renamed_class_are_not_repeated(root: Path) -> None:
    """The searches of a class go with its name."""
    (root / "king").rename(root / "scarlet_king")
    look(root)
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert dataset.begin_search(a_query("scarlet_king", "king snake"), "BING", 25).finished


def test_R04_renamed_back(root: Path) -> None:
    """A class folder that gets its old name back is its old self."""
    (root / "king").rename(root / "scarlet_king")
    look(root)
    (root / "scarlet_king").rename(root / "king")
    assert look(root) == Changes()
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert dataset.begin_search(a_query("king", "king snake"), "BING", 25).finished
        assert dataset.counts() == {"coral": 25, "king": 25}


def test_R05_own_pictures_are_counted_compared_and_left_alone(root: Path) -> None:
    """A person's own picture counts, is looked at once, is known by its look, and keeps every byte."""
    own = jpeg(7777, 320)
    (root / "king" / "mine.jpg").write_bytes(own)
    assert look(root) == Changes(added=(Change("king", "mine.jpg"),))
    with Dataset.open(root) as dataset:
        mine = next(known for known in dataset.list_present() if known.protected)
        assert mine.fingerprint is not None
        assert mine.body is None
        assert mine.area > 0
        assert dataset.count_present("king") == 26
        assert [(t.kept, t.own, t.unreadable) for t in dataset.count_classes()] == [(25, 0, 0), (26, 1, 0)]
    assert (root / "king" / "mine.jpg").read_bytes() == own


def test_R05_own_file_that_cannot_be_looked_at(root: Path, monkeypatch) -> None:
    """A broken file of a person's own is counted, looked at once, and compared with nothing."""
    (root / "king" / "broken.jpg").write_bytes(jpeg(1)[:200])
    look(root)
    monkeypatch.setattr("harvest.images.inspect_image", lambda _: pytest.fail("looked at twice"))
    with Dataset.open(root) as dataset:
        assert [(t.own, t.unreadable) for t in dataset.count_classes()] == [(0, 0), (1, 1)]
        assert [known.fingerprint for known in dataset.list_present() if known.protected] == [None]


def test_R05_own_pictures_deleted_are_rejected_too(root: Path) -> None:
    """A person who takes an own picture out does not want it from the web."""
    (root / "king" / "mine.jpg").write_bytes(jpeg(7777, 320))
    look(root)
    (root / "king" / "mine.jpg").unlink()
    assert look(root).deleted == (Change("king", "mine.jpg"),)
    with Dataset.open(root) as dataset:
        assert [known.content for known in dataset.list_rejected()] == [a_picture(7777, size=320).content]


def test_R06_only_the_difference_is_fetched(root: Path) -> None:
    """A row that left the query file leaves its pictures, and a higher limit asks only that search again."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert dataset.begin_search(a_query("king", "king snake"), "BING", 25).finished
        assert not dataset.begin_search(a_query("king", "king snake"), "BING", 26).finished
        assert ways(dataset, *KING, 77) == [Verdict.DUPLICATE] * 25 + [None]
    assert len(tree(root)) == 50


def test_R07_a_stranger_survives(root: Path) -> None:
    """Taking a worse copy away never takes a file that a person put in its place."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        worse = next(known for known in dataset.list_present() if known.content == a_picture(3).content)
        (root / "king" / name(3)).write_bytes(b"a person's own work")
        (task,) = find(dataset, [a_hit(333)], text="better")
        (better,) = dataset.place([Placement(task, a_picture(333), worse)])
        assert better.content == a_picture(333).content
    assert (root / "king" / name(3)).read_bytes() == b"a person's own work"
    assert look(root).added == (Change("king", name(3)),)


def test_copied_into_another_class_is_a_conflict(root: Path) -> None:
    """One picture in two class folders is a conflict until one of them is gone, which rejects nothing."""
    shutil.copy(root / "king" / name(3), root / "coral" / "copy.jpg")
    assert look(root) == Changes(conflicts=(Change("coral", "copy.jpg"),))
    with Dataset.open(root) as dataset:
        assert [(c.class_name, c.name, c.other) for c in dataset.conflicts()] == [("king", name(3), "coral")]
    (root / "king" / name(3)).unlink()
    assert look(root).deleted == ()
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert dataset.conflicts() == []
        assert dataset.counts() == {"king": 24, "coral": 26}
        assert ways(dataset, 3) == [Verdict.DUPLICATE]
        assert dataset.history_of_text("coral/copy.jpg").sources[0].url == a_hit(3).url


def test_copy_taken_back_resolves_the_conflict(root: Path) -> None:
    """When the copy goes, the picture stays where it was first."""
    shutil.copy(root / "king" / name(3), root / "coral" / "copy.jpg")
    look(root)
    (root / "coral" / "copy.jpg").unlink()
    look(root)
    with Dataset.open(root) as dataset:
        assert dataset.conflicts() == []
        assert list(dataset.list_rejected()) == []
        assert dataset.counts() == {"king": 25, "coral": 25}


def test_dragged_to_the_rejected_and_back(root: Path) -> None:
    """Files dragged to dataset.rejected are rejected, and restored when they are dragged back."""
    rejected = root.parent / "dataset.rejected" / "king"
    rejected.mkdir(parents=True)
    (root / "king" / name(3)).rename(rejected / name(3))
    assert look(root) == Changes(rejected=(Change("king", name(3)),))
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert ways(dataset, 3) == [Verdict.REJECTED]
    (rejected / name(3)).rename(root / "king" / name(3))
    assert look(root) == Changes(restored=(Change("king", name(3)),))
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert ways(dataset, 3, provider="URLS") == [Verdict.DUPLICATE]
        assert list(dataset.list_rejected()) == []


def test_back_from_the_bin(root: Path) -> None:
    """A picture that was deleted and comes back, even to another class, is restored."""
    (root / "king" / name(3)).rename(root.parent / "bin.jpg")
    look(root)
    (root.parent / "bin.jpg").rename(root / "coral" / "back.jpg")
    assert look(root) == Changes(restored=(Change("king", name(3), "coral/back.jpg"),))
    with Dataset.open(root) as dataset:
        assert dataset.history_of_text("coral/back.jpg").sources[0].url == a_hit(3).url


def test_stranger_among_the_rejected(root: Path) -> None:
    """A picture from elsewhere that is put among the rejected is one a person does not want."""
    folder = root.parent / "dataset.rejected" / "king"
    folder.mkdir(parents=True)
    (folder / "never.jpg").write_bytes(jpeg(5555, 300))
    assert look(root) == Changes(rejected=(Change("king", "never.jpg"),))
    with Dataset.open(root) as dataset:
        (out,) = dataset.list_rejected()
        assert out.fingerprint is not None


def test_present_is_stronger_than_rejected(root: Path) -> None:
    """A copy left among the rejected does not make the picture in its class a rejected one."""
    folder = root.parent / "dataset.rejected" / "king"
    folder.mkdir(parents=True)
    shutil.copy(root / "king" / name(3), folder / name(3))
    assert look(root) == Changes()


def test_touched_files_are_the_same(root: Path) -> None:
    """A copy of the dataset, with new times on every file, is the same dataset."""
    copy = root.parent / "copy"
    shutil.copytree(root, copy, copy_function=shutil.copyfile)
    for path in copy.rglob("*.jpg"):
        os.utime(path, ns=(1, 1))
    assert look(copy) == Changes()


def test_files_in_the_cloud_are_present(root: Path) -> None:
    """A picture that macOS keeps elsewhere is not deleted, in whatever folder its stand-in lies."""
    (root / "king" / name(3)).unlink()
    (root / "king" / f".{name(3)}.icloud").write_bytes(b"stand-in")
    (root / "king" / name(4)).unlink()
    (root / "coral" / f".{name(4)}.icloud").write_bytes(b"stand-in")
    assert look(root) == Changes()
    with Dataset.open(root) as dataset:
        assert dataset.count_present("king") == 25


def test_names_are_compared_composed(tmp_path: Path) -> None:
    """A dataset copied to a disk that spells names in another way is the same dataset."""
    root = tmp_path / "dataset"
    new(root, Käfer=range(3))
    (root / "Käfer").rename(root / unicodedata.normalize("NFD", "Käfer"))
    assert look(root) == Changes()
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        fill(dataset, "Käfer", range(3, 5))
    assert len(list(root.iterdir())) == 3, "one class folder, the ledger and the lock"


def test_folder_that_differs_in_case_is_the_class(root: Path) -> None:
    """A class folder respelled `King` is no new class, and what is placed in `king` lies there."""
    (root / "king").rename(root / "King")
    assert look(root) == Changes()
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        fill(dataset, "king", [77])
    assert f"King/{name(77)}" in tree(root)


def test_class_respelled_in_the_query_file(root: Path) -> None:
    """A query file that writes `KING` for the folder `king` fills that folder and repeats no search."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert dataset.begin_search(a_query("KING", "king snake"), "BING", 25).finished
        assert dataset.count_present("KING") == 25
        fill(dataset, "KING", [77])
    assert f"king/{name(77)}" in tree(root)
    assert look(root) == Changes()


def test_query_file_respells_a_persons_own_folder(root: Path) -> None:
    """A class that a person began by hand as `Boa` is filled by a query file that writes `boa`."""
    (root / "Boa").mkdir()
    (root / "Boa" / "mine.jpg").write_bytes(jpeg(999))
    look(root)
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        fill(dataset, "boa", [77])
        assert dataset.count_present("boa") == 2
    assert f"Boa/{name(77)}" in tree(root)
    assert look(root) == Changes()


def delete(root: Path, *class_names: str, leave: int = 0) -> None:
    for class_name in class_names:
        for path in sorted((root / class_name).iterdir())[leave:]:
            path.unlink()


def empty_classes(root: Path) -> None:
    """Empty both class folders, as a sync gone wrong does."""
    delete(root, "king", "coral")


def no_folder(root: Path) -> None:
    """Take a class folder away, as a link to a drive that is not there."""
    shutil.rmtree(root / "king")


def most_of_a_class(root: Path) -> None:
    """Take 23 of 25 pictures."""
    delete(root, "king", leave=2)


@pytest.mark.parametrize("disaster", [empty_classes, no_folder, most_of_a_class])
def test_P09_brake(root: Path, disaster) -> None:
    """When far too much is gone nothing is recorded, a `get` ends with 3, and all is well once it is back."""
    saved = root.parent / "saved"
    shutil.copytree(root, saved)
    disaster(root)
    with pytest.raises(MissingFiles, match="are gone") as raised:
        Dataset.open(root, create=True, exclusive=True)
    assert raised.value.exit_code == 3
    assert "--accept-missing" in raised.value.hint
    with Dataset.open(root) as dataset:
        assert dataset.changes.missing_files
        assert dataset.changes.deleted
        assert list(dataset.list_rejected()) == []
        assert sum(dataset.counts().values()) == 50
    shutil.copytree(saved, root, dirs_exist_ok=True, ignore=lambda *_: ["harvest.db"])
    assert look(root) == Changes()


def test_P09_brake_holds_in_a_dry_run(root: Path) -> None:
    """A dry run of a `get` ends as the `get` would."""
    no_folder(root)
    with pytest.raises(MissingFiles):
        Dataset.open(root, read_only=True, exclusive=True)


def test_P09_brake_is_lifted_by_the_person(root: Path) -> None:
    """With --accept-missing the pictures are rejected like any deleted ones."""
    no_folder(root)
    changes = look(root, accept_missing=True)
    assert (len(changes.deleted), changes.missing_files) == (25, "")
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert set(ways(dataset, *KING)) == {Verdict.REJECTED}


def test_P09_folder_moved_to_the_rejected_is_meant(root: Path) -> None:
    """A whole class dragged to dataset.rejected is missing nowhere."""
    (root.parent / "dataset.rejected").mkdir()
    (root / "king").rename(root.parent / "dataset.rejected" / "king")
    assert len(look(root).rejected) == 25


def test_dry_run_records_nothing(root: Path) -> None:
    """What a dry run sees is seen again by the next command."""
    (root / "king" / name(3)).unlink()
    with Dataset.open(root, read_only=True) as dataset:
        assert len(dataset.changes.deleted) == 1
        assert ways(dataset, 3) == [Verdict.REJECTED]
    assert len(look(root).deleted) == 1


def test_changes_while_a_get_runs(root: Path) -> None:
    """Other commands record what a person does during a run, and leave to the run what it places."""
    with Dataset.open(root, create=True, exclusive=True) as running:
        fill(running, "king", range(30, 35))
        (root / "king" / name(31)).unlink()
        with Dataset.open(root) as other:
            assert other.changes == Changes(deleted=(Change("king", name(31)),))
        fill(running, "king", range(35, 40))
        assert ways(running, 31) == [Verdict.REJECTED]
    assert look(root) == Changes()


@pytest.mark.parametrize("step", ["write", "replace", "sync_folder"])
def test_placements_under_way_are_their_runs_business(root: Path, monkeypatch, step: str) -> None:
    """A command that looks while pictures are announced, written or named sees no person's doing."""
    seen = []
    real = getattr(disk, step)

    def watched(*args: object) -> None:
        with Dataset.open(root) as other:
            seen.append(other.changes)
        real(*args)

    with Dataset.open(root, create=True, exclusive=True) as running, monkeypatch.context() as patched:
        patched.setattr(disk, step, watched)
        fill(running, "king", [200])
    assert seen == [Changes()]
    assert look(root) == Changes()
