"""Opens the two files of a dataset that are not pictures: its lock and its ledger."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harvest.errors import DatasetBusy, UsageError
from harvest.files import disk
from harvest.files.lock import Lock
from harvest.ledger.database import Ledger

if TYPE_CHECKING:
    from pathlib import Path

LEDGER = "harvest.db"
LOCK = "harvest.lock"
PATIENCE = 3.0  # seconds a `get` waits for the lock: another command may hold it for a moment


def lock_for_placing(root: Path, *, create: bool) -> Lock:
    """Take the dataset's lock, or say who has it."""
    if create:
        with disk.write_errors_named(root):
            disk.make_folder(root)
    else:
        _check_is_dataset(root)
    lock = Lock(root / LOCK)
    if not lock.acquire(patience=PATIENCE):
        raise DatasetBusy(
            f"{root} is in use by another harvest ({lock.describe_holder()}).",
            "Wait until it is done, or stop it: the lock goes with it.",
        )
    return lock


def open_ledger(root: Path, *, create: bool) -> Ledger:
    """Open the dataset's ledger, a new one where there is none and one may be made."""
    if not create:
        _check_is_dataset(root)
    elif not os.path.lexists(root / LEDGER):
        Ledger.create(root / LEDGER)
    return Ledger.open(root / LEDGER)


def _check_is_dataset(root: Path) -> None:
    disk.refuse_link(root / LEDGER)
    if not (root / LEDGER).exists():
        raise UsageError(
            f"{root} is no dataset: it has no {LEDGER}.",
            f"Name the folder of a dataset, or make one: harvest QUERIES.csv -o {root.name}",
        )
