"""The ledger's file: opened safely or not at all, written in whole transactions, its errors in plain words.

This module alone imports sqlite3. What the tables mean is in `schema.sql`; the modules beside this one hold
the statements, one a subject.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from harvest import disk
from harvest.errors import CannotWrite, LedgerUnusable
from harvest.ledger.upgrades import STEPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

APPLICATION = 0x48525653  # "HRVS", by which `file` can tell it too
VERSION = 3
PATIENCE = 10.0  # seconds to wait for another writer; ours all write in short transactions

Row: TypeAlias = tuple[Any, ...]

_BESIDE = ("-wal", "-shm", "-journal")  # files that SQLite keeps beside a ledger

_ADVICE = (
    "Nothing was changed. Put a copy of it back; or move it away and run `harvest get` with --new-ledger, "
    "which reads the sources of the images back from their files and does not know what you threw out."
)


def now() -> str:
    """Return the time as the ledger writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Ledger:
    """A connection that one thread at a time uses; `writing` makes the statements in its block one."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()
        self._writing = False
        self.before_writing: Callable[[], None] | None = None  # raises where nothing may be written any more

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a ledger to write in it; one that is damaged, newer or no ledger at all is refused."""
        with _explained(path):
            connection = _connect(path, "mode=rw")
            try:
                _check(connection, path)
                _use_wal(connection)
                connection.execute("PRAGMA synchronous=FULL")
                _upgrade(connection)
                connection.execute("PRAGMA foreign_keys=ON")
            except BaseException:
                connection.close()
                raise
        return cls(connection, path)

    @classmethod
    def create(cls, path: Path) -> None:
        """Make an empty ledger, whose name appears only when it is whole: an empty file is a damaged one."""
        _refuse_links(path)
        part = path.with_name(f".harvest-ledger-{os.getpid()}.part")
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            _lay_out(connection)
            whole = connection.serialize()
        with disk.named(path):
            try:
                for suffix in _BESIDE:  # what another ledger left there would be taken for a part of this one
                    disk.remove(path.with_name(path.name + suffix))
                disk.remove(part)
                disk.write(part, whole)
                disk.replace(part, path)
            except BaseException:
                with suppress(OSError):
                    disk.remove(part)
                raise
            disk.sync(path.parent)

    @classmethod
    def copy(cls, path: Path) -> Self:
        """Copy a ledger into memory, or start one there: what is written to it leaves no trace."""
        _refuse_links(path)
        with _explained(path):
            memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            if not path.exists():
                _lay_out(memory)
                return cls(memory, path)
            # Reading a ledger that nobody writes must not leave files beside it either: they would be made
            # unless SQLite is told that the file will not change.
            quiet = not _size(path.with_name(path.name + "-wal"))
            with closing(_connect(path, "mode=ro&immutable=1" if quiet else "mode=ro")) as connection:
                _check(connection, path)
                connection.backup(memory)
            _upgrade(memory)
        return cls(memory, path)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make the block one transaction: all of it is kept, or nothing. A block within joins it."""
        with self._lock:
            if self._writing:
                yield
                return
            if self.before_writing is not None:
                self.before_writing()
            with _explained(self.path):
                _begin(self._connection)
            self._writing = True
            try:
                yield
                with _explained(self.path):
                    _commit(self._connection)
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._writing = False

    def run(self, statement: str, *values: object) -> int:
        """Run a statement that writes, and return the number of its new row."""
        assert self._writing, "a write outside a transaction"
        with _explained(self.path):
            return self._execute(statement, values).lastrowid or 0

    def run_many(self, statement: str, rows: Iterable[Iterable[object]]) -> None:
        """Run a statement that writes once for each row of values."""
        assert self._writing, "a write outside a transaction"
        with _explained(self.path):
            self._connection.executemany(statement, [tuple(row) for row in rows])

    def rows(self, statement: str, *values: object) -> list[Row]:
        """Return the rows of a question."""
        with self._lock, _explained(self.path):
            return self._execute(statement, values).fetchall()

    def one(self, statement: str, *values: object) -> Row | None:
        """Return the first row of a question, or `None`."""
        with self._lock, _explained(self.path):
            row: Row | None = self._execute(statement, values).fetchone()
            return row

    def number(self, statement: str, *values: object) -> int:
        """Return the one number that answers a question."""
        row = self.one(statement, *values)
        return int(row[0] or 0) if row else 0

    def _execute(self, statement: str, values: tuple[object, ...]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except (UnicodeEncodeError, OverflowError):
            # Half a character or a number of 70 digits, from a web page: keep what can be kept.
            return self._connection.execute(statement, [_storable(value) for value in values])

    def close(self) -> None:
        """Close the file; what was committed is in it."""
        self._connection.close()


def _storable(value: object) -> object:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, int):
        return max(-_LARGEST, min(value, _LARGEST))
    return value


_LARGEST = (1 << 63) - 1


def _use_wal(connection: sqlite3.Connection) -> None:
    """Let others read while we write; network file systems refuse, and the journal they have is kept."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as error:
            # Here SQLite itself does not wait for another process that opens the same new ledger.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _begin(connection: sqlite3.Connection) -> None:
    # A plain BEGIN that reads before it writes fails when another writer came between: no timeout helps.
    connection.execute("BEGIN IMMEDIATE")


def _commit(connection: sqlite3.Connection) -> None:
    connection.execute("COMMIT")


def _connect(path: Path, how: str) -> sqlite3.Connection:
    _refuse_links(path)
    connection = sqlite3.connect(
        f"{path.as_uri()}?{how}", uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False
    )
    try:
        _refuse_links(path)  # SQLite follows links: one may have taken the file's place before it was opened
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_links(path: Path) -> None:
    """Refuse a ledger that is a symbolic link, or has one in place of a file of SQLite's."""
    for suffix in ("", *_BESIDE):
        disk.refuse_link(path.with_name(path.name + suffix))


def _lay_out(connection: sqlite3.Connection) -> None:
    schema = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
    connection.executescript(
        f"BEGIN; {schema} PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION}; COMMIT;"
    )


def _upgrade(connection: sqlite3.Connection) -> None:
    """Bring a ledger of an earlier version up to this one, step by step and as a whole."""
    if _version(connection) == VERSION:
        return
    _begin(connection)
    try:
        for version in range(_version(connection), VERSION):  # another process may have been quicker
            connection.execute(STEPS[version])
        connection.execute(f"PRAGMA user_version={VERSION}")
        _commit(connection)
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is no whole ledger, or of a version that is not known yet."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = _version(connection)
    if application != APPLICATION or version < min(STEPS):
        raise LedgerUnusable(f"{path} is empty or no ledger of harvest.", _ADVICE)
    if version > VERSION:
        hint = "Nothing was changed. Update harvest: pip install -U image-harvest"
        raise LedgerUnusable(
            f"{path} was written by a newer harvest (format {version}, not {VERSION}).", hint
        )
    pages, size = (connection.execute(f"PRAGMA page_{what}").fetchone()[0] for what in ("count", "size"))
    if not _size(path.with_name(path.name + "-wal")) and path.stat().st_size < pages * size:
        raise LedgerUnusable(f"{path} is damaged: its end is missing.", _ADVICE)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say what SQLite says in words that name the file and the way out; a bug of ours stays what it is."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte: the rest tells it more finely
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise LedgerUnusable(f"{path} is damaged: {error}.", _ADVICE) from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            hint = "Close whatever else has it open, then run the same line again."
            raise CannotWrite(f"cannot write {path}: another program holds it", hint) from error
        if code in _NO_WRITING:
            hint = "Make room or choose a folder that you may write to, then run the same line again."
            raise CannotWrite(f"cannot write {path}: {error} ({disk.free(path)})", hint) from error
        raise


# A full disk is also seen as an I/O error, under a quota for example.
_NO_WRITING = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
)
