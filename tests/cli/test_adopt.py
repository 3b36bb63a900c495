"""`harvest adopt`: existing class folders become a dataset, whatever else is in the tree."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Dataset
from harvest.images.write_and_read_exif import build_exif
from tests import datasets
from tests.datasets import a_hit, jpeg
from tests.pictures import jpeg_with, segment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

    Harvest = Callable[..., Result]

SIZE = 60  # pixels


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test settings of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a tree of two classes with three images each, as FastClass names them."""
    root = tmp_path / "photos"
    for class_name, numbers in {"king": range(1, 4), "coral": range(4, 7)}.items():
        (root / class_name).mkdir(parents=True)
        for number in numbers:
            (root / class_name / f"{number:06}.jpg").write_bytes(jpeg(number, SIZE))
    return root


def files(root: Path) -> dict[str, bytes]:
    return datasets.tree(root.parent)


def marked(number: int) -> bytes:
    """Return an image with the mark of FastClass."""
    return jpeg_with(jpeg(number, SIZE), segment(0xE1, build_exif(a_hit(number))))


def url_of(root: Path, text: str) -> str | None:
    with Dataset.open(root) as dataset:
        history = dataset.history_of_text(text)
    return history.sources[0].url if history and history.sources else None


def test_class_folders_become_a_dataset(harvest: Harvest, photos: Path) -> None:
    """All images of the class folders are in the ledger, and no file was changed; the next command is named."""
    before = {name: data for name, data in files(photos).items() if name.startswith("photos")}
    result = harvest("adopt", "photos")
    assert result.code == 0
    assert "adopted photos: 6 images; none was changed" in result.out
    assert result.lines[-1].startswith("next harvest review photos")
    assert {name: data for name, data in files(photos).items() if name.startswith("photos")} == before
    with Dataset.open(photos) as dataset:
        assert dataset.counts() == {"king": 3, "coral": 3}
        assert not any(dataset.changes.counts().values())


def test_a_dataset_is_not_adopted_again(harvest: Harvest, photos: Path) -> None:
    """On a dataset, the command says so and changes nothing, also for images that were added since."""
    harvest("adopt", "photos")
    (photos / "king" / "new.jpg").write_bytes(jpeg(9, SIZE))
    ledger = (photos / "harvest.db").read_bytes()
    result = harvest("adopt", "photos")
    assert result.code == 0
    assert "photos is a dataset already" in result.err
    assert (photos / "harvest.db").read_bytes() == ledger


@pytest.mark.parametrize("step", ["read_provenance", "inspect_new_files", "compare_new_pictures"])
def test_a_killed_adoption_is_completed(
    harvest: Harvest, photos: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """After a kill at any step, the same command reads sources and fingerprints what is left."""
    (photos / "king" / "000007.jpg").write_bytes(marked(7))
    with monkeypatch.context() as killed:
        killed.setattr(f"harvest.dataset.dataset.{step}", _interrupt)
        assert harvest("adopt", "photos").code == 130
    result = harvest("adopt", "photos")
    assert "adopted photos: 7 images" in result.out
    assert url_of(photos, "king/000007.jpg") == a_hit(7).url
    with Dataset.open(photos) as dataset:
        assert all(known.fingerprint for known in dataset.list_present())


def _interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_sources_of_fastclass_are_read(harvest: Harvest, photos: Path) -> None:
    """The source in the EXIF comes first, then the URL in the log, which may contain commas and is not quoted."""
    (photos / "king" / "000001.jpg").write_bytes(marked(1))
    lines = [
        "image,source",
        "000001.jpg,https://example.com/other.jpg",
        "000002.jpg,https://example.com/a,b.jpg?x=1,2",
        "000003.jpg,javascript:alert(1)",
        "999999.jpg,https://example.com/gone.jpg",
        "no comma",
    ]
    (photos / "king.log").write_text("\n".join(lines), "utf-8")
    (photos / "coral.log").write_bytes(b"\xff\xfe a log of something else\n000004.jpg,https://example.com/4.jpg\n")
    result = harvest("adopt", "photos")
    assert "sources: read for 2 images" in result.out
    assert url_of(photos, "king/000001.jpg") == a_hit(1).url
    assert url_of(photos, "king/000002.jpg") == "https://example.com/a,b.jpg?x=1,2"
    assert url_of(photos, "king/000003.jpg") is None
    assert url_of(photos, "coral/000004.jpg") is None


def test_a_log_that_is_a_link_is_not_read(harvest: Harvest, photos: Path, tmp_path: Path) -> None:
    """Nothing outside the tree is read."""
    (tmp_path / "secret").write_text("image,source\n000001.jpg,https://example.com/1.jpg\n")
    (photos / "king.log").symlink_to(tmp_path / "secret")
    assert "sources: read for 0 images" in harvest("adopt", "photos").out


def test_ratings_of_fcc_are_read(harvest: Harvest, photos: Path) -> None:
    """Digits become ratings; images that fcc marked as deleted are counted and kept."""
    report = "file;rank\nphotos/king/000001.jpg;9\nphotos/king/000002.jpg;d\n000003.jpg;?\ngone.jpg;3\nx;77\n"
    (photos / "king_report_all.csv").write_text(report)
    result = harvest("adopt", "photos")
    assert "ratings: read for 1 image from the reports of fcc" in result.out
    assert "marked as deleted by fcc: 1 image" in result.out
    with closing(sqlite3.connect(photos / "harvest.db")) as ledger:
        assert ledger.execute("SELECT name, rating FROM picture WHERE rating").fetchall() == [("000001.jpg", 9)]
    assert (photos / "king" / "000002.jpg").exists()


def test_images_of_two_classes_and_broken_images_are_listed(harvest: Harvest, photos: Path) -> None:
    """A file in two class folders is a conflict, and what cannot be decoded is named; the adoption completes."""
    shutil.copy(photos / "king" / "000001.jpg", photos / "coral" / "copy.jpg")
    (photos / "king" / "broken.jpg").write_bytes(jpeg(1, SIZE)[:60])
    result = harvest("adopt", "photos")
    assert result.code == 0
    assert "conflicts: 1 image found for two classes" in result.out
    assert "photos/king/broken.jpg" in result.out


def test_empty_files_are_not_a_conflict(harvest: Harvest, photos: Path) -> None:
    """Files that cannot be decoded have the same content in two classes without being one image of both."""
    for name in ("king", "coral"):
        (photos / name / "empty.jpg").touch()
    result = harvest("adopt", "photos")
    assert "conflicts" not in result.out
    assert "photos/king/empty.jpg" in result.out


def test_rejected_images_next_to_the_tree_stay_rejected(harvest: Harvest, photos: Path) -> None:
    """Images in TREE.rejected are rejected in the new ledger."""
    (photos.with_name("photos.rejected") / "king").mkdir(parents=True)
    (photos.with_name("photos.rejected") / "king" / "bad.jpg").write_bytes(jpeg(8, SIZE))
    harvest("adopt", "photos")
    with Dataset.open(photos) as dataset:
        assert len(list(dataset.list_rejected())) == 1


def refused(harvest: Harvest, tree: Path, *args: str) -> str:
    """Adopt a tree; assert that it is refused and that nothing was written, and return the message."""
    before = files(tree)
    result = harvest("adopt", tree.name, *args)
    assert result.code in {2, 3}
    assert files(tree) == before
    assert not list(tree.parent.rglob("harvest.*"))
    return result.err


def test_a_split_tree_is_not_a_dataset(harvest: Harvest, photos: Path, tmp_path: Path) -> None:
    """With class folders in `train` and `valid`, the command names the one to adopt."""
    for part in ("valid", "train", "test"):
        shutil.copytree(photos, tmp_path / "split" / part)
    message = refused(harvest, tmp_path / "split")
    assert "test, train, valid contain folders of images" in message
    assert "harvest adopt split/train" in message
    assert harvest("adopt", "split/train").code == 0


def test_images_without_class_folders(harvest: Harvest, tmp_path: Path) -> None:
    """Images directly in the tree have no class."""
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "a.jpg").write_bytes(jpeg(1))
    assert "flat has 1 image and no class folders" in refused(harvest, tmp_path / "flat")


def test_a_tree_without_images(harvest: Harvest, tmp_path: Path) -> None:
    """Empty folders and other files are not a dataset."""
    (tmp_path / "empty" / "king").mkdir(parents=True)
    (tmp_path / "empty" / "king" / "notes.txt").write_text("no image")
    assert "has no images in class folders" in refused(harvest, tmp_path / "empty")


def test_copies_of_fcc_are_not_a_class(harvest: Harvest, photos: Path) -> None:
    """`king.clean` next to `king` would put each image in two classes."""
    shutil.copytree(photos / "king", photos / "king.clean")
    assert "has the copies that fcc made of king" in refused(harvest, photos)


def test_a_missing_tree_and_a_file(harvest: Harvest, tmp_path: Path) -> None:
    """What is not a folder is named."""
    (tmp_path / "file").write_text("")
    assert "there is no folder gone" in harvest("adopt", "gone").err
    assert "file is not a folder" in harvest("adopt", "file").err


def test_a_class_folder_of_a_dataset(harvest: Harvest, photos: Path) -> None:
    """A part of a dataset is not a dataset."""
    harvest("adopt", "photos")
    (photos / "king" / "deep").mkdir()
    assert "photos/king belongs to the dataset photos" in harvest("adopt", "photos/king").err


def test_a_lost_ledger_is_not_replaced_by_accident(harvest: Harvest, photos: Path) -> None:
    """A tree that had a ledger is only adopted with --new-ledger."""
    harvest("adopt", "photos")
    for file in photos.glob("harvest.*"):
        file.unlink()
    assert "contained a dataset before" in refused(harvest, photos)
    assert harvest("adopt", "photos", "--new-ledger").code == 0


def test_what_is_ignored_is_said(harvest: Harvest, photos: Path, tmp_path: Path) -> None:
    """Images outside the class folders, nested folders and links are named, and never followed."""
    shutil.copy(photos / "king" / "000001.jpg", photos / "cover.jpg")
    shutil.copytree(photos / "coral", photos / "king" / "young")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.jpg").write_bytes(jpeg(50, SIZE))
    (photos / "linked").symlink_to(tmp_path / "elsewhere")
    (photos / "king" / "linked.jpg").symlink_to(tmp_path / "elsewhere" / "x.jpg")
    (photos / "king" / "without a suffix").write_bytes(jpeg(51, SIZE))
    result = harvest("adopt", "photos")
    assert "1 image outside the class folders is ignored" in result.err
    assert "subfolders of king are ignored" in result.err
    assert "2 symbolic links are ignored" in result.err
    assert "1 file in the class folders without a suffix of images, such as .jpg, is ignored" in result.err
    assert "adopted photos: 6 images" in result.out


def test_odd_names_are_adopted(harvest: Harvest, photos: Path) -> None:
    """Names with spaces, line breaks, accents and bytes that are not UTF-8 are adopted, and printed on one line."""
    folder = photos / "Köln ☃\n'quoted'"
    folder.mkdir()
    (folder / "a\nb.jpg").write_bytes(jpeg(20, SIZE))
    (folder / os.fsdecode(b"caf\xe9.jpg")).write_bytes(jpeg(21, SIZE))
    result = harvest("adopt", "photos")
    assert result.code == 0
    assert "adopted photos: 8 images" in result.out
    with Dataset.open(photos) as dataset:
        assert not any(dataset.changes.counts().values())


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs permissions that bind")
def test_a_tree_that_cannot_be_written(harvest: Harvest, photos: Path) -> None:
    """A read-only tree is an error that says what to do."""
    photos.chmod(0o500)
    try:
        result = harvest("adopt", "photos")
    finally:
        photos.chmod(0o700)
    assert result.code == 6
    assert "cannot write" in result.err


def test_other_commands_suggest_it(harvest: Harvest, photos: Path) -> None:
    """A command for datasets suggests `adopt` on a tree without a ledger, and nothing is written."""
    result = harvest("status", "photos")
    assert result.code == 2
    assert "harvest adopt photos" in result.err
    assert not list(photos.glob("harvest.*"))
