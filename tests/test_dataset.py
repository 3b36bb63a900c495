"""A dataset: every change that a person makes to the folders is detected, once, as what it is."""

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
    """Return a dataset of two classes with 25 pictures each."""
    new(tmp_path / "dataset", king=KING, coral=CORAL)
    return tmp_path / "dataset"


def look(root: Path, **how: bool) -> Changes:
    """Open the dataset, and check that a change is reported only once."""
    with Dataset.open(root, **how) as dataset:
        changes = dataset.changes
    with Dataset.open(root) as dataset:
        assert dataset.changes.counts() == {}
    return changes


def ways(dataset: Dataset, *numbers: int, class_name: str = "king", provider: str = "FLICKR") -> list[object]:
    """Record the hits of another search, and return the decision on each."""
    search = dataset.begin_search(a_query(class_name, "another"), provider, len(numbers))
    hits = [a_hit(number, provider) for number in numbers]
    return [
        way.verdict if isinstance(way, Refusal) else None for way in dataset.record_hits(search.id, class_name, hits)
    ]


def test_nothing_changed(root: Path) -> None:
    """A dataset without changes reports none, and every picture is where it was placed."""
    assert look(root) == Changes()
    assert set(tree(root)) == {f"king/{name(n)}" for n in KING} | {f"coral/{name(n)}" for n in CORAL}


def test_R01_deleted_is_rejected_for_good(root: Path) -> None:
    """A deleted picture is rejected everywhere: by URL, source, body, pixels, content and fingerprint."""
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
    """A photograph found to be a rejected one is rejected by its own URL and source too."""
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
    """A picture moved to another class keeps its sources and stays there; it is not downloaded for its old class."""
    (root / "king" / name(3)).rename(root / "coral" / name(3))
    assert look(root) == Changes(moved=(Change("king", name(3), f"coral/{name(3)}"),))
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert ways(dataset, 3) == [Verdict.DUPLICATE]
        assert dataset.counts() == {"king": 24, "coral": 26}
        assert dataset.history_of_text(name(3)).sources[0].url == a_hit(3).url
        assert dataset.conflicts() == []


def test_R02_moved_picture_is_protected(root: Path) -> None:
    """A picture that a person moved is never replaced by a better copy."""
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
    """A picture that was cropped in place keeps name and sources, and both its versions are recognised."""
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


def test_R03_moved_and_edited_keeps_its_sources(root: Path) -> None:
    """A picture that was moved and then cropped, before a command ran, is moved and edited, and not deleted."""
    (root / "king" / name(3)).unlink()
    (root / "coral" / name(3)).write_bytes(jpeg(4444, 300))
    assert look(root) == Changes(edited=(Change("king", name(3), f"coral/{name(3)}"),))
    with Dataset.open(root) as dataset:
        assert list(dataset.list_rejected()) == []
        assert dataset.history_of_text(f"coral/{name(3)}").sources[0].url == a_hit(3).url


def test_R03_edited_then_deleted_is_rejected_in_both_faces(root: Path) -> None:
    """Deleting an edited picture rejects its earlier version too."""
    (root / "king" / name(3)).write_bytes(jpeg(4444))
    look(root)
    (root / "king" / name(3)).unlink()
    look(root)
    with Dataset.open(root) as dataset:
        assert a_picture(3).fingerprint in [known.fingerprint for known in dataset.list_rejected()]


def test_R04_renamed_class_is_said_until_the_query_file_agrees(root: Path) -> None:
    """A renamed class folder takes the class of its pictures along, and every command reports it."""
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
    """The searches of a class are renamed with it."""
    (root / "king").rename(root / "scarlet_king")
    look(root)
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert dataset.begin_search(a_query("scarlet_king", "king snake"), "BING", 25).finished


def test_R04_renamed_back(root: Path) -> None:
    """A class folder that gets its old name back is the old class."""
    (root / "king").rename(root / "scarlet_king")
    look(root)
    (root / "scarlet_king").rename(root / "king")
    assert look(root) == Changes()
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert dataset.begin_search(a_query("king", "king snake"), "BING", 25).finished
        assert dataset.counts() == {"coral": 25, "king": 25}


def test_R05_own_pictures_are_counted_compared_and_left_alone(root: Path) -> None:
    """An added image is counted, inspected once, recognised by its fingerprint, and never changed."""
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
    """An added file that is broken is counted, inspected once, and not compared with others."""
    (root / "king" / "broken.jpg").write_bytes(jpeg(1)[:200])
    look(root)
    monkeypatch.setattr("harvest.images.inspect_image", lambda _: pytest.fail("looked at twice"))
    with Dataset.open(root) as dataset:
        assert [(t.own, t.unreadable) for t in dataset.count_classes()] == [(0, 0), (1, 1)]
        assert [known.fingerprint for known in dataset.list_present() if known.protected] == [None]


def test_R05_own_pictures_deleted_are_rejected_too(root: Path) -> None:
    """An added image that was deleted is not downloaded from the web."""
    (root / "king" / "mine.jpg").write_bytes(jpeg(7777, 320))
    look(root)
    (root / "king" / "mine.jpg").unlink()
    assert look(root).deleted == (Change("king", "mine.jpg"),)
    with Dataset.open(root) as dataset:
        assert [known.content for known in dataset.list_rejected()] == [a_picture(7777, size=320).content]


def test_R06_only_the_difference_is_fetched(root: Path) -> None:
    """A row removed from the query file keeps its pictures, and a higher limit repeats only that search."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert dataset.begin_search(a_query("king", "king snake"), "BING", 25).finished
        assert not dataset.begin_search(a_query("king", "king snake"), "BING", 26).finished
        assert ways(dataset, *KING, 77) == [Verdict.DUPLICATE] * 25 + [None]
    assert len(tree(root)) == 50


def test_R07_a_stranger_survives(root: Path) -> None:
    """Removing a worse copy never removes a file that a person put at its path."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        worse = next(known for known in dataset.list_present() if known.content == a_picture(3).content)
        (root / "king" / name(3)).write_bytes(b"a person's own work")
        (task,) = find(dataset, [a_hit(333)], text="better")
        (better,) = dataset.place([Placement(task, a_picture(333), worse)])
        assert better.content == a_picture(333).content
    assert (root / "king" / name(3)).read_bytes() == b"a person's own work"
    assert look(root).added == (Change("king", name(3)),)


def test_copied_into_another_class_is_a_conflict(root: Path) -> None:
    """A picture in two class folders is a conflict until one of them is gone; that rejects nothing."""
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
    """When the copy is deleted, the picture stays in its first class."""
    shutil.copy(root / "king" / name(3), root / "coral" / "copy.jpg")
    look(root)
    (root / "coral" / "copy.jpg").unlink()
    look(root)
    with Dataset.open(root) as dataset:
        assert dataset.conflicts() == []
        assert list(dataset.list_rejected()) == []
        assert dataset.counts() == {"king": 25, "coral": 25}


def test_dragged_to_the_rejected_and_back(root: Path) -> None:
    """Files moved to dataset.rejected are rejected, and restored when they are moved back."""
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
    """A deleted picture that comes back, even to another class, is restored."""
    (root / "king" / name(3)).rename(root.parent / "bin.jpg")
    look(root)
    (root.parent / "bin.jpg").rename(root / "coral" / "back.jpg")
    assert look(root) == Changes(restored=(Change("king", name(3), "coral/back.jpg"),))
    with Dataset.open(root) as dataset:
        assert dataset.history_of_text("coral/back.jpg").sources[0].url == a_hit(3).url


def test_stranger_among_the_rejected(root: Path) -> None:
    """An image from elsewhere in dataset.rejected is rejected."""
    folder = root.parent / "dataset.rejected" / "king"
    folder.mkdir(parents=True)
    (folder / "never.jpg").write_bytes(jpeg(5555, 300))
    assert look(root) == Changes(rejected=(Change("king", "never.jpg"),))
    with Dataset.open(root) as dataset:
        (out,) = dataset.list_rejected()
        assert out.fingerprint is not None


def test_present_is_stronger_than_rejected(root: Path) -> None:
    """A copy in dataset.rejected does not reject the picture in its class."""
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
    """A picture that macOS keeps in the cloud is not deleted, whatever folder its placeholder is in."""
    (root / "king" / name(3)).unlink()
    (root / "king" / f".{name(3)}.icloud").write_bytes(b"stand-in")
    (root / "king" / name(4)).unlink()
    (root / "coral" / f".{name(4)}.icloud").write_bytes(b"stand-in")
    assert look(root) == Changes()
    with Dataset.open(root) as dataset:
        assert dataset.count_present("king") == 25


def test_names_are_compared_composed(tmp_path: Path) -> None:
    """A dataset copied to a disk with another spelling of names is the same dataset."""
    root = tmp_path / "dataset"
    new(root, Käfer=range(3))
    (root / "Käfer").rename(root / unicodedata.normalize("NFD", "Käfer"))
    assert look(root) == Changes()
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        fill(dataset, "Käfer", range(3, 5))
    assert len(list(root.iterdir())) == 3, "one class folder, the ledger and the lock"


def test_folder_that_differs_in_case_is_the_class(root: Path) -> None:
    """A class folder respelled `King` is not a new class, and pictures of `king` are placed in it."""
    (root / "king").rename(root / "King")
    assert look(root) == Changes()
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        fill(dataset, "king", [77])
    assert f"King/{name(77)}" in tree(root)


def test_class_respelled_in_the_query_file(root: Path) -> None:
    """A query file with `KING` for the folder `king` fills that folder, and repeats no search."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert dataset.begin_search(a_query("KING", "king snake"), "BING", 25).finished
        assert dataset.count_present("KING") == 25
        fill(dataset, "KING", [77])
    assert f"king/{name(77)}" in tree(root)
    assert look(root) == Changes()


def test_query_file_respells_a_persons_own_folder(root: Path) -> None:
    """A class folder `Boa` that a person made is filled by a query file with `boa`."""
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
    """Empty both class folders, as a failed sync does."""
    delete(root, "king", "coral")


def no_folder(root: Path) -> None:
    """Remove a class folder, as when it is a link to a missing drive."""
    shutil.rmtree(root / "king")


def most_of_a_class(root: Path) -> None:
    """Remove 23 of 25 pictures."""
    delete(root, "king", leave=2)


@pytest.mark.parametrize("disaster", [empty_classes, no_folder, most_of_a_class])
def test_P09_brake(root: Path, disaster) -> None:
    """When far too many files are missing, nothing is recorded and a `get` ends with 3, until they are back."""
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
    """A whole class moved to dataset.rejected is not missing."""
    (root.parent / "dataset.rejected").mkdir()
    (root / "king").rename(root.parent / "dataset.rejected" / "king")
    assert len(look(root).rejected) == 25


def test_dry_run_records_nothing(root: Path) -> None:
    """The next command reports again what a dry run reported."""
    (root / "king" / name(3)).unlink()
    with Dataset.open(root, read_only=True) as dataset:
        assert len(dataset.changes.deleted) == 1
        assert ways(dataset, 3) == [Verdict.REJECTED]
    assert len(look(root).deleted) == 1


def test_changes_while_a_get_runs(root: Path) -> None:
    """Other commands record what a person does during a run, and ignore what the run places."""
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
    """A command that scans while pictures are announced, written or renamed reports no change."""
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
