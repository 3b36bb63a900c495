"""The migration that moves the fingerprints of pictures into a table of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

_BATCH = 10_000  # rows, 25 MB

_PICTURE = """
CREATE TABLE new_picture (
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('placing', 'present', 'rejected', 'lifted', 'edited', 'replaced')),
    class TEXT NOT NULL, name TEXT NOT NULL, shelved INTEGER NOT NULL DEFAULT 0, size INTEGER, mtime_ns INTEGER,
    content TEXT NOT NULL, body TEXT, pixels TEXT,
    width INTEGER, height INTEGER, original_width INTEGER, original_height INTEGER, format TEXT, raw TEXT,
    hit INTEGER REFERENCES hit, licence TEXT, own INTEGER NOT NULL DEFAULT 0, touched INTEGER NOT NULL DEFAULT 0,
    examined INTEGER NOT NULL DEFAULT 1, became INTEGER REFERENCES picture, run INTEGER REFERENCES run,
    at TEXT NOT NULL, source_type TEXT, reviewed INTEGER NOT NULL DEFAULT 0, rating INTEGER,
    shard INTEGER, shard_offset INTEGER
)
"""
_FINGERPRINT = "CREATE TABLE fingerprint (picture INTEGER PRIMARY KEY REFERENCES picture, data BLOB NOT NULL)"
_INDEXES = (
    "picture_files ON picture (state, class, name, size, mtime_ns, shelved, shard)",
    "picture_shard ON picture (shard, state) WHERE shard IS NOT NULL",
    "picture_content ON picture (content)",
    "picture_name ON picture (name)",
    "picture_became ON picture (became) WHERE became IS NOT NULL",
    "picture_unexamined ON picture (id) WHERE NOT examined",
    "picture_own ON picture (state, class) WHERE own",
    "picture_run ON picture (run, state, own, class)",
    "picture_made_with_ai ON picture (state, class, source_type) WHERE source_type IS NOT NULL",
    "fingerprint_outdated ON fingerprint (picture) WHERE typeof(data) <> 'blob' OR length(data) <> 1885",
)


def move_fingerprints(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield the statements that copy pictures and fingerprints into new tables.

    To drop the column would be simpler, but leaves each page as large as it is, with a few short rows. The old rows
    are deleted in batches: the next batch takes their pages, so the file hardly grows.
    """
    yield "PRAGMA ignore_check_constraints=ON"  # damaged rows stay as they are, and are reported as before
    for (index,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'picture' AND sql IS NOT NULL"
    ).fetchall():
        yield f"DROP INDEX {_quote(index)}"
    yield _PICTURE
    columns = connection.execute("SELECT name, \"notnull\" FROM pragma_table_info('new_picture')").fetchall()
    names = ", ".join(_quote(name) for name, _ in columns)
    # NULL where it is not allowed is damage too: an empty text is neither refused here nor accepted later.
    values = ", ".join(f"coalesce({_quote(name)}, '')" if required else _quote(name) for name, required in columns)
    yield f"INSERT INTO new_picture ({names}) SELECT {values} FROM picture ORDER BY id"
    yield _FINGERPRINT
    while (last := _last_of_batch(connection)) is not None:
        yield f"INSERT INTO fingerprint SELECT id, look FROM picture WHERE id <= {last} AND look IS NOT NULL"
        yield f"DELETE FROM picture WHERE id <= {last}"
    yield "DROP TABLE picture"
    yield "ALTER TABLE new_picture RENAME TO picture"
    yield from (f"CREATE INDEX {index}" for index in _INDEXES)
    yield "PRAGMA ignore_check_constraints=OFF"


def _last_of_batch(connection: sqlite3.Connection) -> int | None:
    query = f"SELECT max(id) FROM (SELECT id FROM picture ORDER BY id LIMIT {_BATCH})"
    last: int | None = connection.execute(query).fetchone()[0]
    return last


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
