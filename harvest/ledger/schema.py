"""The schema of a ledger: create it, migrate it from an earlier version, and check a file that claims to have it."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harvest import spdx
from harvest.errors import LedgerUnusable
from harvest.ledger.move_fingerprints import move_fingerprints
from harvest.ledger.open_untrusted_ledger import ADVICE, check_layout, check_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harvest.ledger.open_untrusted_ledger import StatementTimer

APPLICATION = 0x48525653  # "HRVS", which the command `file` can recognise
VERSION = 11
PAGE = 8192  # bytes: four fingerprints, or the rows of twenty pictures
_LARGE = 500_000_000  # bytes: a ledger whose migration takes some seconds


def _replace_licence_ids(connection: sqlite3.Connection) -> Iterator[str]:
    """Replace the licence ids that are not on the SPDX list; the address of the licence stays beside each."""
    connection.create_function("harvest_licence_id", 1, _licence_id, deterministic=True)
    for table in ("hit", "picture"):
        yield (
            f"UPDATE {table} SET licence = harvest_licence_id(CAST(licence AS BLOB))"
            " WHERE typeof(licence) = 'text' AND harvest_licence_id(CAST(licence AS BLOB)) IS NOT licence"
        )


def _licence_id(stored: bytes) -> str | None:
    """Return the SPDX id of stored text, which may not be valid UTF-8."""
    return spdx.licence_id(stored.decode(errors="replace"))


def _add_reviews(_: sqlite3.Connection) -> Iterator[str]:
    """Add what a review records; images that a person moved or restored before count as reviewed."""
    yield "ALTER TABLE picture ADD COLUMN reviewed INTEGER NOT NULL DEFAULT 0"
    yield "ALTER TABLE picture ADD COLUMN rating INTEGER"
    yield "ALTER TABLE decision ADD COLUMN before TEXT"
    yield (
        "UPDATE picture SET reviewed = 1 WHERE state = 'present' AND touched AND id IN"
        " (SELECT picture FROM decision WHERE action IN ('keep', 'move', 'restore', 'rate'))"
    )


def _add_recipes(_: sqlite3.Connection) -> Iterator[str]:
    """Add how the images of each run are written, and what a dataset is rebuilt from."""
    yield "ALTER TABLE run ADD COLUMN transform TEXT"
    yield "CREATE TABLE recipe (digest TEXT NOT NULL, finished TEXT)"
    yield (
        "CREATE TABLE expected_image (id INTEGER PRIMARY KEY, hit INTEGER REFERENCES hit, class TEXT NOT NULL,"
        " transform TEXT NOT NULL, content TEXT NOT NULL, rendered INTEGER NOT NULL, body TEXT, pixels TEXT,"
        " original_width INTEGER, original_height INTEGER, touched INTEGER NOT NULL, reviewed INTEGER NOT NULL,"
        " rating INTEGER,"
        " result TEXT CHECK (result IN ('same', 'changed', 'smaller', 'gone')), detail TEXT NOT NULL DEFAULT '',"
        " run INTEGER, settled INTEGER NOT NULL DEFAULT 0, UNIQUE (hit))"
    )
    yield (
        "CREATE TABLE expected_source (hit INTEGER PRIMARY KEY REFERENCES hit,"
        " image INTEGER NOT NULL REFERENCES expected_image)"
    )


def _add_shards(_: sqlite3.Connection) -> Iterator[str]:
    """Add the tar files of images, and which of them contains an image."""
    yield "CREATE TABLE shard (number INTEGER PRIMARY KEY, length INTEGER NOT NULL)"
    yield "ALTER TABLE picture ADD COLUMN shard INTEGER"
    yield "ALTER TABLE picture ADD COLUMN shard_offset INTEGER"
    yield "DROP INDEX IF EXISTS picture_files"
    yield "CREATE INDEX picture_files ON picture (state, class, name, size, mtime_ns, shelved, shard)"
    yield "CREATE INDEX picture_shard ON picture (shard, state) WHERE shard IS NOT NULL"


def _add_indexes_for_counts(_: sqlite3.Connection) -> Iterator[str]:
    """Add the indexes that answer counts without reading every picture."""
    for index, columns in {
        "own": "(state, class) WHERE own",
        "run": "(run, state, own, class)",
        "made_with_ai": "(state, class, source_type) WHERE source_type IS NOT NULL",
        "look": "(length(look))",
    }.items():
        yield f"CREATE INDEX picture_{index} ON picture {columns}"


# Migrations: the statement that turns a ledger of one version into the next, or a function that yields its statements;
# see also `schema.sql`.
STEPS: dict[int, str | Callable[[sqlite3.Connection], Iterable[str]]] = {
    1: """
    CREATE TABLE split (
        deal    TEXT NOT NULL,
        content TEXT NOT NULL,
        part    TEXT NOT NULL CHECK (part IN ('train', 'valid', 'test')),
        PRIMARY KEY (deal, content)
    ) WITHOUT ROWID
    """,
    2: "CREATE TABLE dataset AS SELECT CAST(lower(hex(randomblob(16))) AS TEXT) AS id",
    3: """
    CREATE TABLE near_duplicate (
        picture  INTEGER NOT NULL REFERENCES picture,
        other    INTEGER NOT NULL REFERENCES picture,
        certain  INTEGER NOT NULL,
        at       TEXT NOT NULL,
        resolved TEXT,
        PRIMARY KEY (picture, other),
        CHECK (picture < other)
    ) WITHOUT ROWID
    """,
    4: _replace_licence_ids,
    5: "ALTER TABLE picture ADD COLUMN source_type TEXT",
    6: _add_reviews,
    7: _add_recipes,
    8: _add_shards,
    9: _add_indexes_for_counts,
    10: move_fingerprints,
}


def create_schema(connection: sqlite3.Connection) -> None:
    """Create the tables of an empty ledger."""
    schema = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
    connection.execute(f"PRAGMA page_size={PAGE}")
    connection.executescript(
        f"BEGIN; {schema} PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION}; COMMIT;"
    )


def upgrade_schema(
    connection: sqlite3.Connection, path: Path, timer: StatementTimer, say: Callable[[str], None]
) -> None:
    """Migrate a ledger of an earlier version to this one, in one transaction."""
    if _version(connection) < VERSION:
        size = path.stat().st_size
        if size > _LARGE:
            say(f"Updating {path.name} ({size / 1e6:,.0f} MB) to the format of this version: this may take minutes.")
        connection.execute("PRAGMA foreign_keys=OFF")  # while tables are replaced
        _migrate(connection, path, timer)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # after a migration it may be as large as all
    check_layout(connection, path, create_schema)


def _migrate(connection: sqlite3.Connection, path: Path, timer: StatementTimer) -> None:
    begin(connection)
    try:
        for version in range(_version(connection), VERSION):  # another process may have done it
            try:
                _take_step(connection, STEPS[version], timer)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                    raise
                problem = f"{path} is damaged: it has format {version} and cannot be upgraded: {error}."
                raise LedgerUnusable(problem, ADVICE) from error
        connection.execute(f"PRAGMA user_version={VERSION}")
        commit(connection)
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _take_step(
    connection: sqlite3.Connection, step: str | Callable[[sqlite3.Connection], Iterable[str]], timer: StatementTimer
) -> None:
    for statement in [step] if isinstance(step, str) else step(connection):
        timer.start()
        connection.execute(statement)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_file(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `LedgerUnusable` for a file that is not a complete ledger, or of a newer version."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = _version(connection)
    if application != APPLICATION or version < min(STEPS):
        raise LedgerUnusable(f"{path} is empty or not a ledger of harvest.", ADVICE)
    if version > VERSION:
        hint = "Nothing was changed. Update harvest: pip install -U classharvest"
        raise LedgerUnusable(f"{path} was written by a newer harvest (format {version}, not {VERSION}).", hint)
    pages, size = (connection.execute(f"PRAGMA page_{what}").fetchone()[0] for what in ("count", "size"))
    if not file_size(path.with_name(path.name + "-wal")) and path.stat().st_size < pages * size:
        raise LedgerUnusable(f"{path} is damaged: its end is missing.", ADVICE)
    check_tables(connection, path)


def file_size(path: Path) -> int:
    """Return the size of a file, 0 if it is missing."""
    return path.stat().st_size if path.exists() else 0


def begin(connection: sqlite3.Connection) -> None:
    """Begin a transaction that writes."""
    # A plain BEGIN that reads before it writes fails if another process wrote in between: no timeout helps.
    connection.execute("BEGIN IMMEDIATE")


def commit(connection: sqlite3.Connection) -> None:
    """Commit the transaction."""
    connection.execute("COMMIT")
