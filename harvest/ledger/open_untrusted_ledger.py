"""Open ledgers from strangers safely: nothing in the file may run, write elsewhere or take unlimited time.

What is refused here is refused as a whole. `damage.py` is about single rows.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from functools import cache, partial
from typing import TYPE_CHECKING, TypeAlias

from harvest.errors import LedgerUnusable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# CPU seconds of one statement. The slowest of ours took 3 s with 1,000,000 hits; waiting does not count.
SECONDS = 60.0
_STEPS = 1_000_000  # instructions of SQLite's virtual machine between two checks of the time: 10 to 50 ms
_LARGEST = 16 << 20  # bytes of a value or a row
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")

ADVICE = (
    "Nothing was changed. If the dataset is not your own, do not trust it. Otherwise restore a backup of the file."
    " Without one, move it away and run harvest with --new-ledger: it creates a new ledger, with the sources that the"
    " image files state, but images that you deleted may come back."
)

Layout: TypeAlias = "dict[str, tuple[object, ...]]"


class StatementTimer:
    """Interrupts a statement after `SECONDS` of CPU time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.is_expired = False
        self.start()
        connection.set_progress_handler(self._has_expired, _STEPS)

    def start(self) -> None:
        """Start to measure a statement that this thread runs."""
        self._began = time.thread_time()

    def _has_expired(self) -> int:
        self.is_expired = time.thread_time() - self._began > SECONDS
        return int(self.is_expired)


def harden(connection: sqlite3.Connection) -> StatementTimer:
    """Forbid code stored in the file to run, and limit the size of a value and the time of a statement."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.text_factory = _decode
    timer = StatementTimer(connection)
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    return timer


_decode = partial(str, encoding="utf-8", errors="replace")  # stored text may not be valid UTF-8


def check_journal(path: Path) -> None:
    """Raise `LedgerUnusable` for a journal that names another file: SQLite would delete that file in a rollback.

    Only transactions over several databases write such a journal, and ours are over one.
    """
    journal = path.with_name(f"{path.name}-journal")
    try:
        with journal.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - len(_JOURNAL_MAGIC)))
            names_another = file.read() == _JOURNAL_MAGIC
    except FileNotFoundError:
        return
    except OSError as error:
        raise LedgerUnusable(f"cannot read {journal}: {error.strerror or error}.", ADVICE) from error
    if names_another:
        raise LedgerUnusable(f"{journal} names another file, which SQLite would delete.", ADVICE)


def check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `LedgerUnusable` for views, triggers and virtual tables: they run code, and we have none."""
    found = connection.execute(
        "SELECT type, name FROM sqlite_master"
        " WHERE type NOT IN ('table', 'index') OR (type = 'table' AND coalesce(rootpage, 0) = 0)"
    ).fetchone()
    if found:
        kind, name = found
        what = "virtual table" if kind == "table" else kind
        raise LedgerUnusable(f"{path} contains a {what}, {name!r}, which harvest did not create.", ADVICE)


def check_layout(connection: sqlite3.Connection, path: Path, lay_out: Callable[[sqlite3.Connection], None]) -> None:
    """Raise `LedgerUnusable` unless tables and columns are the same as in a new ledger."""
    found, expected = layout(connection), _expected(lay_out)
    if missing := [name for name in expected if name not in found]:
        raise LedgerUnusable(f"{path} is damaged: it has no {missing[0]}.", ADVICE)
    if strange := [name for name in found if found[name] != expected.get(name)]:
        raise LedgerUnusable(f"{path} has a {strange[0]} that harvest did not create.", ADVICE)


@cache
def _expected(lay_out: Callable[[sqlite3.Connection], None]) -> Layout:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        lay_out(connection)
        return layout(connection)


def layout(connection: sqlite3.Connection) -> Layout:
    """Return a description of tables, columns and unique indexes, without indexes that are for speed only."""
    described: Layout = {}
    tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    for table, statement in tables:
        if table.startswith("sqlite_"):
            continue
        described[f"table {table}"] = tuple(str(statement).rpartition(")")[2].upper().split())
        for _, name, *column in connection.execute("SELECT * FROM pragma_table_xinfo(?)", (table,)).fetchall():
            described[f"column {name} of {table}"] = tuple(column)
        indexes = connection.execute('SELECT name, partial FROM pragma_index_list(?) WHERE "unique"', (table,))
        for index, is_partial in indexes.fetchall():
            columns = connection.execute("SELECT name FROM pragma_index_info(?)", (index,)).fetchall()
            names = ", ".join(str(name) for (name,) in columns)
            described[f"rule that {names} of {table} is unique"] = (is_partial,)
    return described
