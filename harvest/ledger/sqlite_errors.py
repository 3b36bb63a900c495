"""Turn the errors of SQLite into ours, which name the file and a solution."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from harvest.errors import CannotWrite, LedgerUnusable, ReadOnly
from harvest.files import disk
from harvest.ledger.open_untrusted_ledger import ADVICE, SECONDS, StatementTimer

if TYPE_CHECKING:
    from pathlib import Path


class sqlite_errors_explained:  # noqa: N801 - used like the context managers of contextlib, at half their cost
    """Turn errors of SQLite within the block into ours; errors in our own statements stay as they are."""

    __slots__ = ("_path", "_timer")

    def __init__(self, path: Path, timer: StatementTimer | None = None) -> None:
        self._path = path
        self._timer = timer

    def __enter__(self) -> None:
        """Start the time of the statement, if it has a limit."""
        if self._timer is not None:
            self._timer.start()

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """Raise our error for one of SQLite."""
        if isinstance(error, sqlite3.Error):
            _raise_explained(error, self._path, self._timer)


def _raise_explained(error: sqlite3.Error, path: Path, timer: StatementTimer | None) -> None:
    """Raise our error with the path and a solution, unless the error is a mistake in our own statement."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte: the rest is more specific
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, *_BAD_ROWS):
        raise LedgerUnusable(f"{path} is damaged: {error}.", ADVICE) from error
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        hint = "Close the other program, then run the same command again."
        raise CannotWrite(f"cannot write {path}: another program has locked it", hint) from error
    if code == sqlite3.SQLITE_INTERRUPT:
        if timer is not None and not timer.is_expired:
            raise KeyboardInterrupt from error  # which arrived while SQLite checked the time
        raise LedgerUnusable(f"{path} is damaged: a query took more than {SECONDS:g} s.", ADVICE) from error
    if code in READ_ONLY_CODES:
        hint = "Choose a folder that you may write to, then run the same command again."
        raise ReadOnly(f"cannot write {path}: {error} ({disk.describe_free_space(path)})", hint) from error
    if code in _NO_WRITING:
        has_room = code == sqlite3.SQLITE_IOERR and disk.free_space(path) > _ROOM
        hint = f"{_CHECK_LIMITS if has_room else _FREE_SPACE}, then run the same command again."
        raise CannotWrite(f"cannot write {path}: {error} ({disk.describe_free_space(path)})", hint) from error


# Our rows do not violate the constraints of our tables; together with rows of others they may.
_BAD_ROWS = (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG)
READ_ONLY_CODES = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
)
# A full disk can also appear as an I/O error.
_NO_WRITING = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_ROOM = 100 << 20  # bytes: with more space, the cause of an I/O error is another
_FREE_SPACE = "Free some space or choose a folder that you may write to"
_CHECK_LIMITS = "Check the disk, your quota and the limit of the size of a file (ulimit -f)"
