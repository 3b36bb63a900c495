"""Migrations: ledgers of earlier versions are upgraded when they are opened, without any loss."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Dataset, ReadOnlyDataset, save_split_in_ledger
from harvest.errors import CannotWrite, LedgerUnusable
from harvest.ledger.database import Ledger
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

        for index in ("files", "shard", "own", "run", "made_with_ai", "look"):
            connection.execute(f"DROP INDEX picture_{index}")
        connection.execute("DROP TABLE shard")
        for column in ("source_type", "reviewed", "rating", "shard", "shard_offset"):
            connection.execute(f"ALTER TABLE picture DROP COLUMN {column}")
        connection.execute("ALTER TABLE decision DROP COLUMN before")
        connection.execute("CREATE INDEX picture_files ON picture (state, class, name, size, mtime_ns, shelved)")
        connection.execute("PRAGMA user_version = 1")
    return root


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
