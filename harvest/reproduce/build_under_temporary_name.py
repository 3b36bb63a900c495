"""Build a new dataset under a temporary name, and give it its own name when it is complete.

`OUT.part` is a dataset with a ledger, so a killed build continues. It is renamed only after its ledger says that it
is finished; a kill between the renames is completed by the same command.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.dataset import Dataset
from harvest.dataset.ledger_and_lock import LEDGER, check_is_outside_datasets
from harvest.errors import UsageError
from harvest.files import disk
from harvest.files.ledger_names_to_paths import Area

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SIBLINGS = (Area.RAW, Area.REJECTED)


class NewDataset:
    """A dataset to build at a path where nothing is."""

    def __init__(self, out: str | os.PathLike[str], digest: str) -> None:
        self._out = Path(os.path.abspath(out))  # noqa: PTH100 - resolve() would follow a link to other siblings
        self._part = self._out.with_name(f"{self._out.name}.part")
        self._digest = digest  # what the dataset is built from
        if not self._out.name:
            raise UsageError(f"{os.fspath(out)!r} cannot be a dataset.", "Name a folder with -o.")
        if os.path.lexists(self._out):
            raise UsageError(f"{self._out} exists already. Nothing was changed.", "Name a new folder with -o.")
        check_is_outside_datasets(self._out)

    @property
    def is_finished(self) -> bool:
        """Whether an earlier run completed the dataset, and was killed before it had its name."""
        if not os.path.lexists(self._part / LEDGER):
            return False
        with Dataset.open(self._part, read_only=True) as dataset:
            return dataset.rebuild.is_finished() and dataset.rebuild.digest() == self._digest

    @contextmanager
    def open(self, expect: Callable[[Dataset], None], say: Callable[[str], None] | None) -> Iterator[Dataset]:
        """Open the unfinished dataset; the first time, `expect` records what it will contain, in one transaction."""
        for area in _SIBLINGS:
            path = self._out.with_name(self._out.name + area)
            if os.path.lexists(path):
                raise UsageError(f"{path} exists already. Nothing was changed.", "Name a new folder with -o.")
        with Dataset.open(self._part, create=True, exclusive=True, is_temporary=True, say=say) as dataset:
            known = dataset.rebuild.digest()
            if known is None and dataset.rebuild.is_empty():
                with dataset.rebuild.transaction():
                    dataset.rebuild.begin(self._digest)
                    expect(dataset)
            elif known != self._digest:
                raise UsageError(
                    f"{self._part} is left from another command, or its source has changed since. Nothing was changed.",
                    f"Delete {self._part}, or name another folder with -o.",
                )
            yield dataset

    def publish(self) -> None:
        """Give the finished dataset its name, the folder of the classes last."""
        with disk.write_errors_named(self._out):
            for area in (*_SIBLINGS, Area.TREE):
                source = self._part.with_name(self._part.name + area)
                if os.path.lexists(source):
                    disk.replace(source, self._out.with_name(self._out.name + area))
            disk.sync_folder(self._out.parent)
