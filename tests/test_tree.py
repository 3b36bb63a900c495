"""Class folders: what is found in them, and how files are written to them."""

from __future__ import annotations

import errno
import os
import threading
import unicodedata
from hashlib import sha256
from pathlib import Path

import pytest

from harvest.errors import CannotWrite, StorageError
from harvest.files import disk
from harvest.files.ledger_names_to_paths import Area, FileKey
from harvest.files.place_and_list_files import Tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dataset").mkdir()
    return tmp_path / "dataset"


@pytest.fixture
def tree(root: Path):
    tree = Tree(root)
    yield tree
    tree.close()


def lay(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode(errors="surrogateescape"))


def names(tree: Tree, **classes: object) -> set[str]:
    return {f"{class_name}/{name}" for class_name, name, *_ in tree.scan(**classes).files}


def test_sees_pictures_of_class_folders_only(root: Path, tree: Tree) -> None:
    """Files in the root, in nested folders, and without the suffix of an image are ignored."""
    lay(root, "king/a.jpg", "king/b.PNG", "king/notes.txt", "king/nosuffix", "king/deep/c.jpg", "d.jpg")
    assert names(tree) == {"king/a.jpg", "king/b.PNG"}


def test_ignores_what_systems_leave_behind(root: Path, tree: Tree) -> None:
    """Files of Finder, Explorer and editors are not images, whatever their names."""
    lay(root, "king/.DS_Store", "king/._a.jpg", "king/Thumbs.db", "king/desktop.ini", "king/.hidden.jpg")
    lay(root, ".ipynb_checkpoints/a.jpg", "king/a.jpg")
    assert names(tree) == {"king/a.jpg"}


def test_file_in_the_cloud_is_away_and_not_gone(root: Path, tree: Tree) -> None:
    """A Mac leaves `.name.jpg.icloud` for a file that is only in the cloud."""
    lay(root, "king/.a.jpg.icloud")
    assert tree.scan().remote == {("king", "a.jpg")}


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_links_are_not_followed(root: Path, tree: Tree, tmp_path: Path) -> None:
    """A link to a file or a folder elsewhere is not part of the dataset."""
    lay(tmp_path, "elsewhere/a.jpg")
    lay(root, "king/b.jpg")
    (root / "king" / "link.jpg").symlink_to(tmp_path / "elsewhere" / "a.jpg")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    assert names(tree) == {"king/b.jpg"}


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_nothing_is_placed_through_a_link(root: Path, tree: Tree, tmp_path: Path) -> None:
    """A class folder that is a link is refused, not followed."""
    (tmp_path / "elsewhere").mkdir()
    (root / "king").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotWrite, match="link"):
        tree.place([(FileKey("king", "a.jpg"), b"a")])
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_names_are_compared_composed(root: Path, tree: Tree) -> None:
    """A folder and a file with decomposed names on the disk are found by their composed names."""
    decomposed = unicodedata.normalize("NFD", "Käfer/Mücke.jpg")
    lay(root, decomposed)
    assert names(tree) == {"Käfer/Mücke.jpg"}
    assert tree.path(FileKey("Käfer", "Mücke.jpg")).read_bytes() == decomposed.encode()


def test_folder_that_differs_in_case_is_the_known_class(root: Path, tree: Tree) -> None:
    """On macOS and Windows `King` is `king`; everywhere the class keeps its given name."""
    lay(root, "King/a.jpg")
    assert names(tree, classes=["king"]) == {"king/a.jpg"}
    assert tree.path(FileKey("king", "a.jpg")) == root / "King" / "a.jpg"


def test_two_folders_that_differ_in_case_are_two_classes(root: Path, tree: Tree) -> None:
    """Where the disk distinguishes case, a known class is the folder with exactly its spelling."""
    lay(root, "king/a.jpg", "King/b.jpg")
    if len(list(root.iterdir())) == 1:
        pytest.skip("this disk does not tell them apart")
    assert names(tree, classes=["king"]) == {"king/a.jpg", "King/b.jpg"}


def test_names_in_no_encoding(root: Path, tree: Tree) -> None:
    """A file name that is not UTF-8 has a name in the ledger, by which it is found again."""
    try:
        lay(root, os.fsdecode(b"king/caf\xe9.jpg"))
    except OSError:
        pytest.skip("this disk takes only Unicode")
    assert names(tree) == {"king/caf\\xe9.jpg"}
    assert tree.hash_files([FileKey("king", "caf\\xe9.jpg")]) != [None]


def test_unreadable_folder_never_looks_empty(root: Path, tree: Tree, monkeypatch) -> None:
    """A folder that cannot be listed ends the command: its pictures must not look deleted."""
    lay(root, "king/a.jpg")
    real = os.scandir

    def scandir(path):
        if Path(path).name == "king":
            raise OSError(errno.EIO, "Input/output error")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(StorageError, match=r"cannot read .*king"):
        tree.scan()


def test_place_moves_and_removes(root: Path, tree: Tree) -> None:
    """A placed file is in its class, moves to another, and is gone when removed."""
    a, b = FileKey("king", "a.jpg"), FileKey("coral", "b.jpg")
    tree.place([(a, b"picture")])
    tree.move(a, b)
    assert not tree.is_free(b)
    assert (root / "coral" / "b.jpg").read_bytes() == b"picture"
    assert tree.is_free(a)
    tree.remove([(b, sha256(b"picture").hexdigest())])
    assert tree.is_free(b)


def test_shelves_are_siblings(root: Path, tree: Tree) -> None:
    """Rejected pictures and originals are next to the dataset, which contains nothing but class folders."""
    tree.place([(FileKey("king", "a.jpg", Area.RAW), b"raw"), (FileKey("king", "a.jpg"), b"picture")])
    tree.move(FileKey("king", "a.jpg"), FileKey("king", "a.jpg", Area.REJECTED))
    files = {str(path.relative_to(root.parent)) for path in root.parent.rglob("*.jpg")}
    assert files == {str(Path("dataset.raw/king/a.jpg")), str(Path("dataset.rejected/king/a.jpg"))}


@pytest.mark.parametrize("name", ["..", "a/b", "con", ".hidden", "a:b", ""])
def test_no_folder_is_made_of_an_unsafe_name(root: Path, tree: Tree, name: str) -> None:
    """No folder is made for a class name that is not a safe folder name."""
    with pytest.raises(CannotWrite, match="cannot make a folder"):
        tree.place([(FileKey(name, "a.jpg"), b"a")])
    assert list(root.parent.rglob("*.jpg")) == []


class Tape:
    """Records the calls that change the disk, and makes them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        for name in ("make_subfolder", "write", "copy", "replace", "remove", "sync_folder"):
            monkeypatch.setattr(disk, name, self._recording(name, getattr(disk, name)))
        real = os.fsync
        monkeypatch.setattr(os, "fsync", lambda handle: (self._note("fsync", ""), real(handle))[1])

    def _recording(self, name: str, real):
        def call(*paths):
            result = real(*paths)
            self._note(name, Path(paths[-1] if name != "write" else paths[0]).name)
            return result

        return call

    def _note(self, name: str, target: str) -> None:
        with self._lock:
            self.calls.append((name, target))

    def only(self, *names: str) -> list[tuple[str, str]]:
        """Return the calls of these functions."""
        return [call for call in self.calls if call[0] in names]


def test_P02_flushed_before_named_and_the_name_flushed_last(tree: Tree, monkeypatch) -> None:
    """All files are flushed before the first is renamed, and the names before `place` returns."""
    tree.place([(FileKey("king", "0.jpg"), b"0")])
    tape = Tape(monkeypatch)
    tree.place([(FileKey("king", f"{number}.jpg"), b"x") for number in range(1, 4)])
    assert [name for name, _ in tape.calls[:6]].count("fsync") == 3
    assert [name for name, _ in tape.calls[6:]] == ["replace"] * 3 + ["fsync", "sync_folder"]
    assert tape.only("replace", "sync_folder") == [
        ("replace", "1.jpg"),
        ("replace", "2.jpg"),
        ("replace", "3.jpg"),
        ("sync_folder", "king"),
    ]


def test_P02_new_folder_is_flushed_into_its_parent(root: Path, tree: Tree, monkeypatch) -> None:
    """A new class folder is flushed before a picture is renamed into it."""
    tape = Tape(monkeypatch)
    tree.place([(FileKey("king", "a.jpg"), b"a")])
    steps = tape.only("make_subfolder", "sync_folder", "write")
    assert [name for name, _ in steps] == ["make_subfolder", "sync_folder", "write", "sync_folder"]
    assert steps[1] == ("sync_folder", root.name)


def test_moves_between_disks(root: Path, tree: Tree, monkeypatch) -> None:
    """Where the dataset is a mount point, rejected pictures are copied, flushed and then removed."""
    tree.place([(FileKey("king", "a.jpg"), b"picture")])
    real = disk.replace

    def replace(source: Path, target: Path) -> None:
        if source.suffix != ".part":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(source, target)

    monkeypatch.setattr(disk, "replace", replace)
    tape = Tape(monkeypatch)
    tree.move(FileKey("king", "a.jpg"), FileKey("king", "a.jpg", Area.REJECTED))
    assert [name for name, _ in tape.only("copy", "replace", "sync_folder", "remove")][-4:] == [
        "copy",
        "replace",
        "sync_folder",
        "remove",
    ]
    assert [path.name for path in root.parent.rglob("*") if path.is_file()] == ["a.jpg"]


HINTS = {
    errno.ENOSPC: "Free some space",
    errno.EIO: "Check the disk",
    errno.EFBIG: "Raise the limit of the size of a file",
}


@pytest.mark.parametrize("code", HINTS)
@pytest.mark.parametrize("call", ["write", "replace"])
def test_P03_full_disk(root: Path, tree: Tree, monkeypatch, call: str, code: int) -> None:
    """A full or broken disk gives one error with path, free space and what to do, and leaves no part files."""
    calls = iter([False, True, True, True, True])
    real = getattr(disk, call)

    def failing(path: Path, *rest: object) -> None:
        if next(calls):
            if call == "write":
                path.write_bytes(b"half")
            raise OSError(code, os.strerror(code))
        real(path, *rest)

    monkeypatch.setattr(disk, call, failing)
    with pytest.raises(CannotWrite, match=r"cannot write .*dataset.* GB free") as raised:
        tree.place([(FileKey("king", f"{number}.jpg"), b"x") for number in range(3)])
    assert raised.value.exit_code == 6
    assert raised.value.hint.startswith(HINTS[code])
    assert list(root.glob(".*")) == []


def test_sweeps_what_a_killed_writer_left(root: Path, tree: Tree) -> None:
    """Part files of a killed process are removed; nothing else in the root is changed."""
    lay(root, ".harvest-0a1b2c3d-7.part", "harvest.db", ".keep", "king/a.jpg")
    assert tree.has_parts()
    tree.remove_parts()
    assert sorted(path.name for path in root.iterdir()) == [".keep", "harvest.db", "king"]
    assert not tree.has_parts()
