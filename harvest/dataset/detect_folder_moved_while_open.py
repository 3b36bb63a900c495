"""Detect that an open dataset was moved, renamed or deleted, before anything is written at its path."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from harvest.errors import DatasetMoved
from harvest.files import disk

if TYPE_CHECKING:
    from pathlib import Path


class _FileId(NamedTuple):
    """What identifies a file or a directory, whatever its name."""

    device: int
    inode: int


class Identity:
    """The device and inode of the directory and the ledger of an open dataset.

    Both are kept open, the ledger by SQLite: the system does not reuse the inode of an open file.
    """

    def __init__(self, root: Path, ledger: Path) -> None:
        self._root = root
        self._ledger = ledger
        self._descriptor = _open_directory(root)
        self._ids = (_directory_id(root), _file_id(ledger))

    def check(self) -> None:
        """Raise `DatasetMoved` if the path now leads to another directory or another ledger."""
        if _directory_id(self._root) != self._ids[0]:
            raise DatasetMoved(
                f"{self._root} was moved, renamed or deleted while harvest was writing to it. "
                "harvest stopped, and created nothing in its place.",
                "If you moved it, run the same command with the new path: it continues there.",
            )
        if _file_id(self._ledger) != self._ids[1]:
            raise DatasetMoved(
                f"{self._ledger} was removed or replaced while harvest was writing to it. "
                "harvest stopped, and created nothing in its place.",
                "Put the same file back and run the same command again. Before you use a copy of it instead, "
                f"delete {self._ledger.name}-wal and {self._ledger.name}-shm.",
            )

    def close(self) -> None:
        """Close the directory; this may be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _open_directory(path: Path) -> int | None:
    if os.name == "nt":  # Windows cannot open directories, and does not move one with an open file in it
        return None
    with disk.write_errors_named(path):
        return os.open(path, os.O_RDONLY)


def _directory_id(path: Path) -> _FileId | None:
    """Return the id of the directory at a path, following a link, or `None` if there is nothing."""
    with disk.read_errors_named(path):
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
    return _FileId(found.st_dev, found.st_ino)


def _file_id(path: Path) -> _FileId | None:
    """Return the id of the file at a path, or `None` if there is nothing."""
    with disk.read_errors_named(path):
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
    return _FileId(found.st_dev, found.st_ino)
