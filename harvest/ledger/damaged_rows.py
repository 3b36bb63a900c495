"""Find damaged rows: wrong types, unknown states, names that lead out of the dataset.

They are reported and skipped: while a connection is open, a view with the name of the table hides them from all
queries. Statements that write use the tables themselves. Hits, of which there may be a million, are checked one by
one when they are read. So are fingerprints, of which a million have 2 GB: there is always a view of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.files.check_names_and_cells import objection
from harvest.files.ledger_names_to_paths import Area
from harvest.ledger.decision_kinds import Action
from harvest.models import EARLIER_FINGERPRINT_BYTES, FINGERPRINT_BYTES

if TYPE_CHECKING:
    import sqlite3

_TEXT = "typeof({0}) = 'text'"
_NUMBER = "typeof({0}) = 'integer'"
_LENGTH = "typeof({0}) = 'integer' AND {0} >= 0"
_FLAG = "{0} IN (0, 1)"
_HASH = "typeof({0}) = 'text' AND length({0}) = 64"
# Most names are plain ASCII, which SQLite checks in a fifth of the time of the function. A length in characters that is
# that in bytes excludes a NUL too, where GLOB stops.
_PLAIN_NAME = (
    "{0} NOT GLOB '*[^A-Za-z0-9_.() -]*' AND {0} GLOB '[A-Za-gi-z0-9_]*'"
    " AND length({0}) <= 200 AND length({0}) = length(CAST({0} AS BLOB))"
)
_NAME = (
    "CASE WHEN typeof({0}) <> 'text' THEN 0"
    f" WHEN {_PLAIN_NAME} THEN 1"
    " ELSE harvest_objection(CAST({0} AS BLOB)) = '' END"
)
# Of a few classes, each is checked once.
_CLASS = f"CASE WHEN {{0}} IN (SELECT name FROM main.class WHERE {_NAME.format('name')}) THEN 1 ELSE {_NAME} END"
_TIME = "typeof({0}) = 'text' AND {0} GLOB '[0-9]*' AND length({0}) <= 40"
_FINGERPRINT = f"typeof(data) = 'blob' AND length(data) IN ({FINGERPRINT_BYTES}, {EARLIER_FINGERPRINT_BYTES})"
# The condition of the index `fingerprint_outdated`, in the same words: SQLite compares the expressions.
IS_OUTDATED = f"(typeof(data) <> 'blob' OR length(data) <> {FINGERPRINT_BYTES})"
_STATES = ("placing", "present", "rejected", "lifted", "edited", "replaced")


def _maybe(rule: str) -> str:
    return f"CASE WHEN {{0}} IS NULL THEN 1 ELSE {rule} END"  # OR would evaluate both sides


def _one_of(*values: str) -> str:
    return f"{{0}} IN ({', '.join(repr(str(value)) for value in values)})"


# The key of each table, and the rule of each column.
_RULES: dict[str, tuple[str, dict[str, str]]] = {
    "picture": (
        "id",
        {
            "state": _one_of(*_STATES),
            "class": _CLASS,
            "name": _NAME,
            "raw": _maybe(_NAME),
            "content": _HASH,
            **dict.fromkeys(("body", "pixels"), _maybe(_HASH)),
            **dict.fromkeys(("shelved", "own", "touched", "examined", "reviewed"), _FLAG),
            **dict.fromkeys(("size", "mtime_ns", "width", "height", "original_width"), _maybe(_NUMBER)),
            **dict.fromkeys(("original_height", "hit", "became", "run", "rating"), _maybe(_NUMBER)),
            **dict.fromkeys(("format", "licence"), _maybe(_TEXT)),
            "at": _TIME,
            **dict.fromkeys(("shard", "shard_offset"), _maybe(_LENGTH)),
        },
    ),
    "shard": ("number", {"length": _LENGTH}),
    "pending": (
        "picture",
        {
            "action": _one_of("place", "move"),
            "shelf": f"action = 'place' OR {_one_of(*Area)}",
            "class": f"(action = 'place' AND {{0}} IS NULL) OR ({_NAME})",
            # For a placement it is the part file: it is compared with names on disk, and never joined to a path.
            "name": f"(action = 'place' AND ({{0}} IS NULL OR {_TEXT})) OR (action = 'move' AND {_NAME})",
            "replaces": _maybe(_NUMBER),
        },
    ),
    "class": ("name", {"name": _NAME, "renamed_to": _maybe(_NAME)}),
    "conflict": ("picture", {"class": _NAME, "at": _TIME, "resolved": _maybe(_TIME)}),
    "near_duplicate": (
        "picture",
        {"picture": _NUMBER, "other": _NUMBER, "certain": _FLAG, "at": _TIME, "resolved": _maybe(_TIME)},
    ),
    "decision": (
        "seq",
        {
            "at": _TIME,
            "by": _TEXT,
            "session": _TEXT,
            "batch": _NUMBER,
            "action": _one_of(*Action),
            "picture": _maybe(_NUMBER),
            **dict.fromkeys(("content", "from", "to", "value"), _maybe(_TEXT)),
            "before": _maybe(f"{_TEXT} AND json_valid({{0}})"),
            "undoes": _maybe(_NUMBER),
        },
    ),
    "search": (
        "id",
        {
            **dict.fromkeys(("provider", "class", "text", "ending"), _TEXT),
            "filters": f"{_TEXT} AND json_valid({{0}})",
            "asked": _NUMBER,
        },
    ),
    "expected_image": (
        "id",
        {
            "class": _NAME,
            "transform": f"{_TEXT} AND json_valid({{0}})",
            "content": _HASH,
            **dict.fromkeys(("body", "pixels"), _maybe(_HASH)),
            **dict.fromkeys(("hit", "original_width", "original_height", "rating", "run"), _maybe(_NUMBER)),
            **dict.fromkeys(("rendered", "touched", "reviewed", "settled"), _FLAG),
            "detail": _TEXT,
        },
    ),
    "split": ("content", {"deal": _TEXT, "content": _TEXT, "part": _one_of("train", "valid", "test")}),
}


def hide_damaged_rows(connection: sqlite3.Connection) -> list[str]:
    """Hide the damaged rows of a ledger from queries, and return a description of each."""
    connection.create_function("harvest_objection", 1, _objection, deterministic=True)
    found: list[str] = []
    for table, (key, columns) in _RULES.items():
        rules = [f"coalesce({rule.format(_quote(name))}, 0)" for name, rule in columns.items()]
        values = [f"quote(substr({_quote(name)}, 1, 60))" for name in columns]
        is_sound = " AND ".join(rules)
        rows = connection.execute(
            f"SELECT {key}, {', '.join(rules)}, {', '.join(values)} FROM main.{table} WHERE NOT ({is_sound})"
        ).fetchall()
        if rows:
            connection.execute(f"CREATE TEMP VIEW {table} AS SELECT * FROM main.{table} WHERE {is_sound}")
            found += [_describe(table, row, list(columns)) for row in rows]
    return found + _hide_damaged_fingerprints(connection)


def _hide_damaged_fingerprints(connection: sqlite3.Connection) -> list[str]:
    """Hide damaged fingerprints, and describe those that the index of outdated ones has."""
    connection.execute(
        f"CREATE TEMP VIEW fingerprint AS SELECT picture, data FROM main.fingerprint WHERE {_FINGERPRINT}"
    )
    rows = connection.execute(
        "SELECT picture, 0, quote(substr(data, 1, 60)) FROM main.fingerprint"
        f" WHERE {IS_OUTDATED} AND NOT coalesce({_FINGERPRINT}, 0)"
    )
    return [_describe("fingerprint", row, ["data"]) for row in rows.fetchall()]


def _quote(column: str) -> str:
    return f'"{column}"'


def _describe(table: str, row: tuple[object, ...], columns: list[str]) -> str:
    key, passed, values = row[0], row[1 : len(columns) + 1], row[len(columns) + 1 :]
    wrong = passed.index(0)
    return f"{table} {str(key)[:60]}: its {columns[wrong]} is {values[wrong]}"


def _objection(name: bytes) -> str:
    try:
        return objection(name.decode())
    except UnicodeDecodeError:
        return "it is not UTF-8"
