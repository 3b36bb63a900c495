"""The file of the ledger: opened safely or not at all, written in transactions, with clear errors."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from harvest.dataset import Dataset, HitVerdict
from harvest.errors import CannotWrite, LedgerUnusable, UsageError
from harvest.files import disk
from harvest.ledger import database, schema
from harvest.ledger.database import Ledger
from harvest.verdicts import Verdict
from tests import datasets


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "dataset"
    datasets.new(root, king=range(5))
    return root


def sql(root: Path, *statements: str) -> list[tuple]:
    """Run a statement on a closed ledger."""
    connection = sqlite3.connect(root / "harvest.db", isolation_level=None)
    try:
        return [row for statement in statements for row in connection.execute(statement).fetchall()]
    finally:
        connection.close()


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


DAMAGE = {
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "header only": lambda data: data[:100],
    "text": lambda _: b"this is no ledger, though it is long enough to be looked at\n" * 100,
    "zeros": lambda data: bytes(len(data)),
    "scribbled": lambda data: data[:4096] + b"\xff" * (len(data) - 4096),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("how", [{"create": True, "exclusive": True}, {}, {"read_only": True}])
def test_P10_damaged_ledger_is_refused(root: Path, damage: str, how: dict[str, bool]) -> None:
    """A damaged ledger is refused with its path and advice, and never silently replaced by a new one."""
    path = root / "harvest.db"
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    damaged = path.read_bytes()
    with pytest.raises(LedgerUnusable, match=r"harvest\.db") as raised, Dataset.open(root, **how):
        pass
    assert raised.value.exit_code == 6
    assert "Nothing was changed" in raised.value.hint
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("how", [{"create": True, "exclusive": True}, {}, {"read_only": True}])
def test_P10_newer_ledger_is_refused(root: Path, how: dict[str, bool]) -> None:
    """A ledger of a newer version is refused, with the command that updates the program."""
    sql(root, f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(LedgerUnusable, match="newer harvest") as raised, Dataset.open(root, **how):
        pass
    assert "pip install -U" in raised.value.hint


def test_P10_another_programs_database_is_refused(root: Path) -> None:
    """Another database with the name harvest.db is refused."""
    sql(root, "PRAGMA application_id = 1")
    with pytest.raises(LedgerUnusable, match="not a ledger of harvest"):
        Dataset.open(root)


def test_P10_pictures_survive_a_lost_ledger(root: Path) -> None:
    """If it is moved away as advised, a new ledger treats the pictures as added files."""
    before = datasets.tree(root)
    (root / "harvest.db").rename(root.parent / "harvest.db")
    with Dataset.open(root, create=True, exclusive=True, new_ledger=True) as dataset:
        assert len(dataset.changes.added) == 5
    assert datasets.tree(root) == before


def test_ledger_is_safe_against_power_loss(root: Path) -> None:
    """Commits are flushed to the disk, and the journal is a write-ahead log where the file system allows it."""
    opened = Ledger.open(root / "harvest.db")
    try:
        assert opened.first_row("PRAGMA synchronous") == (2,)
        assert opened.first_row("PRAGMA journal_mode") == ("wal",)
    finally:
        opened.close()


def test_ledger_without_wal(root: Path, monkeypatch) -> None:
    """Where the file system does not support a write-ahead log, the ledger works with another journal."""
    real = sqlite3.connect

    class NoShared(sqlite3.Connection):
        def execute(self, statement: str, *rest: object) -> sqlite3.Cursor:
            return super().execute(statement.replace("journal_mode=WAL", "journal_mode=DELETE"), *rest)

    monkeypatch.setattr(sqlite3, "connect", lambda *args, **more: real(*args, **more, factory=NoShared))
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        datasets.fill(dataset, "coral", range(10, 13))
        assert dataset.counts() == {"coral": 3, "king": 5}
    assert sql(root, "PRAGMA journal_mode") == [("delete",)]


def test_new_ledger_appears_whole(tmp_path: Path, monkeypatch) -> None:
    """A kill while the ledger is created leaves none, so that an empty one is always a damaged one."""

    def killed(*_: Path) -> None:
        assert not (tmp_path / "dataset" / "harvest.db").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(disk, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        Dataset.open(tmp_path / "dataset", create=True, exclusive=True)
    monkeypatch.undo()
    datasets.new(tmp_path / "dataset", king=[1])
    assert not list((tmp_path / "dataset").glob(".*"))


@pytest.mark.parametrize("quiet", [True, False])
def test_reading_leaves_no_trace(root: Path, *, quiet: bool) -> None:
    """A dry run reads the ledger, writes to its own copy, and leaves every byte as it was."""
    writer = None if quiet else Dataset.open(root, create=True, exclusive=True)
    if writer is not None:
        datasets.fill(writer, "coral", [10])
    before = snapshot(root.parent)
    with Dataset.open(root, read_only=True) as dataset:
        assert len(datasets.find(dataset, [datasets.a_hit(number) for number in range(3, 9)])) >= 3
        assert dataset.count_present("king") == 5
    assert {path: data for path, data in snapshot(root.parent).items() if not path.endswith("-shm")} == {
        path: data for path, data in before.items() if not path.endswith("-shm")
    }
    if writer is not None:
        writer.close()


def test_reading_where_there_is_nothing(tmp_path: Path) -> None:
    """A dry run works before there is a dataset, and creates none."""
    with Dataset.open(tmp_path / "dataset", read_only=True, exclusive=True) as dataset:
        assert len(datasets.find(dataset, [datasets.a_hit(1)])) == 1
        assert dataset.counts() == {}
    assert list(tmp_path.iterdir()) == []


def test_no_dataset_is_said(tmp_path: Path) -> None:
    """A command that needs a dataset says that there is none, and creates none."""
    with pytest.raises(UsageError, match="is not a dataset"):
        Dataset.open(tmp_path / "snakes")
    assert list(tmp_path.iterdir()) == []


def test_P04_output_is_a_file(tmp_path: Path) -> None:
    """A file at the path of the dataset is an error with its path, before anything else happens."""
    (tmp_path / "dataset").write_text("not a folder")
    with pytest.raises(CannotWrite, match=r"cannot write .*dataset") as raised:
        Dataset.open(tmp_path / "dataset", create=True, exclusive=True)
    assert raised.value.exit_code == 6


def test_P04_output_below_a_file(tmp_path: Path) -> None:
    """A file at the path of a parent folder is an error too."""
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CannotWrite, match=r"file"):
        Dataset.open(tmp_path / "file" / "dataset", create=True, exclusive=True)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_P04_read_only_output(tmp_path: Path) -> None:
    """A folder without write permission is an error too."""
    (tmp_path / "dataset").mkdir(mode=0o555)
    with pytest.raises(CannotWrite, match="dataset"):
        Dataset.open(tmp_path / "dataset", create=True, exclusive=True)


FILL = """
import sys, signal, resource
from pathlib import Path
from harvest.errors import CannotWrite
from harvest.dataset import Dataset
from tests import datasets
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
dataset = Dataset.open(sys.argv[1], create=True, exclusive=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    for number in range(1000, 3000, 20):
        datasets.fill(dataset, f"class_{number}", range(number, number + 20))
except CannotWrite as error:
    print(error.exit_code, error.message, error.hint)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX's")
def test_P03_ledger_on_a_full_disk(root: Path) -> None:
    """A ledger that cannot grow gives one error with path and free space; what was saved stays."""
    limit = (root / "harvest.db").stat().st_size + 200_000
    command = [sys.executable, "-c", FILL, str(root), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1], check=True)
    assert done.stdout.startswith("6 cannot write")
    assert "harvest.db" in done.stdout
    assert " GB free" in done.stdout
    assert "limit of the size of a file" in done.stdout
    assert "Traceback" not in done.stderr
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert dataset.count_present("king") == 5
        assert dataset.changes.counts() == {}
        files = {f"{path.parent.name}/{path.name}" for path in root.glob("*/*.jpg")}
        assert len(files) == sum(dataset.counts().values())


def test_P03_failed_commit_changes_nothing(root: Path, monkeypatch) -> None:
    """When a commit fails, nothing of the transaction is saved, and the ledger still works."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        task = datasets.find(dataset, [datasets.a_hit(77)])[0]

        def full(_: sqlite3.Connection) -> None:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(database, "commit", full)
            with pytest.raises(CannotWrite, match=r"disk is full \(.* GB free\)"):
                dataset.record_verdicts([HitVerdict(task.id, Verdict.GONE)])
        assert [report.verdict for report in dataset.history_of_text(task.hit.url).sources] == [None]
        dataset.record_verdicts([HitVerdict(task.id, Verdict.GONE)])
        assert [report.verdict for report in dataset.history_of_text(task.hit.url).sources] == [Verdict.GONE]


def test_locked_ledger_is_said(root: Path, monkeypatch) -> None:
    """A ledger that another program has locked is an error that says so, after a timeout."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.1)
    other = sqlite3.connect(root / "harvest.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with (
            pytest.raises(CannotWrite, match="another program has locked it"),
            Dataset.open(root, create=True, exclusive=True),
        ):
            pass
    finally:
        other.close()


def test_W07_writers_take_turns(root: Path) -> None:
    """Threads that read and then write through their own connections never find a locked ledger."""
    opened = [Ledger.open(root / "harvest.db") for _ in range(3)]

    def write(one: Ledger) -> None:
        for _ in range(40):
            with one.transaction():
                count = one.scalar("SELECT count(*) FROM class")
                one.execute("INSERT INTO class (name) VALUES (?)", f"{threading.get_ident()}-{count}")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, opened))
    assert opened[0].scalar("SELECT count(*) FROM class WHERE name LIKE '%-%'") == 120
    for one in opened:
        one.close()


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch):
    """Set the clock of the machine 14 hours ahead of UTC."""
    if sys.platform == "win32":
        pytest.skip("the zone is the system's there")
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_P08_times_are_utc() -> None:
    """Stored times are UTC in every time zone, and marked as such."""
    assert database.now().endswith("Z")
    assert abs(datetime.fromisoformat(database.now()).timestamp() - time.time()) < 60


def test_P08_clock_that_goes_back(root: Path, monkeypatch) -> None:
    """Nothing depends on the clock: if it is set back by years, decisions keep their order."""
    monkeypatch.setattr("harvest.ledger.decision_log.now", lambda: "2001-01-01T00:00:00Z")
    (root / "king" / datasets.name(1)).unlink()
    with Dataset.open(root) as dataset:
        (picture,) = dataset.find(datasets.name(1))
        dataset.restore([picture], by="cli")
        assert [event.action for event in dataset.history_of_text(datasets.name(1)).events] == [
            "reject",
            "restore",
        ]
    with Dataset.open(root) as dataset:
        assert dataset.changes.counts() == {}


def test_text_that_is_no_text(root: Path) -> None:
    """Half a surrogate pair and endless numbers from a page are stored as the nearest value."""
    odd = datasets.a_hit(50, title="caf\udce9 \ud800", width=10**70, page="https://example.com/\udfff")
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        datasets.find(dataset, [odd])
        assert dataset.history_of_text(odd.url).sources[0].title == "caf? ?"


def test_bug_is_not_dressed_up(root: Path) -> None:
    """An error in our own SQL is a bug, and is raised as one."""
    opened = Ledger.open(root / "harvest.db")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        opened.rows("SELECT * FROM nowhere")
    opened.close()


def test_an_image_takes_a_third_of_a_page(tmp_path: Path) -> None:
    """The ledger of 300 images has less than 4 kB for each; with smaller pages, each image would take a page alone."""
    with Dataset.open(tmp_path / "dataset", create=True, exclusive=True) as dataset:
        size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        before = dataset._ledger.scalar(size)
        datasets.fill(dataset, "king", range(300))
        assert (dataset._ledger.scalar(size) - before) / 300 < 4000
