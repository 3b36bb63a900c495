"""Only one process places pictures at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Dataset
from harvest.errors import CannotWrite, DatasetBusy
from harvest.files.lock import Lock
from tests import datasets

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = "import sys; from harvest.files.lock import Lock; from pathlib import Path;\
 print(Lock(Path(sys.argv[1])).acquire(), flush=True); sys.stdin.read()"


@pytest.fixture
def holder(tmp_path: Path):
    """Run another process that holds the lock of the dataset, until it is killed."""
    root = tmp_path / "dataset"
    datasets.new(root, king=range(3))
    command = [sys.executable, "-c", HOLDER, str(root / "harvest.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()


def test_P05_second_get_is_told_who_holds_it(tmp_path: Path, holder, monkeypatch) -> None:
    """A second `get` ends with exit code 6 and names the process of the first one."""
    monkeypatch.setattr("harvest.dataset.ledger_and_lock.LOCK_TIMEOUT", 0.1)
    with pytest.raises(DatasetBusy, match=rf"process {holder.pid}, since .* UTC") as raised:
        Dataset.open(tmp_path / "dataset", create=True, exclusive=True)
    assert raised.value.exit_code == 6


def test_P05_lock_goes_with_its_holder(tmp_path: Path, holder) -> None:
    """The lock of a killed process is released."""
    holder.kill()
    holder.wait()
    with Dataset.open(tmp_path / "dataset", create=True, exclusive=True) as dataset:
        assert dataset.counts() == {"king": 3}


@pytest.mark.usefixtures("holder")
def test_P05_other_commands_go_on(tmp_path: Path) -> None:
    """While a `get` runs, `status` works and records what a person did."""
    (tmp_path / "dataset" / "king" / datasets.name(1)).unlink()
    with Dataset.open(tmp_path / "dataset") as dataset:
        assert [change.name for change in dataset.changes.deleted] == [datasets.name(1)]


def test_P05_a_get_waits_a_moment(tmp_path: Path) -> None:
    """A command that holds the lock briefly does not make a `get` fail."""
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire(timeout=1)
    second.release()


def test_lock_tells_its_holder(tmp_path: Path) -> None:
    """The lock names the process that acquired it last."""
    with Lock(tmp_path / "lock") as lock:
        assert lock.acquire()
        assert lock.describe_holder().startswith(f"process {os.getpid()}, since ")


def test_lock_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A folder that is not writable is an error with its path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="lock"):
        Lock(tmp_path / "file" / "lock").acquire()
