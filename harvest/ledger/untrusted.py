"""A ledger may come from a stranger: nothing in its file may run, write elsewhere or take endless time.

What is refused here is refused as a whole. Damaged rows are the subject of `damage.py`.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from harvest.errors import LedgerUnusable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# CPU time of one statement. The slowest of ours took 3 s with 1,000,000 hits; a busy disk or machine does not
# count.
SECONDS = 60.0
_STEPS = 1_000_000  # of SQLite's virtual machine between two looks at the time: 10 to 50 ms
_LARGEST = 16 << 20  # bytes of a value or a row
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")

ADVICE = (
    "Nothing was changed. If the dataset is not your own, do not trust it. Otherwise put a copy of the file"
    " back; or move it away, and the next harvest starts a new ledger, which takes the pictures in the"
    " folders for your own and does not know what you threw out."
)

Layout: TypeAlias = "dict[str, tuple[object, ...]]"


class StatementTimer:
    """Interrupts a statement of a connection after `SECONDS` of CPU time; `start` begins a new one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.is_expired = False
        self.start()
        connection.set_progress_handler(self._is_over, _STEPS)

    def start(self) -> None:
        """Begin to measure a statement that this thread runs."""
        self._began = time.thread_time()

    def _is_over(self) -> int:
        self.is_expired = time.thread_time() - self._began > SECONDS
        return int(self.is_expired)


def harden(connection: sqlite3.Connection) -> StatementTimer:
    """Let nothing that is stored in a file run, and bound what one statement may take."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.text_factory = _text
    timer = StatementTimer(connection)
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    return timer


def _text(stored: bytes) -> str:
    """Return a text whose bytes need not be UTF-8."""
    return stored.decode(errors="replace")


def check_journal(path: Path) -> None:
    """Refuse a journal that names another file: SQLite would delete that file when it rolls back.

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
    """Refuse views, triggers and virtual tables: we have none, and they run when a table is used."""
    found = connection.execute(
        "SELECT type, name FROM sqlite_master"
        " WHERE type NOT IN ('table', 'index') OR (type = 'table' AND coalesce(rootpage, 0) = 0)"
    ).fetchone()
    if found:
        kind, name = found
        what = "virtual table" if kind == "table" else kind
        raise LedgerUnusable(f"{path} holds a {what}, {name!r}, which harvest did not make.", ADVICE)


def check_layout(connection: sqlite3.Connection, path: Path, lay_out: Callable[[sqlite3.Connection], None]) -> None:
    """Refuse a ledger whose tables and columns are not those of a new one."""
    found, expected = layout(connection), _expected(lay_out)
    if missing := [name for name in expected if name not in found]:
        raise LedgerUnusable(f"{path} is damaged: it has no {missing[0]}.", ADVICE)
    if strange := [name for name in found if found[name] != expected.get(name)]:
        raise LedgerUnusable(f"{path} has a {strange[0]} that harvest did not make so.", ADVICE)


@cache
def _expected(lay_out: Callable[[sqlite3.Connection], None]) -> Layout:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        lay_out(connection)
        return layout(connection)


def layout(connection: sqlite3.Connection) -> Layout:
    """Describe tables, columns and unique indexes; an index that only speeds things up is left out."""
    described: Layout = {}
    tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    for table, statement in tables:
        if table.startswith("sqlite_"):
            continue
        described[f"table {table}"] = tuple(str(statement).rpartition(")")[2].upper().split())
        for _, name, *column in connection.execute("SELECT * FROM pragma_table_xinfo(?)", (table,)).fetchall():
            described[f"column {name} of {table}"] = tuple(column)
        indexes = connection.execute('SELECT name, partial FROM pragma_index_list(?) WHERE "unique"', (table,))
        for index, partial in indexes.fetchall():
            columns = connection.execute("SELECT name FROM pragma_index_info(?)", (index,)).fetchall()
            names = ", ".join(str(name) for (name,) in columns)
            described[f"rule that {names} of {table} is unique"] = (partial,)
    return described
