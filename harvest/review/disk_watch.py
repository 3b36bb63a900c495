"""Notice that a person changed the class folders, without listing them: by their modification times."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FolderTimes: TypeAlias = "dict[str, int]"

# Seconds until the folders are compared without a sign of a change: an edit of a file does not change its folder.
_FULL = 30.0


class DiskChange(NamedTuple):
    """What to compare with the ledger: everything, or only the files of some folders."""

    is_everything: bool
    folders: set[str]


class DiskWatch:
    """Remembers the modification times of the class folders and of those of the rejected images."""

    def __init__(self, root: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._roots = (root, root.with_name(f"{root.name}.rejected"))
        self._clock = clock
        self._times: FolderTimes | None = None  # the first check compares: the folders may have changed since the scan
        self._checked = clock()

    def read(self) -> FolderTimes:
        """Return the modification time of each folder; the dataset itself changes with its ledger, and is left out."""
        times: FolderTimes = {}
        for root in self._roots:
            with suppress(OSError), os.scandir(root) as entries:
                for entry in entries:
                    with suppress(OSError):
                        if entry.is_dir(follow_symlinks=False):
                            times[entry.path] = entry.stat(follow_symlinks=False).st_mtime_ns
        return times

    def take_change(self) -> DiskChange:
        """Return what has to be compared with the ledger; call it before that is done."""
        before, self._times = self._times, self.read()
        is_late = self._clock() - self._checked >= _FULL
        is_everything = is_late or before is None or before.keys() != self._times.keys()
        if is_everything:
            self._checked = self._clock()
        known = before or {}
        return DiskChange(is_everything, {path for path, when in self._times.items() if known.get(path) != when})

    def forget(self) -> None:
        """Compare at the next check in any case: this comparison failed."""
        self._times = None

    def is_current(self) -> bool:
        """Return whether nobody changed a folder since the last comparison."""
        return self.read() == self._times

    def accept(self) -> None:
        """Record the times after a change of our own, where `is_current` was true before it."""
        self._times = self.read()
