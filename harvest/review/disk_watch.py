"""Notice that a person changed the class folders, without listing them: by their modification times."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

FolderTimes: TypeAlias = "dict[str, int]"

# Seconds in which all folders are compared in turn without a sign of a change: an edit of a file does not change its
# folder. All at once would delay a decision: 50,000 files take a second.
_ROUND = 30.0
_MARGIN = 2.0  # seconds; the times of folders are less exact than those of the clock


class DiskChange(NamedTuple):
    """What to compare with the ledger: everything, or only the files of some folders."""

    is_everything: bool
    folders: set[str]


class DiskWatch:
    """Remembers the modification times of the class folders and of those of the rejected images."""

    def __init__(self, root: Path, scanned_at: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Watch the folders of a dataset that was compared at a time, in seconds since 1970.

        Folders that changed since are compared at the first check.
        """
        self._roots = (root, root.with_name(f"{root.name}.rejected"))
        self._clock = clock
        last = (scanned_at - _MARGIN) * 1e9
        self._times: FolderTimes | None = {path: when if when < last else 0 for path, when in self.read().items()}
        self._compared = clock()
        self._turn: list[str] = []  # folders that are left in this round

    def read(self) -> FolderTimes:
        """Return the modification time of each folder; the dataset itself changes with its ledger, and is left out."""
        times: FolderTimes = {}
        for root in self._roots:
            try:
                with os.scandir(root) as entries:
                    for entry in entries:
                        with suppress(OSError):
                            if entry.is_dir(follow_symlinks=False):
                                times[entry.path] = entry.stat(follow_symlinks=False).st_mtime_ns
            except FileNotFoundError:
                pass
            except OSError:  # it is a file, or cannot be read: a comparison says so
                times[str(root)] = 0
        return times

    def take_change(self) -> DiskChange:
        """Return what has to be compared with the ledger; call it before that is done."""
        before, self._times = self._times, self.read()
        if before is None or before.keys() != self._times.keys():
            return DiskChange(is_everything=True, folders=set())
        changed = {path for path, when in self._times.items() if before[path] != when}
        return DiskChange(is_everything=False, folders=changed | self._take_turn(self._times))

    def _take_turn(self, folders: Collection[str]) -> set[str]:
        """Return the folders whose turn it is, so that each has one in every round."""
        share = min(1.0, (self._clock() - self._compared) / _ROUND)
        count = int(share * len(folders))
        if not count:
            return set()
        self._compared = self._clock() - _ROUND * (share - count / len(folders))
        left = [path for path in self._turn if path in folders] or sorted(folders)
        self._turn = left[count:]
        return set(left[:count])

    def forget(self) -> None:
        """Compare at the next check in any case: this comparison failed."""
        self._times = None

    def is_current(self) -> bool:
        """Return whether nobody changed a folder since the last comparison."""
        return self.read() == self._times

    def accept(self) -> None:
        """Record the times after a change of our own, where `is_current` was true before it."""
        self._times = self.read()
