"""Damaged ledgers through `status`, `why`, `restore` and `get`: bytes, rows, tables, views and triggers."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING

from tests.bench.fuzzing.mutations import NUMBERS, TEXTS, damage

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from tests.bench.fuzzing.bench import Bench

NAME = "ledgers"
HOSTILE = ("[" * 5000, '{"a":', "{}", "[1, 2]", "null", b"", bytes(7), b"\xff" * 64, bytes(5000), b"\xff\xfe")
ENUMS = (
    "placing",
    "present",
    "rejected",
    "lifted",
    "edited",
    "replaced",
    "kept",
    "gone",
    "move",
    "place",
    "tree",
    "raw",
)
SCHEMAS = ("", "CREATE TABLE x(y)", "SELECT 1")
ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"


def prepare(bench: Bench) -> None:
    """Create a dataset with every kind of history."""
    bench.call(partial(_write_dataset, bench.templates / "ledgers"), "prepare ledgers")


def _write_dataset(folder: Path) -> None:
    from harvest.dataset import Dataset, save_split_in_ledger  # noqa: PLC0415
    from tests.datasets import fill, new  # noqa: PLC0415

    root = folder / "dataset"
    folder.mkdir()
    new(root, king=range(8), coral=range(100, 108))
    with Dataset.open(root, exclusive=True) as dataset:
        known = fill(dataset, "king", range(20, 24))
        dataset.reject([known[0].id, known[1].id], by="page", reason="wrong")
        dataset.move([known[2].id], "coral", by="page")
    (root / "king" / "own.jpg").write_bytes(next((root / "coral").iterdir()).read_bytes())
    next((root / "coral").iterdir()).unlink()
    with Dataset.open(root) as dataset:
        dataset.restore([known[0].id], by="cli")
    contents = {hashlib.sha256(path.read_bytes()).hexdigest(): "train" for path in root.glob("*/*.jpg")}
    save_split_in_ledger(root, "valid 20 test 10 seed 42", contents)


def case(bench: Bench) -> int:
    """Damage a ledger, and run the commands on it in random order."""
    rng = bench.draw(NAME)
    shutil.copytree(bench.templates / "ledgers", bench.workdir, dirs_exist_ok=True)
    root = bench.workdir / "dataset"
    images = sorted(root.glob("*/*.jpg"))
    damage_ledger(root / "harvest.db", bench.home, rng)
    (bench.workdir / "shapes.csv").write_text("class,query\nking,red circle\n", "utf-8")
    commands = [
        ("status", "dataset"),
        ("status", "dataset", "--json", "--all"),
        ("why", rng.choice(images)),
        ("why", "dataset", "https://pictures.example.com/1.jpg", "--json"),
        ("restore", "dataset", "--all"),
        ("restore", "dataset"),
        ("restore", "dataset", "--last", "-n"),
        ("get", "-q", "-c", "SAMPLE", "-m", "2", "--min-size", "1", "-o", "dataset", "shapes.csv"),
    ]
    for words in rng.sample(commands, 3):
        bench.harvest(*words)
    return 1


def damage_ledger(path: Path, home: Path, rng: Random) -> None:
    """Damage a ledger in one of many ways; SQLite itself may refuse some of them, which changes nothing."""
    if rng.random() < 0.2:
        _damage_file(path, rng)
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as ledger:
        for pragma in ("foreign_keys=OFF", "ignore_check_constraints=ON", "writable_schema=ON"):
            ledger.execute(f"PRAGMA {pragma}")
        if rng.random() < 0.5:  # columns that may hold anything
            _try(ledger, "UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '') WHERE type = 'table'")
            ledger.execute("PRAGMA writable_schema=RESET")
            ledger.execute("PRAGMA writable_schema=ON")
        change = rng.choice((_rows, _rows, _rows, _rows, _outside, _outside, _tables, _views, _triggers, _versions))
        for _ in range(rng.choice((1, 1, 2, 5)) if change in {_rows, _outside} else 1):
            change(ledger, home, rng)
        _try(ledger, "PRAGMA wal_checkpoint(TRUNCATE)")


def _try(ledger: sqlite3.Connection, statement: str, *values: object) -> None:
    with suppress(sqlite3.Error, OverflowError, UnicodeEncodeError):
        ledger.execute(statement, values)


def _tables_of(ledger: sqlite3.Connection) -> list[str]:
    rows = ledger.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    return sorted(name for (name,) in rows)


def _columns_of(ledger: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in ledger.execute(f'PRAGMA table_info("{table}")')]


def _rows(ledger: sqlite3.Connection, home: Path, rng: Random) -> None:
    """Put unexpected values into a column, in one row or in all."""
    table = rng.choice((*_tables_of(ledger), "picture", "hit", "pending"))
    column = rng.choice(_columns_of(ledger, table))
    paths = (
        str(home / "documents" / "thesis.tex"),
        str(home),
        "../../documents",
        "../../documents/photo.jpg",
    )
    number = rng.choice([number for number in NUMBERS if -(2**63) <= number < 2**63])
    value = rng.choice((None, rng.choice(HOSTILE), rng.choice(ENUMS), rng.choice(paths), rng.choice(TEXTS), number))
    some = "" if rng.random() < 0.4 else f" WHERE abs(random()) % 3 = {rng.randrange(3)}"
    if table == "pending":
        _outside(ledger, home, rng)
    _try(ledger, f'UPDATE OR IGNORE "{table}" SET "{column}" = ?{some}', value)


def _outside(ledger: sqlite3.Connection, home: Path, rng: Random) -> None:
    """Record that a file is being placed or moved, from or to a path outside of the dataset."""
    target = rng.choice(
        (
            home / "documents" / "thesis.tex",
            home / ".bash_profile",
            home / "new.txt",
            home / "work" / "precious.jpg",
        )
    )
    up = rng.choice(("..", "../..", "../../documents", str(target.parent), "king", "."))
    name = rng.choice(
        (
            target.name,
            str(target),
            f"../{target.name}",
            f"../../{target.name}",
            f"../../documents/{target.name}",
        )
    )
    content = rng.choice((hashlib.sha256(target.read_bytes()).hexdigest() if target.exists() else "0" * 64, "0" * 64))
    found = ledger.execute("SELECT id, class, name, content FROM picture ORDER BY id").fetchall()
    number, class_name, file, _ = rng.choice(found)
    match rng.randrange(5):
        case 0:  # a move of one of the images to a path outside
            _try(ledger, "UPDATE picture SET class = ?, name = ? WHERE id = ?", up, name, number)
            _try(
                ledger,
                "INSERT OR REPLACE INTO pending VALUES (?, 'move', ?, ?, ?, NULL)",
                number,
                rng.choice(("", "tree", 0, "rejected")),
                class_name,
                file,
            )
        case 1:  # a move of a user's file into the dataset
            _try(ledger, "UPDATE picture SET content = ? WHERE id = ?", content, number)
            _try(
                ledger,
                "INSERT OR REPLACE INTO pending VALUES (?, 'move', ?, ?, ?, NULL)",
                number,
                rng.choice(("", "rejected", "raw")),
                up,
                name,
            )
        case 2:  # an interrupted placement whose original is outside
            _try(
                ledger,
                "UPDATE picture SET state = 'placing', raw = ?, class = ? WHERE id = ?",
                name,
                rng.choice((class_name, up)),
                number,
            )
            _try(ledger, "INSERT OR REPLACE INTO pending VALUES (?, 'place', NULL, NULL, NULL, NULL)", number)
        case 3:  # a placement that replaces a file outside
            other = rng.choice(found)[0]
            _try(
                ledger,
                "UPDATE picture SET class = ?, name = ?, content = ? WHERE id = ?",
                up,
                name,
                content,
                other,
            )
            _try(ledger, "UPDATE picture SET state = 'placing' WHERE id = ?", number)
            _try(
                ledger,
                "INSERT OR REPLACE INTO pending VALUES (?, 'place', NULL, NULL, NULL, ?)",
                number,
                other,
            )
        case _:  # an image whose path is outside
            state = rng.choice(("present", "rejected", "placing"))
            _try(
                ledger,
                "UPDATE picture SET class = ?, name = ?, state = ?, shelved = ?, content = ? WHERE id = ?",
                up,
                name,
                state,
                rng.randrange(2),
                content,
                number,
            )
    for place in ("../..", "dataset"):  # a class folder whose name leads outside may exist already
        if rng.random() < 0.2:
            _try(ledger, "INSERT OR IGNORE INTO class VALUES (?, ?)", place, up)


def _tables(ledger: sqlite3.Connection, _home: Path, rng: Random) -> None:
    """Drop or rename tables, columns and indexes."""
    table = rng.choice(_tables_of(ledger))
    column = rng.choice(_columns_of(ledger, table))
    indexes = [
        name for (name,) in ledger.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
    ]
    _try(ledger, "PRAGMA legacy_alter_table=ON")
    _try(
        ledger,
        rng.choice(
            (
                f'DROP TABLE "{table}"',
                f'ALTER TABLE "{table}" RENAME TO "x"',
                f'ALTER TABLE "{table}" DROP COLUMN "{column}"',
                f'ALTER TABLE "{table}" RENAME COLUMN "{column}" TO "x"',
                f'ALTER TABLE "{table}" ADD COLUMN "x" DEFAULT 1',
                f'DROP INDEX "{rng.choice(indexes)}"',
                f'DELETE FROM "{table}"',
                f"UPDATE sqlite_schema SET rootpage = {rng.choice((0, 1, 2, 999))} WHERE name = '{table}'",
                f"UPDATE sqlite_schema SET sql = '{rng.choice(SCHEMAS)}' WHERE name = '{table}'",
            )
        ),
    )


def _views(ledger: sqlite3.Connection, _home: Path, rng: Random) -> None:
    """Replace a table with a view: the same rows, none, or endless rows."""
    table = rng.choice(("picture", "hit", "pending", *_tables_of(ledger)))
    columns = _columns_of(ledger, table)
    numbers = ", ".join(f'x AS "{column}"' for column in columns)
    _try(ledger, "PRAGMA legacy_alter_table=ON")
    _try(ledger, f'ALTER TABLE "{table}" RENAME TO "{table}_"')
    query = rng.choice(
        (
            f'SELECT * FROM "{table}_"',
            f"{ENDLESS} SELECT {numbers} FROM n",
            f"SELECT {numbers} FROM (SELECT randomblob(100000000) AS x)",
        )
    )
    _try(ledger, f'CREATE VIEW "{table}" AS {query}')


def _triggers(ledger: sqlite3.Connection, _home: Path, rng: Random) -> None:
    """Add a trigger that runs whenever a row is written."""
    table = rng.choice(("picture", "pending", "run", "decision", *_tables_of(ledger)))
    when = rng.choice(
        ("BEFORE INSERT", "AFTER INSERT", "BEFORE UPDATE", "AFTER UPDATE", "BEFORE DELETE", "AFTER DELETE")
    )
    what = rng.choice(
        (
            "DELETE FROM picture;",
            "SELECT RAISE(ABORT, 'no');",
            "SELECT RAISE(ROLLBACK, 'no');",
            "UPDATE picture SET class = '../..', name = 'new.txt';",
            f"INSERT INTO class {ENDLESS} SELECT x, x FROM n;",
            "SELECT no_such_function(1);",
        )
    )
    _try(ledger, f'CREATE TRIGGER t {when} ON "{table}" BEGIN {what} END')


def _versions(ledger: sqlite3.Connection, _home: Path, rng: Random) -> None:
    """Set another version, with or without the tables of that version."""
    _try(ledger, f"PRAGMA user_version={rng.choice((0, 1, 1, 1, 3, -1, 2**31 - 1))}")
    if rng.random() < 0.5:
        _try(ledger, "DROP TABLE split")
    if rng.random() < 0.2:
        _try(ledger, f"PRAGMA application_id={rng.choice((0, 1, -1))}")
    _try(ledger, f"PRAGMA encoding='UTF-{rng.choice((8, 16))}'")


def _damage_file(path: Path, rng: Random) -> None:
    body = path.read_bytes()
    match rng.randrange(5):
        case 0:
            path.write_bytes(damage(body, rng, near=100))
        case 1:
            page = 4096 * rng.randrange(len(body) // 4096)
            path.write_bytes(body[:page] + bytes(4096) + body[page + 4096 :])
        case 2:
            path.write_bytes(b"")
        case 3:
            path.with_name("harvest.db-wal").write_bytes(rng.choice((b"x", bytes(5000), rng.randbytes(9000))))
        case _:
            data = bytearray(body)
            for _ in range(rng.choice((1, 10, 100))):
                data[rng.randrange(len(data))] = rng.randrange(256)
            path.write_bytes(bytes(data))
