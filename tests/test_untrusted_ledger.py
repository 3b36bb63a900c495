"""A ledger from a stranger: it moves, reads and deletes nothing outside its dataset, and runs nothing."""

from __future__ import annotations

import sqlite3
import struct
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from harvest.cli import app
from harvest.dataset import Dataset, ReadOnlyDataset
from harvest.duplicates.fingerprint import PACKED
from harvest.errors import LedgerUnusable, StorageError
from harvest.files.check_names_and_cells import objection
from harvest.files.ledger_names_to_paths import Area, DatasetPaths, FileKey
from harvest.ledger import open_untrusted_ledger
from harvest.ledger.database import Ledger
from harvest.models import FINGERPRINT_BYTES
from tests import datasets
from tests.command import parser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HASH = "ab" * 32
NAMES = {
    "absolute": "{home}/secret.jpg",
    "parent": "../../home/secret.jpg",
    "only parent": "..",
    "backslash": "..\\..\\home\\secret.jpg",
    "drive": "C:secret.jpg",
    "zero": "secret\0.jpg",
    "control": "secret\x1b[2J.jpg",
    "hidden": ".secret.jpg",
    "empty": "",
    "long": "x" * 300 + ".jpg",
    "bytes": b"secret.jpg",
    "not UTF-8": "CAST(x'ff2e6a7067' AS TEXT)",
}
# What a hostile row may be: a statement with the name, used as a file and as a class.
ROWS = {
    "present": "INSERT INTO picture (state, class, name, content, body, at, size, mtime_ns)"
    " VALUES ('present', {klass}, {name}, :hash, :hash, '2026', 5, 5)",
    "rejected": "INSERT INTO picture (state, class, name, shelved, content, at)"
    " VALUES ('rejected', {klass}, {name}, 1, :hash, '2026')",
    "unexamined": "INSERT INTO picture (state, class, name, examined, own, content, at)"
    " VALUES ('present', {klass}, {name}, 0, 1, :hash, '2026')",
    "placing": "INSERT INTO picture (state, class, name, content, at)"
    " VALUES ('placing', {klass}, {name}, :secret, '2026');"
    " INSERT INTO pending (picture, action) SELECT max(id), 'place' FROM picture",
    "original": "INSERT INTO picture (state, class, name, raw, content, body, at)"
    " VALUES ('placing', {klass}, 'a.jpg', {name}, :hash, :secret, '2026');"
    " INSERT INTO pending (picture, action) SELECT max(id), 'place' FROM picture",
    "moving from": "INSERT INTO picture (state, class, name, content, at)"
    " VALUES ('present', 'king', 'stolen.jpg', :hash, '2026');"
    " INSERT INTO pending (picture, action, shelf, class, name)"
    " SELECT max(id), 'move', '', {klass}, {name} FROM picture",
    "moving to": "INSERT INTO picture (state, class, name, content, at)"
    " VALUES ('present', {klass}, {name}, :hash, '2026');"
    " INSERT INTO pending (picture, action, shelf, class, name)"
    " SELECT max(id), 'move', '', 'king', 'planted.jpg' FROM picture",
    "replaced": "INSERT INTO picture (state, class, name, raw, content, body, size, mtime_ns, at)"
    " VALUES ('present', {klass}, {name}, {name}, :secret, :secret, :size, :mtime, '2026');"
    " INSERT INTO picture (state, class, name, content, at)"
    " VALUES ('placing', 'king', 'planted.jpg', :planted, '2026');"
    " INSERT INTO pending (picture, action, replaces) SELECT max(id), 'place', max(id) - 1 FROM picture",
    "class": "INSERT INTO class (name, renamed_to) VALUES ({klass}, {name})",
    "conflict": "INSERT OR REPLACE INTO conflict (picture, class, at) VALUES (1, {klass}, '2026')",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home directory with files that an attacker wants."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "secret.jpg").write_bytes(datasets.jpeg(900))
    (home / ".bash_profile").write_text("export A=1\n")
    return home


@pytest.fixture
def root(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a dataset whose ledger will be changed, in the working directory."""
    monkeypatch.setenv("HOME", str(home))
    root = tmp_path / "work" / "dataset"
    root.parent.mkdir()
    datasets.copied(root, king=range(3), coral=range(10, 12))
    (root / "king" / "planted.jpg").write_bytes(datasets.jpeg(901))
    (root.parent / "q.csv").write_text("searchterm,exclude\nking,\n")
    monkeypatch.chdir(root.parent)
    return root


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Return `run("status")`, which returns the exit code and stderr."""

    def run(*args: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["harvest", *args])
        capsys.readouterr()
        code = app._run(parser())
        messages = capsys.readouterr().err
        assert "Traceback" not in messages
        return code, messages

    return run


def tamper(root: Path, script: str, *, force: bool = False, **values: Any) -> None:
    """Run statements on a closed ledger, with `:name` for values; `force` ignores its constraints."""
    with closing(sqlite3.connect(root / "harvest.db", isolation_level=None)) as connection:
        if force:
            connection.execute("PRAGMA ignore_check_constraints=ON")
        for statement in script.split(";"):
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(statement, used)


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return every file below a folder, with its time."""
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def commands() -> Iterator[tuple[str, ...]]:
    yield ("status",)
    yield "why", "dataset", "planted.jpg"
    yield "restore", "dataset", "--all"
    yield "get", "-c", "SAMPLE", "-m", "2", "-q", "q.csv"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("as_class", [False, True])
def test_X02_a_name_that_leads_out_is_damage(
    root: Path, home: Path, run: Callable[..., tuple[int, str]], row: str, name: str, *, as_class: bool
) -> None:
    """Whichever row contains it, a name that leads out is reported and skipped, and nothing is done there."""
    hostile = NAMES[name]
    value = hostile.format(home=home) if isinstance(hostile, str) else hostile
    sql_name = value if isinstance(value, str) and value.startswith("CAST") else ":evil"
    if row in ("class", "conflict"):
        as_class = True
    if row == "original" and as_class:
        as_class = False
    spelled = {"klass": sql_name, "name": "'secret.jpg'"} if as_class else {"klass": "'king'", "name": sql_name}
    secret, stat = home / "secret.jpg", (home / "secret.jpg").stat()
    tamper(
        root,
        ROWS[row].format(**spelled),
        evil=value,
        hash=HASH,
        secret=datasets.sha(secret.read_bytes()),
        planted=datasets.sha((root / "king" / "planted.jpg").read_bytes()),
        size=stat.st_size,
        mtime=stat.st_mtime_ns,
    )
    before, there = files(home), datasets.tree(root)

    code, messages = run("status")

    assert code == 0
    assert "damaged row" in messages
    assert files(home) == before
    assert datasets.tree(root) == there
    assert not list(root.parent.rglob("stolen*"))


@pytest.mark.parametrize("row", ROWS)
def test_X02_no_command_touches_what_lies_outside(
    root: Path, home: Path, run: Callable[..., tuple[int, str]], row: str
) -> None:
    """Each command ends cleanly on a hostile row, and the home directory is unchanged."""
    names = {"klass": "'king'" if row not in ("class", "conflict") else ":evil", "name": ":evil"}
    secret = home / "secret.jpg"
    stat = secret.stat()
    tamper(
        root,
        ROWS[row].format(**names),
        evil=str(secret),
        hash=HASH,
        secret=datasets.sha(secret.read_bytes()),
        planted=datasets.sha((root / "king" / "planted.jpg").read_bytes()),
        size=stat.st_size,
        mtime=stat.st_mtime_ns,
    )
    before = files(home)
    for command in commands():
        code, messages = run(*command)
        assert code in ((0, 2) if command[0] == "why" else (0,)), (command, messages)
        assert files(home) == before
    with ReadOnlyDataset.open(root) as consulted:
        consulted.origins()
        assert "damaged row" in consulted.damage()


@pytest.mark.parametrize("name", ["/etc/passwd", "..", "a/b", "a\\b", "C:a", "a\0", ".a", "", "x" * 300])
@pytest.mark.parametrize("area", Area)
def test_X02_the_builder_of_paths_refuses_by_itself(tmp_path: Path, area: Area, name: str) -> None:
    """No path is built from a name that leads out, neither as a file nor as a class."""
    dataset_paths = DatasetPaths(tmp_path / "dataset")
    for spot in (FileKey("king", name, area), FileKey(name, "a.jpg", area)):
        with pytest.raises(StorageError, match="leads out of the dataset"):
            dataset_paths.path(spot)


def test_X02_a_class_folder_that_is_a_link_is_not_followed(
    root: Path, home: Path, run: Callable[..., tuple[int, str]]
) -> None:
    """Even with a link as a class folder in the dataset, a pending move takes no file from its target."""
    (root / "evil").symlink_to(home)
    tamper(root, ROWS["moving from"].format(klass="'evil'", name="'secret.jpg'"), hash=HASH)
    before = files(home)
    for command in commands():
        code, messages = run(*command)
        assert (code, "is a symbolic link" in messages) == (6, True), (command, messages)
        assert files(home) == before


@pytest.mark.skipif(sys.platform == "win32", reason="no file can have these names there")
def test_X02_a_persons_own_odd_names_are_no_damage(root: Path) -> None:
    """Files to which a person gave such names are added once, under an escaped name."""
    for number, name in enumerate(["a\\b.jpg", "C:d.jpg", "e\x07.jpg", "what?.jpg", "con.jpg", b"caf\xe9.jpg"]):
        path = root / "king" / (name if isinstance(name, str) else name.decode(errors="surrogateescape"))
        path.write_bytes(datasets.jpeg(700 + number))
    with Dataset.open(root) as dataset:
        assert len(dataset.changes.added) == 7
    with Dataset.open(root) as dataset:
        assert (dataset.changes.counts(), dataset.damage()) == ({}, "")


def test_X02_only_bytes_that_the_ledger_knows_are_deleted(root: Path) -> None:
    """A row that calls the file of a person a replaced copy deletes it only if the content matches."""
    mine = root / "king" / "mine.jpg"
    mine.write_bytes(datasets.jpeg(902))
    stat = mine.stat()
    tamper(
        root,
        ROWS["replaced"].format(klass="'king'", name="'mine.jpg'"),
        secret=HASH,
        planted=datasets.sha((root / "king" / "planted.jpg").read_bytes()),
        size=stat.st_size,
        mtime=stat.st_mtime_ns,
    )
    with Dataset.open(root):
        assert mine.read_bytes() == datasets.jpeg(902)


# Structure.

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
STRUCTURES = {
    "view": f"CREATE VIEW extra AS {ENDLESS} SELECT x FROM n",
    "view in place of a table": "ALTER TABLE split RENAME TO other;"
    f" CREATE VIEW split AS {ENDLESS} SELECT x AS deal, x AS content, x AS part FROM n",
    "trigger": "CREATE TRIGGER t AFTER UPDATE ON hit BEGIN DELETE FROM picture; END",
    "virtual table": "CREATE VIRTUAL TABLE extra USING fts5(a)",
    "other table": "CREATE TABLE extra (a)",
    "generated column": "ALTER TABLE run ADD COLUMN extra AS (length(version))",
    "missing table": "DROP TABLE conflict",
    "missing column": "ALTER TABLE search DROP COLUMN ended",
    "other rule": "CREATE UNIQUE INDEX extra ON picture (content, at)",
    "split in version 1": "PRAGMA user_version = 1",
}


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("read_only", [False, True])
def test_X03_a_structure_that_is_not_ours_is_refused(root: Path, structure: str, *, read_only: bool) -> None:
    """Views, triggers and foreign or missing tables and columns give a message, and nothing is changed."""
    with closing(sqlite3.connect(root / "harvest.db", isolation_level=None)) as connection:
        connection.executescript(STRUCTURES[structure])
    before = datasets.tree(root)
    with pytest.raises(LedgerUnusable, match=r"harvest\.db") as raised:
        Dataset.open(root, read_only=read_only)
    assert raised.value.exit_code == 6
    assert "Nothing was changed" in raised.value.hint
    with pytest.raises(LedgerUnusable):
        ReadOnlyDataset.open(root)
    assert datasets.tree(root) == before


def test_X03_an_index_of_a_person_is_no_harm(root: Path) -> None:
    """An index that only makes a query faster is not refused."""
    tamper(root, "CREATE INDEX mine ON hit (title)")
    with Dataset.open(root) as dataset:
        assert dataset.counts() == {"king": 4, "coral": 2}


def test_X03_a_statement_has_a_limited_time(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that would never end is stopped, and the ledger still works."""
    monkeypatch.setattr(open_untrusted_ledger, "SECONDS", 0.05)
    with closing(Ledger.open(root / "harvest.db")) as opened:
        with pytest.raises(LedgerUnusable, match="took more than"):
            opened.scalar(f"{ENDLESS} SELECT count(*) FROM n")
        assert opened.scalar("SELECT count(*) FROM picture") == 5


def test_X03_a_value_has_a_limited_size(root: Path) -> None:
    """A value larger than any of ours is damage, and is not read into memory."""
    tamper(root, "UPDATE search SET text = zeroblob(40000000)")
    with pytest.raises(LedgerUnusable, match="too big"), Dataset.open(root) as dataset:
        dataset.keep_rates()


def hot_journal(database: Path, other: Path) -> None:
    """Leave a journal as of a killed transaction over several databases, which names one of them."""
    magic = bytes.fromhex("d9d505f920a163d7")
    name = str(other).encode()
    pages = database.stat().st_size // 4096
    header = magic + struct.pack(">IIIII", 0, 0, pages, 512, 4096)
    end = struct.pack(">I", (1 << 30) // 4096 + 1) + name + struct.pack(">II", len(name), sum(name)) + magic
    database.with_name("harvest.db-journal").write_bytes(header.ljust(512, b"\0") + end)


def test_X03_a_journal_deletes_no_other_file(root: Path, home: Path) -> None:
    """A journal that names another file, which SQLite would delete, is refused."""
    secret = home / "secret.jpg"
    hot_journal(root / "harvest.db", secret)
    for read_only in (False, True):
        with pytest.raises(LedgerUnusable, match="names another file"):
            Dataset.open(root, read_only=read_only)
    assert secret.exists()
    with closing(sqlite3.connect(root / "harvest.db")) as connection:  # what happens without the check
        connection.execute("SELECT count(*) FROM picture").fetchone()
    assert not secret.exists()


# Rows.

DAMAGED = {
    "state": "UPDATE picture SET state = 'odd' WHERE id = 1",
    "text for a number": "UPDATE picture SET size = 'many' WHERE id = 1",
    "text for a flag": "UPDATE picture SET own = 'yes' WHERE id = 1",
    "short fingerprint": "UPDATE fingerprint SET data = x'00' WHERE picture = 1",
    "text for a fingerprint": "UPDATE fingerprint SET data = 'abc' WHERE picture = 1",
    "bytes for a class": "UPDATE picture SET class = x'6b696e67' WHERE id = 1",
    "bytes for a licence": "UPDATE picture SET licence = x'00' WHERE id = 1",
    "content": "UPDATE picture SET content = 'abc' WHERE id = 1",
    "bytes for a time": "UPDATE picture SET at = x'00' WHERE id = 1",
    "pending action": "INSERT INTO pending (picture, action) VALUES (1, 'odd')",
    "pending shelf": "INSERT INTO pending VALUES (1, 'move', '.odd', 'king', 'a.jpg', NULL)",
    "pending without names": "INSERT INTO pending VALUES (1, 'move', '', NULL, NULL, NULL)",
    "decision": "INSERT INTO decision (at, by, session, batch, action, picture)"
    " VALUES ('2026', 'cli', 's', 1, 'odd', 1)",
    "bytes for a person": "INSERT INTO decision (at, by, session, batch, action, picture)"
    " VALUES ('2026', x'00', 's', 1, 'reject', 1)",
    "filters": "UPDATE search SET filters = '{'",
    "text for a count": "UPDATE search SET asked = 'many', ending = x'00'",
    "bytes for a query": "UPDATE search SET text = x'00'",
    "class": "UPDATE class SET renamed_to = x'00'",
    "conflict": "INSERT INTO conflict (picture, class, at) VALUES (1, x'00', '2026')",
    "split": "INSERT INTO split (deal, content, part) VALUES ('d', 'c', 'odd')",
    "evidence": "UPDATE hit SET evidence = 'odd', verdict = NULL",
    "verdict": "UPDATE hit SET verdict = 'odd'",
    "renditions": "UPDATE hit SET others = '[', verdict = NULL",
    "deep renditions": f"UPDATE hit SET others = '{'[' * 100000}', verdict = NULL",
    "bytes for an address": "UPDATE hit SET url = x'00', verdict = NULL",
    "text for a rank": "UPDATE hit SET rank = 'first', verdict = NULL",
    "bytes for an author": "UPDATE hit SET author = x'00', page = x'01'",
    "text for attempts": "UPDATE hit SET attempts = 'often', verdict = 'dns'",
}
HARMLESS = {
    "placing without a plan": "UPDATE picture SET state = 'placing' WHERE id = 1",
    "plan without a picture": "INSERT INTO pending (picture, action) VALUES (999, 'place')",
    "replaces nothing": "INSERT INTO pending (picture, action, replaces) VALUES (1, 'place', 999)",
    "hit of no picture": "UPDATE hit SET picture = 999",
    "fingerprints of no picture": f"INSERT INTO fingerprint SELECT 5 + id, zeroblob({FINGERPRINT_BYTES}) FROM picture",
    "became nothing": "UPDATE picture SET became = 999",
    "huge numbers": "UPDATE picture SET size = 9223372036854775807, width = -1",
    "text that is not UTF-8": "UPDATE hit SET title = CAST(x'ff' AS TEXT)",
}


@pytest.mark.parametrize("row", [*DAMAGED, *HARMLESS])
def test_X03_a_damaged_row_ends_no_command(root: Path, run: Callable[..., tuple[int, str]], row: str) -> None:
    """Stray enums, broken JSON, short fingerprints and wrong types: every command ends with a message."""
    tamper(root, {**DAMAGED, **HARMLESS}[row], force=True)
    before = datasets.tree(root)
    url = datasets.a_hit(0).url
    for command in (*commands(), ("why", "dataset", datasets.name(0)), ("why", "dataset", url)):
        code, messages = run(*command)
        assert code in ((0, 2) if command[0] == "why" else (0,)), (command, messages)
    with ReadOnlyDataset.open(root) as consulted:
        consulted.origins()
        consulted.load_split("d")
    after = datasets.tree(root)
    assert {path: after.get(path) for path in before} == before


@pytest.mark.parametrize("row", [row for row in DAMAGED if row != "text for attempts"])
def test_X03_a_damaged_row_is_named(root: Path, row: str) -> None:
    """The damage of each row can be read, and the row is left out of every query."""
    tamper(root, DAMAGED[row], force=True)
    with Dataset.open(root) as dataset:
        dataset.history_of_text(datasets.a_hit(0).url)
        dataset.history_of_text(datasets.name(0))
        dataset.unsettled_tasks(1)
        messages = dataset.damage()
    assert "damaged row" in messages
    assert len(messages) < 2000


def test_X03_a_fingerprint_has_one_length() -> None:
    """The length of a fingerprint in the rules is that of a fingerprint."""
    assert PACKED.itemsize == FINGERPRINT_BYTES


def test_X03_a_damaged_fingerprint_is_never_read(root: Path) -> None:
    """A damaged fingerprint that the index of the file does not contain is left out of queries too."""
    tamper(
        root,
        "DROP INDEX fingerprint_outdated; CREATE INDEX fingerprint_outdated ON fingerprint (picture) WHERE 0;"
        " UPDATE fingerprint SET data = x'00' WHERE picture = 1; PRAGMA writable_schema=ON;"
        " UPDATE sqlite_master SET sql = replace(sql, 'WHERE 0', 'WHERE typeof(data) <> ''blob'' OR length(data) <> "
        f"{FINGERPRINT_BYTES}') WHERE name = 'fingerprint_outdated'",
    )
    with Dataset.open(root) as dataset:
        assert dataset.damage() == ""
        assert sorted(dataset.load_fingerprints([1, 2])) == [2]
        assert dataset.load_known([1])[1].fingerprint is None


def test_X03_the_fingerprint_of_no_picture_is_replaced(root: Path) -> None:
    """A fingerprint without a picture does not become that of the next picture, which gets its number."""
    tamper(root, HARMLESS["fingerprints of no picture"])
    with Dataset.open(root, exclusive=True) as dataset:
        (placed,) = datasets.fill(dataset, "king", [77])
        assert placed.id == 7
        assert dataset.load_fingerprints([7]) == {7: datasets.a_picture(77).fingerprint}


def test_X03_a_damaged_fingerprint_is_replaced(root: Path) -> None:
    """A file whose fingerprint is damaged can be edited, and then has the fingerprint of its new content."""
    tamper(root, DAMAGED["short fingerprint"])
    with Dataset.open(root) as dataset:
        row = dataset._pictures.get_row(1)
        (root / row.class_name / row.name).write_bytes(datasets.jpeg(903))
    with Dataset.open(root) as dataset:
        assert len(dataset.load_fingerprints([1])[1].data) == FINGERPRINT_BYTES


def test_a_name_is_judged_alone() -> None:
    """Ordinary file names pass; the escaped form of a name that leads out passes too."""
    for name in ("bing-1f3c9a2e7b01.jpg", "Café.jpg", "-x.jpg", "what?.jpg", "a b (1).jpg", "caf\\xe9.jpg"):
        assert objection(name) == ""
