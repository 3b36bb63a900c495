"""The file of the ledger: opened safely or not at all, written in transactions, with clear errors.

Only this package imports sqlite3. `schema.sql` explains the tables; the other modules of the package contain the
statements, one module per subject.
"""

from __future__ import annotations

import functools
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

from harvest.default_callbacks import ignore_message
from harvest.files import disk
from harvest.ledger.damaged_rows import hide_damaged_rows
from harvest.ledger.open_untrusted_ledger import StatementTimer, check_journal, harden
from harvest.ledger.schema import begin, check_file, commit, create_schema, file_size, upgrade_schema
from harvest.ledger.sqlite_errors import READ_ONLY_CODES, sqlite_errors_explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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
        timer.start()
        self.damage = hide_damaged_rows(connection)  # descriptions of the rows that are skipped
        self._connection = connection
        self._timer = timer
        self._lock = threading.RLock()
        self._writing = False
        self.before_writing: Callable[[], None] | None = None  # raises an error where nothing may be written any more

    @classmethod
    def open(cls, path: Path, say: Callable[[str], None] = ignore_message) -> Self:
        """Open a ledger for writing; raise `LedgerUnusable` if it is damaged, newer or not a ledger.

        `say` is called before a migration that takes long.
        """
        with sqlite_errors_explained(path):
            connection = _connect(path, "mode=rw")
            try:
                timer = harden(connection)
                check_file(connection, path)
                _use_wal(connection)
                connection.execute("PRAGMA synchronous=FULL")
                upgrade_schema(connection, path, timer, say)
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
            create_schema(connection)
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
    def copy(cls, path: Path, say: Callable[[str], None] = ignore_message) -> Self:
        """Copy a ledger into memory, or create one there; what is written to it is not saved."""
        _refuse_links(path)
        with sqlite_errors_explained(path):
            memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            timer = harden(memory)
            if not path.exists():
                create_schema(memory)
                return cls(memory, path, timer)
            _read_into(memory, path)
            memory.execute("PRAGMA journal_mode=OFF")  # a copy whose migration failed is not used
            upgrade_schema(memory, path, timer, say)
            memory.execute("PRAGMA journal_mode=MEMORY")
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
                begin(self._connection)
            self._writing = True
            try:
                yield
                with self._statement():
                    commit(self._connection)
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

    @property
    def written_rows(self) -> int:
        """The rows that this connection has written so far: equal numbers mean that nothing was written between."""
        return self._connection.total_changes

    def execute_many(self, statement: str, rows: Iterable[Iterable[object]]) -> None:
        """Run a statement that writes, once for each row of values."""
        assert self._writing, "a write outside a transaction"
        changed = _to_table(statement)
        with self._statement():
            for row in rows:
                self._execute(changed, tuple(row))

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

    @property
    def dataset_id(self) -> str:
        """The id that the dataset keeps wherever it is moved."""
        row = self.first_row("SELECT id FROM dataset")
        return str(row[0]) if row else ""

    def skip(self, row: str) -> None:
        """Record a damaged row that was found while it was read."""
        if row not in self.damage:
            self.damage.append(row)

    def _statement(self) -> sqlite_errors_explained:
        """Return the context of one statement: it has a time limit, and its failure is explained."""
        return sqlite_errors_explained(self.path, self._timer)

    def _execute(self, statement: str, values: tuple[object, ...]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except (UnicodeEncodeError, OverflowError):
            # Half a surrogate pair or a number of 70 digits, from a web page: store the nearest value.
            return self._connection.execute(statement, [_storable(value) for value in values])

    def close(self) -> None:
        """Close the file, after a statement that another thread runs: SQLite would crash."""
        with self._lock:
            self._connection.close()


def _read_into(memory: sqlite3.Connection, path: Path) -> None:
    """Copy a ledger into memory, also one that a killed process left in a read-only folder."""
    # Reading must not leave files next to a ledger that no process writes: SQLite creates them unless it may assume
    # that the file does not change.
    wal = path.with_name(path.name + "-wal")
    if not file_size(wal):
        _backup(memory, path, "mode=ro&immutable=1")
        return
    try:
        _backup(memory, path, "mode=ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in READ_ONLY_CODES:
            raise
        # SQLite reads a write-ahead log only where it can write an index of it.
        with disk.write_errors_named(path), TemporaryDirectory() as folder:
            for file in (path, wal):
                disk.copy(file, Path(folder, file.name))
            _backup(memory, Path(folder, path.name), "mode=rw")


def _backup(memory: sqlite3.Connection, path: Path, how: str) -> None:
    with closing(_connect(path, how)) as connection:
        harden(connection)
        check_file(connection, path)
        connection.backup(memory)


@functools.lru_cache(maxsize=512)
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
