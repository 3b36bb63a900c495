"""Open the ledger and the lock of a dataset."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.errors import DatasetBusy, UsageError
from harvest.files import disk
from harvest.files.ledger_names_to_paths import Area
from harvest.files.lock import Lock
from harvest.ledger.database import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

LEDGER = "harvest.db"
LOCK = "harvest.lock"
LOCK_TIMEOUT = 3.0  # seconds that a `get` waits for the lock: another command may hold it briefly


def lock_for_placing(root: Path, *, create: bool) -> Lock:
    """Acquire the lock of a dataset, or raise `DatasetBusy` with the process that has it."""
    if create:
        with disk.write_errors_named(root):
            disk.make_folder(root)
    else:
        check_is_dataset(root)
    lock = Lock(root / LOCK)
    if not lock.acquire(timeout=LOCK_TIMEOUT):
        raise DatasetBusy(
            f"{root} is in use by another harvest ({lock.describe_holder()}).",
            "Wait until it ends, or stop it.",
        )
    return lock


def open_ledger(root: Path, *, create: bool, say: Callable[[str], None]) -> Ledger:
    """Open the ledger of a dataset; with `create`, make one if there is none."""
    if not create:
        check_is_dataset(root)
    elif not os.path.lexists(root / LEDGER):
        Ledger.create(root / LEDGER)
    return Ledger.open(root / LEDGER, say)


def check_is_dataset(root: Path) -> None:
    """Raise `UsageError` for a folder without a ledger."""
    disk.refuse_link(root / LEDGER)
    if not (root / LEDGER).exists():
        raise UsageError(
            f"{root} is not a dataset: it has no {LEDGER}.",
            f"Name the folder of a dataset, or create one: harvest QUERIES.csv -o {root.name}",
        )


def check_is_outside_datasets(out: Path) -> None:
    """Raise `UsageError` for a path in the folder of a dataset, or in that of its rejected images or originals."""
    for folder in Path(os.path.realpath(out)).parents:
        for area in Area:
            root = folder.with_name(folder.name.removesuffix(area)) if folder.name not in {"", area} else folder
            if folder.name.endswith(area) and (root / LEDGER).exists():
                raise UsageError(
                    f"{out} is inside the dataset {root}, where folders are classes. Nothing was changed.",
                    "Choose a folder elsewhere.",
                )
