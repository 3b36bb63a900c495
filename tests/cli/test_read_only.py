"""A read-only dataset: `status` and `why` work, and record nothing."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Dataset
from harvest.errors import CannotWrite
from harvest.ledger.database import Ledger
from tests.datasets import fill, jpeg, name, new

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Result

    Harvest = Callable[..., Result]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="permissions of folders are of another kind")
NOBODY = 65534


@contextmanager
def without_permission(folder: Path) -> Iterator[None]:
    """Remove write permission; root, who ignores permissions, switches to another user."""
    everything = [folder, *folder.rglob("*")]
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        for path in everything:
            path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a dataset in a folder that every user can reach, unlike pytest's own folders."""
    folder = Path(tempfile.mkdtemp(prefix="harvest-read-only-"))
    folder.chmod(0o755)
    new(folder / "dataset", king=range(3), coral=range(10, 12))
    yield folder / "dataset"
    monkeypatch.undo()
    shutil.rmtree(folder)


def everything(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(root.parent.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("command", ["status", "why"])
def test_X16_a_read_only_dataset_is_read(root: Path, harvest: Harvest, command: str) -> None:
    """The output is unchanged except for one note, and no byte on disk changes."""
    words = [command, root] if command == "status" else [command, root, name(0)]
    usual = harvest(*words)
    before = everything(root)
    with without_permission(root.parent):
        messages = harvest(*words)
    assert (messages.code, messages.out) == (0, usual.out)
    assert messages.err == f"note: {root} is read-only: changes are not recorded.\n"
    assert everything(root) == before


@pytest.mark.parametrize("command", ["status", "why"])
def test_P03_a_dataset_on_a_full_disk_is_read(
    root: Path, harvest: Harvest, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Where nothing can be written, the output is unchanged except for one note with the reason."""
    words = [command, root] if command == "status" else [command, root, name(0)]
    usual = harvest(*words)

    def fail(path: Path, *_: object) -> None:
        raise CannotWrite(f"cannot write {path}: the disk is full")

    monkeypatch.setattr(Ledger, "open", fail)
    messages = harvest(*words)
    assert (messages.code, messages.out) == (0, usual.out)
    assert messages.err == f"note: cannot write {root / 'harvest.db'}: the disk is full: changes are not recorded.\n"


def test_X16_changes_on_a_read_only_dataset_are_shown(root: Path, harvest: Harvest) -> None:
    """Changes in the folders are reported each time, since they cannot be recorded."""
    (root / "king" / "mine.jpg").write_bytes(jpeg(500))
    with without_permission(root.parent):
        for _ in range(2):
            assert "added by hand king/mine.jpg" in harvest("status", root).lines


def test_X16_a_killed_writers_log_is_read(root: Path, harvest: Harvest) -> None:
    """Data that a killed command left in the write-ahead log is read, though no index can be written."""
    copy = root.with_name("copy")
    with Dataset.open(root, exclusive=True) as dataset:
        fill(dataset, "king", [50])
        shutil.copytree(root, copy, ignore=shutil.ignore_patterns("*-shm"))
    assert (copy / "harvest.db-wal").stat().st_size
    with without_permission(root.parent):
        assert "king 4 1" in " ".join(harvest("status", copy).lines)


def test_X16_a_command_that_writes_says_that_it_cannot(root: Path, harvest: Harvest) -> None:
    """`restore` ends with a message and exit code 6."""
    with without_permission(root.parent):
        messages = harvest("restore", root, "--all")
    assert messages.code == 6
    assert "cannot write" in messages.err
