"""The file of the ledger: opened safely or not at all, written in transactions, with clear errors.

Only this package imports sqlite3. `schema.sql` explains the tables; the other modules of the package contain the
statements, one module per subject.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import time
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from harvest.errors import CannotWrite, LedgerUnusable, ReadOnly
from harvest.files import disk
from harvest.ledger.damage import hide_damaged_rows
from harvest.ledger.migrations import STEPS
from harvest.ledger.untrusted import (
    ADVICE,
    SECONDS,
    StatementTimer,
    check_journal,
    check_layout,
    check_tables,
    harden,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

APPLICATION = 0x48525653  # "HRVS", which the command `file` can recognise
VERSION = 3
BUSY_TIMEOUT = 10.0  # seconds to wait for another writer; all of ours use short transactions

Row: TypeAlias = tuple[Any, ...]

_SUFFIXES = ("-wal", "-shm", "-journal")  # of the files that SQLite keeps next to a ledger

# The beginning of a statement that writes, up to the name of the table.
_TARGET = re.compile(r"(?:INSERT(?: OR \w+)? INTO|UPDATE(?: OR \w+)?|DELETE FROM) (?=\w)(?!OR )")


def now() -> str:
    """Return the current time as the ledger stores it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Ledger:
    """A connection that one thread at a time uses; it writes in the block of a `transaction` only."""

    def __init__(self, connection: sqlite3.Connection, path: Path, timer: StatementTimer) -> None:
        self.path = path
        self.damage = hide_damaged_rows(connection)  # descriptions of the rows that are skipped
        self._connection = connection
        self._timer = timer
        self._lock = threading.RLock()
        self._writing = False
        self.before_writing: Callable[[], None] | None = None  # raises an error where nothing may be written any more

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a ledger for writing; raise `LedgerUnusable` if it is damaged, newer or not a ledger."""
        with _sqlite_errors_explained(path):
            connection = _connect(path, "mode=rw")
            try:
                timer = harden(connection)
                _check(connection, path)
                _use_wal(connection)
                connection.execute("PRAGMA synchronous=FULL")
                _upgrade(connection, path)
                connection.execute("PRAGMA foreign_keys=ON")
                return cls(connection, path, timer)
            except BaseException:
                connection.close()
                raise

    @classmethod
    def create(cls, path: Path) -> None:
        """Create an empty ledger; the file appears when it is complete, as an incomplete one counts as damaged."""
        _refuse_links(path)
        part = path.with_name(f".harvest-ledger-{os.getpid()}.part")
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            _create_schema(connection)
            whole = connection.serialize()
        with disk.write_errors_named(path):
            try:
                for suffix in _SUFFIXES:  # files that another ledger left there would become part of this one
                    disk.remove(path.with_name(path.name + suffix))
                disk.remove(part)
                disk.write(part, whole)
                disk.replace(part, path)
            except BaseException:
                with suppress(OSError):
                    disk.remove(part)
                raise
            disk.sync_folder(path.parent)

    @classmethod
    def copy(cls, path: Path) -> Self:
        """Copy a ledger into memory, or create one there; what is written to it is not saved."""
        _refuse_links(path)
        with _sqlite_errors_explained(path):
            memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            timer = harden(memory)
            if not path.exists():
                _create_schema(memory)
                return cls(memory, path, timer)
            _read_into(memory, path)
            _upgrade(memory, path)
            return cls(memory, path, timer)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the block one transaction: all of it is saved, or nothing. A nested block joins it."""
        with self._lock:
            if self._writing:
                yield
                return
            if self.before_writing is not None:
                self.before_writing()
            with self._statement():
                _begin(self._connection)
            self._writing = True
            try:
                yield
                with self._statement():
                    _commit(self._connection)
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._writing = False

    def execute(self, statement: str, *values: object) -> int:
        """Run a statement that writes, and return the id of its new row."""
        assert self._writing, "a write outside a transaction"
        with self._statement():
            return self._execute(_to_table(statement), values).lastrowid or 0

    def execute_many(self, statement: str, rows: Iterable[Iterable[object]]) -> None:
        """Run a statement that writes, once for each row of values."""
        assert self._writing, "a write outside a transaction"
        with self._statement():
            self._connection.executemany(_to_table(statement), [tuple(row) for row in rows])

    def rows(self, statement: str, *values: object) -> list[Row]:
        """Return the rows of a query."""
        with self._lock, self._statement():
            return self._execute(statement, values).fetchall()

    def first_row(self, statement: str, *values: object) -> Row | None:
        """Return the first row of a query, or `None`."""
        with self._lock, self._statement():
            row: Row | None = self._execute(statement, values).fetchone()
            return row

    def scalar(self, statement: str, *values: object) -> int:
        """Return the single number that a query gives, 0 for NULL or no row."""
        row = self.first_row(statement, *values)
        return int(row[0] or 0) if row else 0

    def skip(self, row: str) -> None:
        """Record a damaged row that was found while it was read."""
        if row not in self.damage:
            self.damage.append(row)

    @contextmanager
    def _statement(self) -> Iterator[None]:
        """Run one statement with a time limit, and explain its failure."""
        self._timer.start()
        with _sqlite_errors_explained(self.path, self._timer):
            yield

    def _execute(self, statement: str, values: tuple[object, ...]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except (UnicodeEncodeError, OverflowError):
            # Half a surrogate pair or a number of 70 digits, from a web page: store the nearest value.
            return self._connection.execute(statement, [_storable(value) for value in values])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _read_into(memory: sqlite3.Connection, path: Path) -> None:
    """Copy a ledger into memory, also one that a killed process left in a read-only folder."""
    # Reading must not leave files next to a ledger that no process writes: SQLite creates them unless it may assume
    # that the file does not change.
    wal = path.with_name(path.name + "-wal")
    if not _size(wal):
        _backup(memory, path, "mode=ro&immutable=1")
        return
    try:
        _backup(memory, path, "mode=ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _READ_ONLY:
            raise
        # SQLite reads a write-ahead log only where it can write an index of it.
        with disk.write_errors_named(path), TemporaryDirectory() as folder:
            for file in (path, wal):
                disk.copy(file, Path(folder, file.name))
            _backup(memory, Path(folder, path.name), "mode=rw")


def _backup(memory: sqlite3.Connection, path: Path, how: str) -> None:
    with closing(_connect(path, how)) as connection:
        harden(connection)
        _check(connection, path)
        connection.backup(memory)


def _to_table(statement: str) -> str:
    """Make a statement write to the table itself: a view of the same name may hide its damaged rows.

    >>> _to_table("UPDATE OR IGNORE hit SET class = ?")
    'UPDATE OR IGNORE main.hit SET class = ?'
    """
    return _TARGET.sub(r"\g<0>main.", statement, count=1)


def _storable(value: object) -> object:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, int):
        return max(-_LARGEST, min(value, _LARGEST))
    return value


_LARGEST = (1 << 63) - 1


def _use_wal(connection: sqlite3.Connection) -> None:
    """Use a write-ahead log, so that others can read while we write; network file systems do not support it."""
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as error:
            # Here SQLite does not wait for another process that opens the same new ledger.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _begin(connection: sqlite3.Connection) -> None:
    # A plain BEGIN that reads before it writes fails if another process wrote in between: no timeout helps.
    connection.execute("BEGIN IMMEDIATE")


def _commit(connection: sqlite3.Connection) -> None:
    connection.execute("COMMIT")


def _connect(path: Path, how: str) -> sqlite3.Connection:
    _refuse_links(path)
    check_journal(path)
    connection = sqlite3.connect(
        f"{path.as_uri()}?{how}", uri=True, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        _refuse_links(path)  # SQLite follows links: one may have replaced the file before it was opened
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_links(path: Path) -> None:
    """Raise an error if the ledger, or a file of SQLite next to it, is a symbolic link."""
    for suffix in ("", *_SUFFIXES):
        disk.refuse_link(path.with_name(path.name + suffix))


def _create_schema(connection: sqlite3.Connection) -> None:
    schema = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
    connection.executescript(
        f"BEGIN; {schema} PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION}; COMMIT;"
    )


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Migrate a ledger of an earlier version to this one, in one transaction."""
    if _version(connection) < VERSION:
        _migrate(connection, path)
    check_layout(connection, path, _create_schema)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    _begin(connection)
    try:
        for version in range(_version(connection), VERSION):  # another process may have done it
            try:
                connection.execute(STEPS[version])
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                    raise
                problem = f"{path} is damaged: it has format {version} and cannot be upgraded: {error}."
                raise LedgerUnusable(problem, ADVICE) from error
        connection.execute(f"PRAGMA user_version={VERSION}")
        _commit(connection)
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `LedgerUnusable` for a file that is not a complete ledger, or of a newer version."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = _version(connection)
    if application != APPLICATION or version < min(STEPS):
        raise LedgerUnusable(f"{path} is empty or not a ledger of harvest.", ADVICE)
    if version > VERSION:
        hint = "Nothing was changed. Update harvest: pip install -U classharvest"
        raise LedgerUnusable(f"{path} was written by a newer harvest (format {version}, not {VERSION}).", hint)
    pages, size = (connection.execute(f"PRAGMA page_{what}").fetchone()[0] for what in ("count", "size"))
    if not _size(path.with_name(path.name + "-wal")) and path.stat().st_size < pages * size:
        raise LedgerUnusable(f"{path} is damaged: its end is missing.", ADVICE)
    check_tables(connection, path)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _sqlite_errors_explained(path: Path, timer: StatementTimer | None = None) -> Iterator[None]:
    """Turn errors of SQLite into ours, which name the file and a solution; errors in our statements stay."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte: the rest is more specific
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise LedgerUnusable(f"{path} is damaged: {error}.", ADVICE) from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            hint = "Close the other program, then run the same command again."
            raise CannotWrite(f"cannot write {path}: another program has locked it", hint) from error
        if code == sqlite3.SQLITE_INTERRUPT:
            if timer is not None and not timer.is_expired:
                raise KeyboardInterrupt from error  # which arrived while SQLite checked the time
            problem = f"{path} is damaged: a query took more than {SECONDS:g} s."
            raise LedgerUnusable(problem, ADVICE) from error
        if code in _BAD_ROWS:
            raise LedgerUnusable(f"{path} is damaged: {error}.", ADVICE) from error
        if code in _READ_ONLY:
            hint = "Choose a folder that you may write to, then run the same command again."
            raise ReadOnly(f"cannot write {path}: {error} ({disk.describe_free_space(path)})", hint) from error
        if code in _NO_WRITING:
            hint = "Free some space or choose a folder that you may write to, then run the same command again."
            raise CannotWrite(f"cannot write {path}: {error} ({disk.describe_free_space(path)})", hint) from error
        raise


# Our rows do not violate the constraints of our tables; together with rows of others they may.
_BAD_ROWS = (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG)
_READ_ONLY = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
)
# A full disk can also appear as an I/O error, under a quota for example.
_NO_WRITING = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
