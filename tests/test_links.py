"""No file of a dataset is opened through a symbolic link: the dataset of a stranger may contain some."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from harvest.cli.save_pages_for_bug_reports import save_page
from harvest.dataset import Dataset, ReadOnlyDataset
from harvest.errors import CannotWrite, PageChanged
from harvest.files import disk
from harvest.files.ledger_names_to_paths import Area, FileKey
from harvest.files.lock import Lock
from harvest.files.place_and_list_files import Tree
from tests import datasets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need a right there")

SECRET = b"years of work"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a dataset with three images."""
    root = tmp_path / "dataset"
    datasets.new(root, king=range(3))
    return root


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return a file of the user outside the dataset."""
    target = tmp_path / "home" / "thesis.tex"
    target.parent.mkdir()
    target.write_bytes(SECRET)
    return target


def plant(path: Path, target: Path) -> None:
    """Replace a file by a link."""
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def open_all(root: Path) -> dict[str, Callable[[], object]]:
    """Return the ways in which commands open a dataset."""
    return {
        "get": lambda: Dataset.open(root, create=True, exclusive=True),
        "status": lambda: Dataset.open(root),
        "dry run": lambda: Dataset.open(root, read_only=True),
        "train": lambda: ReadOnlyDataset.open(root),
    }


def test_X04_linked_lock_is_not_followed(root: Path, target: Path) -> None:
    """A lock that is a link is refused by name, and its target keeps its content."""
    plant(root / "harvest.lock", target)
    with pytest.raises(CannotWrite, match=r"harvest\.lock is a symbolic link to .*thesis\.tex") as raised:
        Dataset.open(root, create=True, exclusive=True)
    assert raised.value.exit_code == 6
    assert "Replace the link" in raised.value.hint
    assert target.read_bytes() == SECRET


def test_X04_dangling_lock_creates_nothing(root: Path, tmp_path: Path) -> None:
    """A lock that is a broken link is refused, and its target is not created."""
    plant(root / "harvest.lock", tmp_path / "new")
    with pytest.raises(CannotWrite, match=r"harvest\.lock is a symbolic link"):
        Dataset.open(root, create=True, exclusive=True)
    assert not (tmp_path / "new").exists()


def test_X04_lock_is_checked_where_the_system_cannot(root: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without O_NOFOLLOW, as on Windows, a link is detected too."""
    monkeypatch.setattr(disk, "_OPEN", disk._OPEN & ~disk._NO_FOLLOW)
    monkeypatch.setattr(disk, "_NO_FOLLOW", 0)
    plant(root / "harvest.lock", target)
    with pytest.raises(CannotWrite, match="is a symbolic link"):
        Lock(root / "harvest.lock").acquire()
    assert target.read_bytes() == SECRET


def test_X04_lock_replaced_between_check_and_opening(root: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without O_NOFOLLOW, a link that replaces the file after the check is detected before a write."""
    monkeypatch.setattr(disk, "_OPEN", disk._OPEN & ~disk._NO_FOLLOW)
    monkeypatch.setattr(disk, "_NO_FOLLOW", 0)
    real = os.open

    def open_late(path: Path, *more: int) -> int:
        plant(root / "harvest.lock", target)
        return real(path, *more)

    monkeypatch.setattr(os, "open", open_late)
    with pytest.raises(CannotWrite, match="is a symbolic link"):
        Lock(root / "harvest.lock").acquire()
    assert target.read_bytes() == SECRET


def test_X04_holder_is_not_read_through_a_link(root: Path, target: Path) -> None:
    """The message about a lock in use shows nothing of a file elsewhere."""
    plant(root / "harvest.lock", target)
    assert Lock(root / "harvest.lock").describe_holder() == "another process"


@pytest.mark.parametrize("command", ["get", "status", "dry run", "train"])
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_X04_linked_ledger_is_not_followed(root: Path, target: Path, command: str, suffix: str) -> None:
    """A ledger that is a link, or a file of SQLite that is one, is refused by every command."""
    name = f"harvest.db{suffix}"
    plant(root / name, target)
    with pytest.raises(CannotWrite, match=rf"{name} is a symbolic link to .*thesis\.tex"):
        open_all(root)[command]()
    assert target.read_bytes() == SECRET
    assert (root / name).is_symlink()


@pytest.mark.parametrize("command", ["get", "status", "dry run", "train"])
def test_X04_dangling_ledger_creates_nothing(root: Path, tmp_path: Path, command: str) -> None:
    """A ledger that is a broken link is refused, and no ledger is created at the link or its target."""
    plant(root / "harvest.db", tmp_path / "new.db")
    with pytest.raises(CannotWrite, match=r"harvest\.db is a symbolic link"):
        open_all(root)[command]()
    assert (root / "harvest.db").is_symlink()
    assert not (tmp_path / "new.db").exists()


def test_X04_ledger_replaced_between_check_and_opening(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that replaces the ledger just before it is opened is refused before it is written."""
    other = tmp_path / "other"
    datasets.new(other, king=[9])
    before = datasets.sha((other / "harvest.db").read_bytes())
    from harvest.ledger import database  # noqa: PLC0415 - its own name is needed for the patch

    real, once = database.sqlite3.connect, [True]

    def connect_late(*words: object, **more: object) -> object:
        if once and once.pop():
            plant(root / "harvest.db", other / "harvest.db")
        return real(*words, **more)

    monkeypatch.setattr(database.sqlite3, "connect", connect_late)
    with pytest.raises(CannotWrite, match="is a symbolic link"):
        Dataset.open(root)
    assert datasets.sha((other / "harvest.db").read_bytes()) == before
    assert {path.name for path in other.iterdir()} == {"harvest.db", "harvest.lock", "king"}


@pytest.mark.parametrize("command", ["get", "status", "dry run"])
def test_X04_linked_rejected_folder_is_not_followed(root: Path, target: Path, command: str) -> None:
    """A dataset.rejected that is a link is refused: its files do not count as rejected images."""
    (target.parent / "king").mkdir()
    root.with_name("dataset.rejected").symlink_to(target.parent)
    with pytest.raises(CannotWrite, match=r"dataset\.rejected is a symbolic link"):
        open_all(root)[command]()
    assert sorted(path.name for path in target.parent.iterdir()) == ["king", "thesis.tex"]


@pytest.mark.parametrize("linked", ["dataset.raw", "dataset.raw/king", "dataset.rejected/king"])
def test_X04_nothing_is_placed_through_a_linked_folder(root: Path, target: Path, linked: str) -> None:
    """Neither an original nor a rejected image is written through a link in the path."""
    link = root.parent / linked
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(target.parent)
    area = Area.RAW if "raw" in linked else Area.REJECTED
    tree = Tree(root)
    with pytest.raises(CannotWrite, match="is a symbolic link"):
        tree.place([(FileKey("king", "a.jpg", area), b"a")])
    tree.close()
    assert [path.name for path in target.parent.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("linked", ["dataset.raw", "dataset.raw/king"])
def test_X04_nothing_is_removed_or_moved_through_a_linked_folder(root: Path, target: Path, linked: str) -> None:
    """A file behind a link is neither listed, read, moved nor removed."""
    link = root.parent / linked
    link.parent.mkdir(exist_ok=True)
    spot = FileKey("king", "thesis.tex", Area.RAW)
    if linked == "dataset.raw":
        (target.parent / "king").mkdir()
        target = target.rename(target.parent / "king" / target.name)
        link.symlink_to(target.parent.parent)
    else:
        link.symlink_to(target.parent)
    tree = Tree(root)
    for change in (
        lambda: tree.remove([(spot, sha256(SECRET).hexdigest())]),
        lambda: tree.move(spot, FileKey("king", "stolen.jpg")),
    ):
        with pytest.raises(CannotWrite, match="is a symbolic link"):
            change()
    tree.close()
    assert target.read_bytes() == SECRET


def test_X04_image_behind_a_link_is_not_read(root: Path, target: Path) -> None:
    """Neither size nor content of the target of a link counts as an image."""
    (root / "king" / "a.jpg").symlink_to(target)
    (root / "coral").symlink_to(target.parent)
    tree = Tree(root)
    spots = [FileKey("king", "a.jpg"), FileKey("coral", "thesis.tex")]
    assert [tree.stat(spot) for spot in spots] == [None, None]
    assert tree.hash_files(spots) == [None, None]
    tree.close()


def test_X04_part_files_behind_a_link_are_not_removed(root: Path, target: Path) -> None:
    """Part files of a killed process are removed in the folders of the dataset only."""
    left = target.parent / ".harvest-0123-0.part"
    left.write_bytes(SECRET)
    root.with_name("dataset.raw").symlink_to(target.parent)
    tree = Tree(root)
    assert not tree.has_parts()
    tree.remove_parts()
    assert left.read_bytes() == SECRET


def test_X04_linked_part_file_is_not_written_through(root: Path, target: Path) -> None:
    """A link in place of a part file is refused, also a broken one."""
    for number, leads_to in enumerate((target, target.parent / "new")):
        part = root / f".harvest-0123-{number}.part"
        part.symlink_to(leads_to)
        with pytest.raises(FileExistsError):
            disk.write(part, b"image")
    assert [path.name for path in target.parent.iterdir()] == ["thesis.tex"]
    assert target.read_bytes() == SECRET


def test_X04_linked_table_is_replaced_and_not_written_through(root: Path, target: Path) -> None:
    """Tables and reports, which are written atomically, replace a link and leave its target as it is."""
    (root / "splits.csv").symlink_to(target)
    disk.write_atomically(root / "splits.csv", b"path,part\n")
    assert target.read_bytes() == SECRET
    assert (root / "splits.csv").read_bytes() == b"path,part\n"
    assert not (root / "splits.csv").is_symlink()


def test_X04_linked_page_is_replaced_and_not_written_through(root: Path, target: Path) -> None:
    """The page that is saved for a bug report is not written through a link."""
    (root / "harvest-bing-page.txt").symlink_to(target)
    path = save_page(PageChanged("new", page="<html>"), "BING", root)
    assert path == root / "harvest-bing-page.txt"
    assert path.read_text() == "<html>"
    assert target.read_bytes() == SECRET


def test_X04_copy_does_not_follow_a_link(root: Path, target: Path) -> None:
    """A file that became a link is not copied to another disk."""
    (root / "a.jpg").symlink_to(target)
    with pytest.raises(OSError, match=r"."):
        disk.copy(root / "a.jpg", root / "b.jpg")
    assert not (root / "b.jpg").exists()


@pytest.mark.parametrize("accept_missing", [False, True])
def test_X04_a_class_folder_replaced_by_a_link_is_named(root: Path, tmp_path: Path, accept_missing: bool) -> None:
    """Images behind a link in place of their class folder do not count as deleted; the message names the link."""
    (root / "king").rename(tmp_path / "big")
    (root / "king").symlink_to(tmp_path / "big")
    with pytest.raises(CannotWrite, match=r"king is a symbolic link to .*big") as raised:
        Dataset.open(root, accept_missing=accept_missing)
    assert "accept-missing" not in f"{raised.value.message} {raised.value.hint}"
    (root / "king").unlink()
    (tmp_path / "big").rename(root / "king")
    with Dataset.open(root) as dataset:
        assert dataset.counts() == {"king": 3}


def test_X04_the_dataset_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    """A dataset on another disk, behind a link, works like any other."""
    moved = root.rename(tmp_path / "big")
    root.symlink_to(moved)
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        datasets.fill(dataset, "coral", [7])
        dataset.reject(dataset.find(datasets.name(1)), by="page")
        assert dataset.counts() == {"king": 2, "coral": 1}
    assert (moved / "coral" / datasets.name(7)).exists()
    assert root.is_symlink()


def test_X04_fifo_in_place_of_the_lock_is_not_waited_for(root: Path) -> None:
    """A lock that is not a regular file is refused at once."""
    (root / "harvest.lock").unlink()
    os.mkfifo(root / "harvest.lock")
    with pytest.raises(CannotWrite, match="not a regular file"):
        Lock(root / "harvest.lock").acquire()
