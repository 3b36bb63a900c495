"""Migrations: ledgers of earlier versions are upgraded when they are opened, without any loss."""

from __future__ import annotations

import itertools
import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Dataset, ReadOnlyDataset, save_split_in_ledger
from harvest.errors import CannotWrite, LedgerUnusable
from harvest.ledger import database, move_fingerprints, open_untrusted_ledger, schema
from harvest.ledger.database import Ledger
from harvest.ledger.open_untrusted_ledger import StatementTimer
from harvest.ledger.schema import STEPS, VERSION
from tests import datasets

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a dataset as the first version left it."""
    root = tmp_path / "dataset"
    datasets.new(root, king=range(3), coral=range(10, 12))
    with closing(sqlite3.connect(root / "harvest.db", isolation_level=None)) as connection:
        connection.execute("DROP TABLE split")
        connection.execute("DROP TABLE dataset")
        connection.execute("DROP TABLE near_duplicate")
        connection.execute("DROP TABLE recipe")
        connection.execute("DROP TABLE expected_source")
        connection.execute("DROP TABLE expected_image")
        connection.execute("ALTER TABLE run DROP COLUMN transform")

        for index in ("files", "shard", "own", "run", "made_with_ai"):
            connection.execute(f"DROP INDEX picture_{index}")
        connection.execute("ALTER TABLE picture ADD COLUMN look BLOB")
        connection.execute("UPDATE picture SET look = (SELECT data FROM fingerprint WHERE picture = id)")
        connection.execute("DROP TABLE fingerprint")
        connection.execute("DROP TABLE shard")
        for column in ("source_type", "reviewed", "rating", "shard", "shard_offset"):
            connection.execute(f"ALTER TABLE picture DROP COLUMN {column}")
        connection.execute("ALTER TABLE decision DROP COLUMN before")
        connection.execute("CREATE INDEX picture_files ON picture (state, class, name, size, mtime_ns, shelved)")
        connection.execute("PRAGMA user_version = 1")
    return root


@pytest.fixture
def path(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the ledger of such a dataset, whose fingerprints are moved two at a time."""
    monkeypatch.setattr(move_fingerprints, "_BATCH", 2)
    return root / "harvest.db"


def read(path: Path, query: str) -> list[tuple]:
    """Return the rows of a query, as they are stored."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def change(path: Path, *statements: str) -> None:
    """Change a ledger, also against its rules."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints=ON")
        connection.execute("PRAGMA writable_schema=ON")
        for statement in statements:
            connection.execute(statement)


def layout(path: Path) -> dict[str, list[tuple]]:
    """Return the columns of every table, and the version under a name that no table has."""
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]
        columns = {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in names}
        return columns | {"": connection.execute("PRAGMA user_version").fetchall()}


def test_every_version_has_its_step() -> None:
    """There is a migration from every earlier version to the next."""
    assert list(STEPS) == list(range(1, VERSION))


def test_an_old_ledger_becomes_what_a_new_one_is(root: Path, tmp_path: Path) -> None:
    """An upgraded ledger has the tables, columns and version of a new one, and its pictures."""
    with Dataset.open(root) as dataset:
        assert dataset.counts() == {"king": 3, "coral": 2}
        assert dataset.changes.counts() == {}
    Ledger.create(tmp_path / "new.db")
    assert layout(root / "harvest.db") == layout(tmp_path / "new.db")


def test_an_old_ledger_gets_an_id_that_stays(root: Path) -> None:
    """The upgrade gives a dataset its id, which no other dataset has and which never changes."""
    seen = []
    for path in (root, root, root.with_name("another")):
        with Dataset.open(path, create=True):
            pass
        with closing(sqlite3.connect(path / "harvest.db")) as connection:
            ((number,),) = connection.execute("SELECT id FROM dataset").fetchall()
        seen.append(number)
    assert seen[0] == seen[1] != seen[2]
    assert all(len(number) == 32 for number in seen)


def licences(path: Path, table: str) -> list[object]:
    """Return the licence of each row of a table, as it is stored."""
    with closing(sqlite3.connect(path / "harvest.db")) as connection:
        return [row[0] for row in connection.execute(f"SELECT licence FROM {table} ORDER BY id")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CC-BY-SA-2.0-DE", "LicenseRef-CC-BY-SA-2.0-DE"),
        ("CC-BY-2.1", "LicenseRef-CC-BY-2.1"),
        ("Copyright (c) Ada, 2019", "LicenseRef-Copyright-c-Ada-2019"),
        ("CC-BY-3.0-DE", "CC-BY-3.0-DE"),
        ("CC-BY-NC-3.0-IGO", "CC-BY-NC-3.0-IGO"),
        ("LicenseRef-US-Gov", "LicenseRef-US-Gov"),
        ("LicenseRef-Claimed-open", "LicenseRef-Claimed-open"),
        ("©", None),
        (None, None),
    ],
)
def test_licences_of_an_old_ledger_become_those_of_the_spdx_list(root: Path, old: object, new: object) -> None:
    """Ids that are not listed become references, in both tables and beside their address; the others stay."""
    address = "https://creativecommons.org/licenses/by-sa/2.0/de/"
    with closing(sqlite3.connect(root / "harvest.db", isolation_level=None)) as connection:
        connection.execute("UPDATE hit SET licence = ?, licence_url = ?, evidence = 'stated'", (old, address))
        connection.execute("UPDATE picture SET licence = ?", (old,))
    with Dataset.open(root):
        pass
    assert licences(root, "hit") == [new] * 5
    assert licences(root, "picture") == [new] * 5
    with closing(sqlite3.connect(root / "harvest.db")) as connection:
        assert connection.execute("SELECT DISTINCT licence_url, evidence FROM hit").fetchall() == [(address, "stated")]


def test_a_damaged_licence_does_not_stop_the_upgrade(root: Path) -> None:
    """A licence that is not valid UTF-8 is replaced too, and one that is not text is left; the ledger is upgraded."""
    with closing(sqlite3.connect(root / "harvest.db", isolation_level=None)) as connection:
        connection.execute("UPDATE hit SET licence = CAST(x'ff43432d42592d322e31' AS TEXT) WHERE id > 1")
        connection.execute("UPDATE hit SET licence = x'ff43' WHERE id = 1")
    with Dataset.open(root):
        pass
    assert licences(root, "hit") == [b"\xffC", *["LicenseRef-CC-BY-2.1"] * 4]
    assert layout(root / "harvest.db")[""] == [(VERSION,)]


def test_the_origin_of_earlier_images_is_unknown(root: Path) -> None:
    """After the upgrade the images of an old ledger have no source type, and count as not made with AI."""
    with Dataset.open(root) as dataset:
        assert dataset.count_made_with_ai() == 0
        assert [tally.ai for tally in dataset.count_classes()] == [0, 0]


def test_a_look_without_a_trace_upgrades_the_copy_alone(root: Path) -> None:
    """An old ledger that is opened read-only works, and is not upgraded on disk."""
    before = (root / "harvest.db").read_bytes()
    with Dataset.open(root, read_only=True) as dataset:
        assert dataset.counts() == {"king": 3, "coral": 2}
    assert (root / "harvest.db").read_bytes() == before


def test_an_upgrade_that_fails_changes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interrupted upgrade the ledger is still the old one, and the next command upgrades it."""
    with monkeypatch.context() as broken:
        broken.setitem(STEPS, 1, "CREATE TABLE split (deal TEXT, content TEXT, part TEXT CHECK (nonsense(")
        with pytest.raises(LedgerUnusable, match="cannot be upgraded"):
            Dataset.open(root)
    assert layout(root / "harvest.db")[""] == [(1,)]
    assert save_split_in_ledger(root, "a deal", {"content": "valid"})


def test_an_upgrade_leaves_a_ledger_that_is_held(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another program has locked an old ledger, the upgrade is refused, and nothing is half done."""
    monkeypatch.setattr("harvest.ledger.database.BUSY_TIMEOUT", 0.1)
    with closing(sqlite3.connect(root / "harvest.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CannotWrite, match="another program has locked it"):
            Dataset.open(root)
        other.execute("ROLLBACK")
    assert layout(root / "harvest.db")[""] == [(1,)]


def test_what_has_no_version_is_no_ledger(root: Path) -> None:
    """A file with our mark and no version was never written by us."""
    with closing(sqlite3.connect(root / "harvest.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 0")
    with pytest.raises(LedgerUnusable, match="not a ledger of harvest"):
        Dataset.open(root)


def test_a_deal_is_remembered_by_content(root: Path) -> None:
    """A saved split is loaded again, each rule apart, and later parts replace earlier ones."""
    assert save_split_in_ledger(root, "one", {"a": "train", "b": "valid"})
    assert save_split_in_ledger(root, "two", {"a": "test"})
    assert save_split_in_ledger(root, "one", {"b": "train", "c": "test"})
    with ReadOnlyDataset.open(root) as consulted:
        assert consulted.load_split("one") == {"a": "train", "b": "train", "c": "test"}
        assert consulted.load_split("two") == {"a": "test"}
        assert consulted.load_split("three") == {}


def test_without_a_ledger_nothing_is_remembered_and_nothing_made(tmp_path: Path) -> None:
    """Loading or saving a split creates no ledger in a folder without one."""
    assert ReadOnlyDataset.open(tmp_path) is None
    assert not save_split_in_ledger(tmp_path, "one", {"a": "train"})
    assert list(tmp_path.iterdir()) == []


def test_origins_are_those_of_the_pictures_on_disk(tmp_path: Path) -> None:
    """Each hit of a picture gives its page and author; the hits of a rejected one give none."""
    root = tmp_path / "dataset"
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        hits = [
            datasets.a_hit(1, page="https://a.example/p", author="Ada"),
            datasets.a_hit(2, author_url="https://a.example/bob"),
            datasets.a_hit(3),
            datasets.a_hit(4, page="https://a.example/gone"),
        ]
        tasks = datasets.find(dataset, hits)
        known = dataset.place([datasets.Placement(task, datasets.a_picture(n)) for n, task in enumerate(tasks, 1)])
        dataset.reject([known[3].id], by="test")
    with ReadOnlyDataset.open(root) as consulted:
        found = consulted.origins()
    one, two = (datasets.a_picture(number).content for number in (1, 2))
    assert sorted(found, key=lambda origin: origin.page or "") == [
        (two, "BING", None, None, "https://a.example/bob"),
        (one, "BING", "https://a.example/p", "Ada", None),
    ]


def test_decisions_of_earlier_versions_count_as_reviews(root: Path) -> None:
    """An image that a person moved before the upgrade is reviewed after it; the others are not."""
    with closing(sqlite3.connect(root / "harvest.db", isolation_level=None)) as connection:
        connection.execute("UPDATE picture SET touched = 1 WHERE id IN (1, 2)")
        connection.execute(
            "INSERT INTO decision (at, by, session, batch, action, picture)"
            " VALUES ('2026', 'files', '', 1, 'move', 1), ('2026', 'files', '', 1, 'edit', 2)"
        )
    with Dataset.open(root) as dataset:
        assert {row.id for row in dataset.review_rows() if row.reviewed} == {1}
        assert dataset.next_undo() is None


def test_fingerprints_are_moved(path: Path) -> None:
    """Each fingerprint is in the table of fingerprints after the upgrade, and a picture without one has none there."""
    change(path, "UPDATE picture SET look = NULL, pixels = NULL, examined = 0 WHERE id = 4")
    before = read(path, "SELECT id, look FROM picture WHERE look IS NOT NULL ORDER BY id")
    others = "id, state, class, name, content, body, pixels, width, height, hit, examined, at"
    pictures = read(path, f"SELECT {others} FROM picture ORDER BY id")
    Ledger.open(path).close()
    assert read(path, "SELECT picture, data FROM fingerprint ORDER BY picture") == before
    assert read(path, f"SELECT {others} FROM picture ORDER BY id") == pictures
    assert len(before) == 4


def test_the_pages_of_moved_fingerprints_are_used_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file does not get larger by the fingerprints that are moved, and the write-ahead log is empty afterwards."""
    monkeypatch.setattr(move_fingerprints, "_BATCH", 100)
    change(
        path,
        "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 3000)"
        " INSERT INTO picture (state, class, name, content, look, at)"
        " SELECT 'present', 'king', number || '.jpg', content, look, at FROM picture, numbers WHERE id = 1",
    )
    before = path.stat().st_size
    with closing(Ledger.open(path)):
        assert path.stat().st_size < 1.3 * before
        assert path.with_name("harvest.db-wal").stat().st_size == 0


def test_damaged_rows_are_upgraded_as_they_are(path: Path) -> None:
    """Unknown states, missing values and damaged fingerprints do not stop the upgrade, and are reported after it."""
    change(
        path,
        "UPDATE sqlite_master SET sql = replace(sql, 'content         TEXT NOT NULL', 'content TEXT')"
        " WHERE name = 'picture'",
    )
    change(
        path,
        "UPDATE picture SET state = 'odd' WHERE id = 1",
        "UPDATE picture SET content = NULL WHERE id = 2",
        "UPDATE picture SET look = x'00' WHERE id = 3",
        "UPDATE picture SET look = 'text' WHERE id = 4",
    )
    with closing(Ledger.open(path)) as ledger:
        damage = "\n".join(ledger.damage)
        assert ledger.rows("SELECT id FROM picture") == [(3,), (4,), (5,)]
        assert ledger.rows("SELECT picture FROM fingerprint ORDER BY picture") == [(1,), (2,), (5,)]
    for text in ("picture 1: its state is 'odd'", "picture 2: its content is ''", "fingerprint 3", "fingerprint 4"):
        assert text in damage


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_an_upgrade_that_is_killed_changes_nothing(path: Path) -> None:
    """After a kill at any statement of the upgrade the ledger is the old one, and the next command upgrades it."""
    before = read(path, "SELECT * FROM picture ORDER BY id")
    for number in itertools.count(1):
        end_after_statements(path, number)
        if layout(path)[""] != [(1,)]:
            break
        assert read(path, "SELECT * FROM picture ORDER BY id") == before
    assert number > 40
    assert layout(path)[""] == [(VERSION,)]
    assert read(path, "PRAGMA integrity_check") == [("ok",)]
    assert read(path, "SELECT id FROM fingerprint JOIN picture ON id = picture ORDER BY id") == [
        (n,) for n in range(1, 6)
    ]


def end_after_statements(path: Path, number: int) -> None:
    """Upgrade a ledger in a child that ends after so many statements of it."""
    child = os.fork()
    if child == 0:
        left = itertools.count(1)

        class Timer(StatementTimer):
            def start(self) -> None:
                super().start()
                if next(left) > number:
                    os._exit(0)

        open_untrusted_ledger.StatementTimer = Timer
        Ledger.open(path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_an_upgrade_on_a_full_disk_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that is full at any page of the upgrade the ledger stays the old one, and the message says so."""
    change(path, "VACUUM")
    connect, limits = database._connect, itertools.count(path.stat().st_size // schema.PAGE)

    def connect_to_full_disk(path: Path, how: str) -> sqlite3.Connection:
        connection = connect(path, how)
        connection.execute(f"PRAGMA max_page_count={next(limits)}")
        return connection

    monkeypatch.setattr(database, "_connect", connect_to_full_disk)
    messages = []
    while layout(path)[""] == [(1,)]:
        try:
            Ledger.open(path).close()
        except CannotWrite as error:
            messages.append(str(error))
    assert len(messages) > 10
    assert all("disk is full (" in message for message in messages)
    assert layout(path)[""] == [(VERSION,)]


def test_a_long_upgrade_is_announced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the upgrade of a large ledger a message says what takes so long; a small one is upgraded silently."""
    said: list[str] = []
    with monkeypatch.context() as large:
        large.setattr(schema, "_LARGE", 1000)
        Ledger.copy(path, said.append).close()
    Ledger.open(path, said.append).close()
    (message,) = said
    assert message.startswith("Updating harvest.db (")
