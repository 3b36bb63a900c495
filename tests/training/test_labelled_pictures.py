"""Folders as they are: every image that decodes is used, every other file is reported or ignored."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import tracemalloc
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harvest.dataset import Dataset
from harvest.errors import TrainingError
from harvest.files import disk
from harvest.images import make_picture
from harvest.labelled_pictures import find_duplicates, size_and_fingerprint_cache
from harvest.labelled_pictures.leak_groups import find_leak_groups
from harvest.labelled_pictures.load_pictures import (
    Example,
    Skipped,
    SplitPart,
    load_pictures,
)
from harvest.splits.split_images import make_split
from harvest.training.split_warnings import find_warnings
from tests import bombs, datasets
from tests.pictures import encoded, photo, turned
from tests.training.labelled_trees import jpeg, look, paths, plant, reasons

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.images.make_picture import InspectedImage


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give a tree of two classes of three images."""
    return plant(tmp_path / "tree", {"king": range(3), "coral": range(10, 13)})


# What is an image, and of what.


def test_labels_are_the_names_of_the_folders(tmp_path: Path) -> None:
    """A class is called exactly as its folder: case, spaces, signs and letters of any script stay."""
    names = ["A-b", "a b", " blank ", "=cmd|'x'", "Змея", "\u202eltr", "x" * 200, "Daisy", "daisy"]
    labelled = look(plant(tmp_path, {name: [number] for number, name in enumerate(names)}))
    assert labelled.labels == tuple(sorted(names))
    assert labelled.counts() == dict.fromkeys(names, 1)


def test_an_example_tells_all_of_its_file(tree: Path) -> None:
    """An example has its path below the tree, its label, the hash of its file and its size as one sees it."""
    (tree / "king" / "lying.jpg").write_bytes(turned(6))
    labelled = look(tree)
    lying = labelled.examples[-1]
    assert lying == Example("king/lying.jpg", "king", datasets.sha(turned(6)), None, (320, 240))
    assert labelled.reader.file(lying.path) == tree / "king" / "lying.jpg"
    assert labelled.targets.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert paths(labelled) == sorted(paths(labelled))


@cache
def a_photo(kind: str) -> bytes:
    return encoded(photo(), kind)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "AVIF"])
@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".jfif", ".png", ".webp", ".Bmp", ".gif", ".avif", ".heic"])
def test_a_picture_is_what_its_bytes_say(tree: Path, kind: str, suffix: str) -> None:
    """Every format is read under any suffix of an image, in any case."""
    (tree / "king" / f"odd{suffix}").write_bytes(a_photo(kind))
    assert f"king/odd{suffix}" in paths(look(tree))


def test_other_formats_are_listed(tree: Path) -> None:
    """An image of a format that is not decoded is listed, also under the suffix of one that is."""
    for name in ("odd.jpg", "odd.tiff"):
        (tree / "king" / name).write_bytes(encoded(photo(), "TIFF"))
    assert reasons(look(tree)) == {"king/odd.jpg": "a TIFF", "king/odd.tiff": "a TIFF"}


def test_only_some(tree: Path) -> None:
    """A subset of some of the images keeps the classes, and those the duplicates of which both are there."""
    (tree / "coral" / "again.png").write_bytes(encoded(photo(96, 72, seed=2), "PNG"))
    labelled = look(tree)
    king, again = paths(labelled).index("king/002.jpg"), paths(labelled).index("coral/again.png")
    assert labelled.duplicates.pairs.tolist() == [sorted((king, again))]
    assert labelled.subset([0, king]).duplicates.pairs.tolist() == []
    some = labelled.subset([king, again])
    assert (paths(some), some.labels, some.duplicates.pairs.tolist()) == (
        ["king/002.jpg", "coral/again.png"],
        labelled.labels,
        [[0, 1]],
    )


# What is broken.


BROKEN = {
    "empty": b"",
    "zeros": bytes(5000),
    "web page": b"<!doctype html><title>404</title>",
    "cut in half": jpeg(1)[: len(jpeg(1)) // 2],
    "cut at nine tenths": jpeg(1)[: len(jpeg(1)) * 9 // 10],
    "header alone": jpeg(1)[:100],
    "cut png": encoded(photo(), "PNG")[:-3000],
    "cut webp": encoded(photo(), "WEBP")[:-500],
    "text": b"this is not an image" * 100,
    "png without palette": bombs.without_palette(),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_T02_broken_picture_is_listed_and_skipped(tree: Path, damage: str) -> None:
    """A broken image is listed with a reason, and nothing takes its place: the others are who they were."""
    before = look(tree)
    (tree / "king" / "000a.jpg").write_bytes(BROKEN[damage])
    labelled = look(tree)
    assert list(reasons(labelled)) == ["king/000a.jpg"]
    assert reasons(labelled)["king/000a.jpg"]
    assert labelled.examples == before.examples


def test_X07_a_picture_that_meets_a_bug_is_listed_and_skipped(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody foresaw in decoding costs one image, which is listed with it."""
    monkeypatch.setattr("harvest.images.make_picture.InspectedImage", _FailOnce())
    labelled = look(tree)
    (reason,) = reasons(labelled).values()
    assert "ZeroDivisionError: in the works" in reason


class _FailOnce:
    """Stands for a class that cannot be made the first time."""

    def __init__(self) -> None:
        self._kind = make_picture.InspectedImage
        self._lock = threading.Lock()
        self._failed = False

    def __call__(self, *values: object) -> make_picture.InspectedImage:
        with self._lock:
            first, self._failed = not self._failed, True
        if first:
            raise ZeroDivisionError("in the works")
        return self._kind(*values)


def test_a_file_of_50_gb_is_listed_and_skipped(tree: Path) -> None:
    """A file that is larger than any image is not read: it is listed with its size."""
    huge = tree / "king" / "huge.jpg"
    huge.touch()
    os.truncate(huge, 50 * 10**9)
    assert reasons(look(tree)) == {"king/huge.jpg": "it has 47,683 MB; the limit is 256"}


def test_T02_a_picture_that_breaks_is_noticed_with_a_cache(tree: Path, tmp_path: Path) -> None:
    """What is remembered is remembered by content: a file cut short is not taken for what it was."""
    assert look(tree, cache=tmp_path / "cache").skipped == ()
    (tree / "king" / "001.jpg").write_bytes(jpeg(1)[:-400])
    assert list(reasons(look(tree, cache=tmp_path / "cache"))) == ["king/001.jpg"]


def test_huge_pictures_are_refused_by_their_header(tree: Path) -> None:
    """An image of more than 50 megapixels, or one that claims them, is listed before it is decoded."""
    (tree / "king" / "bomb.png").write_bytes(bombs.bomb())
    assert "megapixels" in reasons(look(tree))["king/bomb.png"]


def test_huge_files_are_not_even_read(tree: Path) -> None:
    """A file larger than any image is listed by its size; it may hold nothing."""
    with (tree / "king" / "film.jpg").open("wb") as file:
        file.truncate(40 << 30)
    assert reasons(look(tree)) == {"king/film.jpg": "it has 40,960 MB; the limit is 256"}


def test_a_picture_in_memory_that_is_not_there(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that the machine has no memory for is listed, and the others are read."""
    real = size_and_fingerprint_cache.inspect_image

    def short(data: bytes) -> InspectedImage:
        if data == jpeg(11):
            raise MemoryError
        return real(data)

    monkeypatch.setattr(size_and_fingerprint_cache, "inspect_image", short)
    assert reasons(look(tree)) == {"coral/011.jpg": "decoding it needs more memory than is available"}


def test_a_class_of_broken_pictures_is_no_class(tree: Path) -> None:
    """A class folder without one image that decodes is left out, named, and its files are listed."""
    (tree / "milk").mkdir()
    (tree / "milk" / "a.jpg").write_bytes(b"<html>")
    labelled = look(tree)
    assert (labelled.labels, labelled.empty) == (("coral", "king"), ("milk",))
    assert reasons(labelled) == {"milk/a.jpg": "a web page"}


# What is no image at all.


def test_T03_what_systems_and_we_leave_is_ignored(tree: Path) -> None:
    """Hidden files and folders, thumbnails' databases and our own state are neither classes nor mentioned."""
    for folder in (".ipynb_checkpoints", ".git", "__MACOSX", "@eaDir", "king/.thumbnails", "king/inner"):
        plant(tree, {folder: range(50, 53)})
    for name in (
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        "king/.DS_Store",
        "king/Thumbs.db",
        "king/._000.jpg",
    ):
        (tree / name).write_bytes(b"\0\0\0\1Bud1")
    for name in (
        "harvest.db-journal",
        "harvest.lock",
        ".harvest-1234-5.part",
        "README.md",
        "stray.jpg",
    ):
        (tree / name).write_bytes(b"x")
    labelled = look(tree)
    assert labelled.labels == ("coral", "king")
    assert labelled.counts() == {"coral": 3, "king": 3}
    assert (labelled.skipped, labelled.empty) == ((), ())


def test_T03_a_dataset_is_a_tree(tmp_path: Path) -> None:
    """A harvest with its ledger, lock and siblings for what was thrown out has its classes and no other."""
    root = tmp_path / "dataset"
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        datasets.fill(dataset, "king", range(3))
        known = datasets.fill(dataset, "coral", range(10, 14))
        dataset.reject([known[0].id], by="test")
    labelled = look(root)
    assert labelled.counts() == {"coral": 3, "king": 3}
    assert labelled.skipped == ()


def test_other_files_are_listed(tree: Path) -> None:
    """A file in a class folder that is no image by its name is listed, whatever it holds."""
    (tree / "king" / "notes.txt").write_bytes(b"which are which")
    (tree / "king" / "photo").write_bytes(jpeg(5))
    labelled = look(tree)
    assert reasons(labelled) == {
        "king/notes.txt": "not the suffix of an image (.txt)",
        "king/photo": "not the suffix of an image (no suffix)",
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders here")
def test_what_is_no_regular_file_is_never_opened(tree: Path) -> None:
    """A pipe called like an image is listed, and nobody waits for what may come out of it."""
    os.mkfifo(tree / "king" / "pipe.jpg")
    assert reasons(look(tree)) == {"king/pipe.jpg": "not a regular file"}


# Names.


NAMES = [
    "two\nlines.jpg",
    "\u202egnp.exe.jpg",
    "=cmd|'calc'!A1.jpg",
    "a\tb.jpg",
    "x" * 240 + ".jpg",
    "ümlaut.jpg",
    "-rf.jpg",
    "a,b\"c'.jpg",
]


@pytest.mark.skipif(sys.platform == "win32", reason="such names cannot be made here")
@pytest.mark.parametrize("name", [*NAMES, "caf\udce9.jpg"])
def test_odd_names_of_pictures(tree: Path, name: str) -> None:
    """An image is taken under whatever name the disk gives it, and found again by it."""
    try:
        (tree / "king" / name).write_bytes(jpeg(5))
    except OSError:
        pytest.skip("this disk takes no such name")
    labelled = look(tree)
    (odd,) = [example for example in labelled.examples if example.content == datasets.sha(jpeg(5))]
    assert odd.path == f"king/{name}"
    assert labelled.reader.read(odd.path) == jpeg(5)


@pytest.mark.skipif(sys.platform == "win32", reason="such names cannot be made here")
@pytest.mark.parametrize("name", ["two\nlines", "king\n", "a\rb", "line\u2028separator", "caf\udce9"])
def test_a_label_is_one_line_of_text(tree: Path, name: str) -> None:
    """A folder that no list of labels could hold is named, in a way that cannot break the message."""
    try:
        plant(tree, {name: [5]})
    except OSError:
        pytest.skip("this disk takes no such name")
    with pytest.raises(TrainingError, match="cannot be a label") as raised:
        look(tree)
    assert raised.value.message.isprintable()


# Links, and a disk that does not hold still.


def linked(path: Path, target: Path | str) -> None:
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("links cannot be made here")


def test_links_are_not_followed(tree: Path, tmp_path: Path) -> None:
    """A link to an image or a folder, a loop and a broken link are skipped; the dataset itself may be a link."""
    plant(tmp_path / "elsewhere", {"milk": range(20, 23)})
    links = {
        "milk": tmp_path / "elsewhere" / "milk",
        "loop": tree,
        "nowhere": tree / "gone",
        "king/link.jpg": tmp_path / "elsewhere" / "milk" / "020.jpg",
        "king/self.jpg": "self.jpg",
        "king/up": tree,
    }
    for path, target in links.items():
        linked(tree / path, target)
    linked(tmp_path / "way", tree)
    labelled = look(tmp_path / "way")
    assert labelled.counts() == {"coral": 3, "king": 3}
    assert labelled.empty == ()
    assert reasons(labelled) == dict.fromkeys(links, "a symbolic link, which is not followed")


def test_links_in_the_folders_of_parts_are_not_followed(tree: Path, tmp_path: Path) -> None:
    """A class that is a link in the folder of a part is skipped, and so is a part that is a link."""
    plant(tmp_path / "parts" / "train", {"king": range(3), "coral": range(10, 13)})
    linked(tmp_path / "parts" / "train" / "milk", tree / "king")
    linked(tmp_path / "parts" / "test", tree)
    labelled = look(tmp_path / "parts")
    assert labelled.counts() == {"coral": 3, "king": 3}
    assert set(reasons(labelled)) == {"train/milk", "test"}


def test_a_file_deleted_while_the_folders_are_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that is gone when its turn comes is listed, and the others are read."""
    real = size_and_fingerprint_cache.inspect_image

    def deletes(data: bytes) -> InspectedImage:
        (tree / "king" / "002.jpg").unlink(missing_ok=True)
        return real(data)

    monkeypatch.setattr(size_and_fingerprint_cache, "inspect_image", deletes)
    monkeypatch.setattr(size_and_fingerprint_cache, "_THREADS", 1)
    assert reasons(look(tree)) == {"king/002.jpg": "it was deleted while the folders were read"}


def test_unreadable_files_and_folders_are_listed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system does not let us read is listed with its words; it does not pass for empty."""
    (tree / "locked").mkdir()
    scandir, read = os.scandir, type(tree).read_bytes

    def closed(path: Path) -> object:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    def failing(path: Path) -> bytes:
        if path.name == "001.jpg":
            raise OSError(5, "Input/output error", str(path))
        return read(path)

    monkeypatch.setattr(os, "scandir", closed)
    monkeypatch.setattr(type(tree), "read_bytes", failing)
    assert reasons(look(tree)) == {
        "king/001.jpg": "it cannot be read: Input/output error",
        "locked": "the folder cannot be read: Permission denied",
    }


def test_a_tree_is_only_read(tree: Path, tmp_path: Path) -> None:
    """Gathering leaves no file in the tree and changes none, not even a time."""
    before = {path: path.stat().st_mtime_ns for path in (tree, *tree.rglob("*"))}
    look(tree, cache=tmp_path / "cache")
    assert {path: path.stat().st_mtime_ns for path in (tree, *tree.rglob("*"))} == before


# Too little.


def test_T01_fewer_than_two_classes_is_refused(tmp_path: Path) -> None:
    """One class, an empty one next to it or none at all are refused as a mistake in the call (exit 2)."""
    plant(tmp_path, {"king": range(3)})
    with pytest.raises(TrainingError, match="one class only, king") as raised:
        look(tmp_path)
    assert raised.value.exit_code == 2
    (tmp_path / "coral").mkdir()
    with pytest.raises(TrainingError, match="one class only, king") as raised:
        look(tmp_path)
    assert "Empty class folders: coral." in str(raised.value.hint)


@pytest.mark.parametrize("name", ["gone", "file"])
def test_T01_no_tree_is_refused(tmp_path: Path, name: str) -> None:
    """A tree that is not there, or is a file, is refused with its name."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TrainingError, match=name) as raised:
        look(tmp_path / name)
    assert raised.value.exit_code == 2


def test_T01_an_empty_tree_is_refused(tmp_path: Path) -> None:
    """A tree without an image in any class folder says so."""
    (tmp_path / "king").mkdir()
    with pytest.raises(TrainingError, match="no image in a class folder"):
        look(tmp_path)


def test_T01_nothing_but_broken_pictures_names_one(tmp_path: Path) -> None:
    """Where all were left out, the refusal names one of them and its reason."""
    plant(tmp_path, {"king": range(2)})
    for number in range(3):
        (tmp_path / "king" / f"{number:03}.jpg").write_bytes(b"<html>")
    with pytest.raises(TrainingError) as raised:
        look(tmp_path)
    assert "king/000.jpg (a web page) and 2 more" in raised.value.hint


def test_T01_a_tree_named_one_step_too_high(tmp_path: Path) -> None:
    """Where folders hold folders, the refusal asks whether the tree is further down."""
    plant(tmp_path, {"snakes/king": [1], "snakes/coral": [2]})
    with pytest.raises(TrainingError) as raised:
        look(tmp_path)
    assert "snakes" in raised.value.hint


def test_T01_empty_and_one_picture_classes_are_told(tree: Path) -> None:
    """Before the training begins, classes without and with few images are named."""
    plant(tree, {"milk": [], "rat": [20]})
    labelled = look(tree)
    split = make_split(labelled, find_leak_groups(labelled, say=pytest.fail), valid=20, test=10, seed=42, remembered={})
    result = "\n".join(find_warnings(labelled, split))
    assert "without a usable image" in result
    assert "milk" in result
    assert "rat (1)" in result
    assert [split.parts[row] for row in np.flatnonzero(labelled.targets == 2)] == [SplitPart.TRAIN]


# Folders for train, valid and test.


@pytest.mark.parametrize("valid", ["valid", "val", "validation", "Valid"])
def test_folders_for_parts_are_used(tmp_path: Path, valid: str) -> None:
    """A tree with a folder for each part says itself where its images are."""
    plant(tmp_path, {"train/king": [1], "train/coral": [2], f"{valid}/king": [3], "test/coral": [4]})
    labelled = look(tmp_path)
    assert labelled.labels == ("coral", "king")
    assert {example.path: example.part for example in labelled.examples} == {
        "train/king/001.jpg": SplitPart.TRAIN,
        "train/coral/002.jpg": SplitPart.TRAIN,
        f"{valid}/king/003.jpg": SplitPart.VALID,
        "test/coral/004.jpg": SplitPart.TEST,
    }


def test_folders_beside_those_for_parts_are_listed(tmp_path: Path) -> None:
    """Beside folders for parts, others are no classes; nor is a test folder of unlabelled images."""
    plant(tmp_path, {"train/king": [1], "train/coral": [2], "extra/king": [3], "test": [4]})
    labelled = look(tmp_path)
    assert paths(labelled) == ["train/coral/002.jpg", "train/king/001.jpg"]
    assert list(reasons(labelled)) == ["extra", "test"]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    """Folders called train and test that hold images are classes: vehicles and trials."""
    labelled = look(plant(tmp_path, {"train": [1, 2], "bus": [3], "test": [4]}))
    assert labelled.labels == ("bus", "test", "train")
    assert {example.part for example in labelled.examples} == {None}


def test_what_nothing_is_trained_on_is_listed(tmp_path: Path) -> None:
    """A class that only valid or test have cannot be learned: its images are listed."""
    plant(tmp_path, {"train/king": [1], "train/coral": [2], "test/milk": [3], "test/king": [4]})
    labelled = look(tmp_path)
    assert labelled.labels == ("coral", "king")
    assert labelled.skipped == (Skipped("test/milk/003.jpg", "the train part has no image of its class"),)
    assert labelled.empty == ("milk",)


def test_classes_of_the_train_folder_alone_count(tmp_path: Path) -> None:
    """One class to train on is too few, however many valid has."""
    plant(tmp_path, {"train/king": [1], "valid/king": [2], "valid/coral": [3]})
    with pytest.raises(TrainingError, match="one class only, king"):
        look(tmp_path)


# What was seen before.


def test_a_second_look_decodes_nothing(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known by content is not decoded again, wherever it lies by then, and comes out the same."""
    (tree / "coral" / "again.png").write_bytes(encoded(photo(96, 72, seed=2), "PNG"))
    first = look(tree, cache=tmp_path / "cache")
    monkeypatch.setattr(size_and_fingerprint_cache, "inspect_image", lambda _: pytest.fail("decoded again"))
    monkeypatch.setattr(find_duplicates, "find_duplicates", lambda _: pytest.fail("compared again"))
    second = look(tree, cache=tmp_path / "cache")
    assert second == first
    assert second.duplicates.pairs.tolist() == first.duplicates.pairs.tolist() != []
    monkeypatch.undo()
    monkeypatch.setattr(size_and_fingerprint_cache, "inspect_image", lambda _: pytest.fail("decoded again"))
    (tree / "king").rename(tree / "queen")
    assert look(tree, cache=tmp_path / "cache").labels == ("coral", "queen")


def test_only_the_new_is_decoded(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images that are added later are decoded, remembered with the others, and nothing else is."""
    look(tree, cache=tmp_path / "cache")
    plant(tree, {"king": [5, 6]})
    seen: list[bytes] = []
    real = size_and_fingerprint_cache.inspect_image
    monkeypatch.setattr(size_and_fingerprint_cache, "inspect_image", lambda data: seen.append(data) or real(data))
    look(tree, cache=tmp_path / "cache")
    assert sorted(seen) == sorted([jpeg(5), jpeg(6)])
    look(tree, cache=tmp_path / "cache")
    assert len(seen) == 2


def test_licences_come_from_the_ledger(tmp_path: Path) -> None:
    """The licence of each image is read by its content; a value that is not text is ignored."""
    root = tmp_path / "snakes"
    datasets.new(root, king=range(3), coral=range(10, 12))
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        ledger.execute("UPDATE picture SET licence = 'CC-BY-4.0' WHERE content = ?", [datasets.a_picture(1).content])
        ledger.execute("UPDATE picture SET licence = x'00' WHERE content = ?", [datasets.a_picture(2).content])

    assert look(root).ledger_facts.licences == {datasets.a_picture(1).content: "CC-BY-4.0"}


def test_images_that_the_ledger_knows_are_not_decoded(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes and fingerprints of images in the ledger are read from it; a row that no harvest writes is decoded."""
    (tree / "king" / "copy.jpg").write_bytes(jpeg(1))
    before = look(tree)
    Dataset.open(tree, create=True).close()
    seen: list[bytes] = []
    real = size_and_fingerprint_cache.inspect_image
    monkeypatch.setattr(size_and_fingerprint_cache, "inspect_image", lambda data: seen.append(data) or real(data))

    after = look(tree)

    assert (after.examples, after.duplicates.pairs.tolist()) == (before.examples, before.duplicates.pairs.tolist())
    assert seen == []
    with closing(sqlite3.connect(tree / "harvest.db")) as ledger, ledger:
        ledger.execute(
            "UPDATE fingerprint SET data = x'00' WHERE picture = (SELECT id FROM picture WHERE content = ?)",
            [datasets.sha(jpeg(10))],
        )
        ledger.execute("UPDATE picture SET width = 'wide' WHERE content = ?", [datasets.sha(jpeg(11))])
    assert look(tree).examples == before.examples
    assert sorted(seen) == sorted([jpeg(10), jpeg(11)])


@pytest.mark.parametrize("damage", [lambda d: d[:-7], lambda d: d[:60], lambda _: b"", lambda d: d[:-1] + b"\0\0"])
def test_a_damaged_memory_is_made_anew(tree: Path, tmp_path: Path, damage: object) -> None:
    """A cache that was cut, emptied or scribbled into is nothing but forgotten."""
    (tree / "king" / "copy.jpg").write_bytes(jpeg(1))
    before = look(tree, cache=tmp_path / "cache")
    whole = datasets.tree(tmp_path / "cache")
    for name, data in whole.items():
        (tmp_path / "cache" / name).write_bytes(damage(data))
    after = look(tree, cache=tmp_path / "cache")
    assert after == before
    assert after.duplicates.pairs.tolist() == before.duplicates.pairs.tolist() != []
    assert datasets.tree(tmp_path / "cache") == whole


def test_a_memory_that_cannot_be_written_is_said(tree: Path, tmp_path: Path) -> None:
    """Where no cache can be made, the album is gathered all the same, and why it will be slow is said."""
    (tmp_path / "cache").write_bytes(b"a file")
    messages: list[str] = []
    labelled = load_pictures(tree, say=messages.append, cache=tmp_path / "cache" / "inner")
    assert len(labelled.examples) == 6
    assert ["decodes every image again" in text for text in messages] == [True]


def test_a_full_disk_is_said(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up while the cache is written costs the cache alone, and leaves no half of it."""

    def full(_path: Path, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk, "write", full)
    messages: list[str] = []
    load_pictures(tree, say=messages.append, cache=tmp_path / "cache")
    assert "No space left" in messages[0]
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_interrupted_look_is_remembered(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was decoded before a person stopped is not decoded again."""

    def stop(done: int, _total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_pictures(tree, say=pytest.fail, tick=stop, cache=tmp_path / "cache")
    seen: list[bytes] = []
    real = size_and_fingerprint_cache.inspect_image
    monkeypatch.setattr(size_and_fingerprint_cache, "inspect_image", lambda data: seen.append(data) or real(data))
    look(tree, cache=tmp_path / "cache")
    assert len(seen) == 2


def test_it_tells_how_far_it_is(tree: Path) -> None:
    """Every file is one tick of all of them, in order."""
    ticks: list[tuple[int, int]] = []
    load_pictures(tree, say=pytest.fail, tick=lambda done, total: ticks.append((done, total)))
    assert ticks == [(done, 6) for done in range(1, 7)]


def test_pictures_do_not_pile_up(tree: Path) -> None:
    """Of 150 MB of images, no more is in memory than the few that are being decoded."""
    picture = encoded(photo(1000, 850), "BMP")
    for number in range(60):
        (tree / "king" / f"{number}.bmp").write_bytes(picture + number.to_bytes(2))
    tracemalloc.start()
    try:
        assert len(look(tree).examples) == 66
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (size_and_fingerprint_cache._THREADS + 2) * 3 * len(picture)
