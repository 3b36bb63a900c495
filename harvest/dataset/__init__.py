"""A dataset: class folders and their ledger, kept in step. Every command opens one, which reconciles them."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from harvest.dataset import path_memory
from harvest.dataset.changes import Change, Changes, describe_findings
from harvest.dataset.decisions import Decisions, RestoreResult
from harvest.dataset.file_operations import FileOperations, Placement
from harvest.dataset.identity import Identity
from harvest.dataset.inspect_new_files import SkippedFile, describe_skipped, inspect_new_files
from harvest.dataset.ledger_and_lock import (
    LEDGER,
    LOCK,
    lock_for_placing,
    open_ledger,
)
from harvest.dataset.lost_ledger import read_provenance, refuse_lost_ledger
from harvest.dataset.page_mismatches import PageMismatch
from harvest.dataset.read_only import ReadOnlyDataset, save_split_in_ledger
from harvest.dataset.read_queries import ReadQueries
from harvest.dataset.reconcile import reconcile
from harvest.dataset.record_changes import ChangeRecorder
from harvest.dataset.resaved_files import CopyFinder
from harvest.dataset.scan import compare_with_disk
from harvest.dataset.scan_progress import ScanProgress
from harvest.errors import MissingFiles, StorageError, UsageError
from harvest.files.lock import Lock
from harvest.files.tree import Tree
from harvest.ledger import (
    class_table,
    pending_changes,
    provenance,
    run_table,
)
from harvest.ledger.database import Ledger
from harvest.ledger.decision_log import DecisionLog
from harvest.ledger.history import PictureHistory
from harvest.ledger.picture_table import KnownPicture
from harvest.ledger.rejections import Rejection, RejectionBatch
from harvest.ledger.search_table import (
    EXHAUSTED,
    LIMIT_REACHED,
    HitVerdict,
    SearchRecord,
    SearchTable,
)
from harvest.ledger.split_table import Origin
from harvest.ledger.statistics import ClassCounts, Conflict, KeepRate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harvest.models import Hit, Query, Refusal, Task
    from harvest.verdicts import Verdict

__all__ = [
    "EXHAUSTED",
    "LIMIT_REACHED",
    "Change",
    "Changes",
    "ClassCounts",
    "Conflict",
    "Dataset",
    "HitVerdict",
    "KeepRate",
    "KnownPicture",
    "Origin",
    "PageMismatch",
    "PictureHistory",
    "Placement",
    "ReadOnlyDataset",
    "Rejection",
    "RejectionBatch",
    "RestoreResult",
    "SearchRecord",
    "SkippedFile",
    "save_split_in_ledger",
]


class Dataset(ReadQueries):
    """An open dataset; `changes` tells what a person did to its folders since the last command looked."""

    changes: Changes
    provenance_read: int = 0  # images whose source was read back from their files, for a new ledger

    def __init__(
        self,
        root: Path,
        ledger: Ledger,
        lock: Lock | None,
        *,
        read_only: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(ledger)
        self.root = root
        self.skipped: list[SkippedFile] = []  # files that could not be decoded when they were examined
        self._scan = ScanProgress(say)
        self._read_only = read_only
        self._run: int | None = None
        self._lock = lock
        self._tree = Tree(root)
        self._identity = None if read_only else Identity(root, ledger.path)
        if self._identity is not None:
            ledger.before_writing = self._tree.before_changing = self._identity.check
        self._searches = SearchTable(ledger)
        self._decisions = DecisionLog(ledger, secrets.token_hex(4))
        self._journal = FileOperations(ledger, self._pictures, self._tree)
        self._decider = Decisions(ledger, self._pictures, self._tree, self._journal, self._decisions)

    # Opening.

    @classmethod
    def open(
        cls,
        root: str | os.PathLike[str] = "dataset",
        *,
        create: bool = False,
        exclusive: bool = False,
        accept_missing: bool = False,
        new_ledger: bool = False,
        read_only: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> Self:
        """Open a dataset and reconcile it with its folders.

        `exclusive` is for a `get`: nobody else may place pictures meanwhile, and a brake raises
        `MissingFiles`. `read_only` works on a copy of the ledger in memory, even where there is no dataset,
        and leaves no trace. Where there are signs that a ledger was lost, `LedgerMissing` is raised and none
        is made; `new_ledger` makes one, and reads where the images come from back from their files.
        `say` is called with the progress of a scan that takes long.
        """
        path = Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would follow a link to other siblings
        if not path.name:
            raise UsageError(f"{os.fspath(root)!r} cannot be a dataset.", "Name a folder with -o.")
        if (create or read_only) and not new_ledger:
            refuse_lost_ledger(path)
        with ExitStack() as opened:
            lock = None
            if read_only:
                ledger = Ledger.copy(path / LEDGER)
            else:
                lock = lock_for_placing(path, create=create) if create or exclusive else None
                if lock is not None:
                    opened.callback(lock.release)
                ledger = open_ledger(path, create=create)
            opened.callback(ledger.close)
            dataset = cls(path, ledger, lock, read_only=read_only, say=say)
            opened.callback(dataset._close_files)
            dataset.reconcile(accept_missing=accept_missing)
            if new_ledger:
                dataset.provenance_read = read_provenance(ledger, dataset._tree)
            dataset._remember_path()
            if exclusive:
                dataset._begin_run()
            opened.pop_all()
        return dataset

    def _remember_path(self) -> None:
        """Remember that there is a dataset at this path, so that it is missed when it is gone."""
        if not self._read_only and provenance.has_images(self._ledger):
            path_memory.remember(self.root, provenance.dataset_id(self._ledger))

    def _begin_run(self) -> None:
        if self.changes.missing_files:
            raise MissingFiles(
                f"{self.changes.missing_files} from {self.root}. Nothing was recorded, and nothing fetched.",
                "Is the drive attached? If you deleted them: --accept-missing",
            )
        self._run = run_table.begin_run(self._ledger)
        self._searches.run = self._journal.run = self._run

    def reconcile(self, *, accept_missing: bool = False) -> Changes:
        """Look at the folders, and record what a person did to them unless it is too much to be meant."""
        with ExitStack() as alone_for_now:
            alone = self._is_alone(alone_for_now)
            if not self._read_only:
                self._journal.recover(alone=alone)
            copies = CopyFinder(self._pictures, self._tree)
            self.changes = self._record_changes(copies, alone=alone, accept_missing=accept_missing)
        if not self._read_only:
            tick = self._scan.tick("examining your own images")
            self.skipped = inspect_new_files(self._ledger, self._pictures, self._tree, copies.seen, tick)
        return self.changes

    def _record_changes(self, copies: CopyFinder, *, alone: bool, accept_missing: bool) -> Changes:
        tick = self._scan.tick("reading new and changed files")
        seen = compare_with_disk(self._pictures, self._tree, alone=alone, tick=tick)
        if not seen:
            return Changes(renamed=class_table.renamed_classes(self._ledger))
        findings = reconcile(
            seen.held,
            seen.found,
            seen.same_content,
            totals=self._pictures.count_by_class(),
            folders=seen.folders,
            find_copies=copies.find,
        )
        if findings.missing_files and not accept_missing:
            return describe_findings(findings.each, class_table.renamed_classes(self._ledger), findings.missing_files)
        recorder = ChangeRecorder(self._ledger, self._pictures, self._decisions, self._tree)
        return recorder.record(findings)

    def describe_skipped(self) -> list[str]:
        """Return a sentence for each file in `skipped`; of many, for the first ones and the rest."""
        return describe_skipped(self.skipped, self.root.name)

    def _is_alone(self, until: ExitStack) -> bool:
        """Tell whether what is pending may be finished here: nobody else is placing pictures now."""
        if self._read_only:
            return False
        if self._lock is not None:
            return True
        if not pending_changes.pending_placements(self._ledger) and not self._tree.has_parts():
            return False  # nothing to finish, and no reason to hold up a `get`
        lock = Lock(self.root / LOCK)
        until.callback(lock.release)
        return lock.acquire()

    def close(self) -> None:
        """End the run, if this was one, and let everything go; closing twice does no harm."""
        try:
            if self._run is not None:
                with suppress(StorageError):  # a full disk has been said before
                    run_table.end_run(self._ledger, self._run)
                    self._remember_path()  # a first run has placed its images since it began
        finally:
            self._run = None
            self._close_files()
            self._ledger.close()
            if self._lock is not None:
                self._lock.release()

    def _close_files(self) -> None:
        self._tree.close()
        if self._identity is not None:
            self._identity.close()

    def check_is_in_place(self) -> None:
        """Raise `DatasetMoved` where the dataset was moved, renamed or deleted since it was opened."""
        if self._identity is not None:
            self._identity.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Searches and their hits.

    def retry_verdicts(self, verdicts: Iterable[Verdict]) -> None:
        """Let hits that ended so wait once more: what was in their way is not in the way of this run."""
        self._searches.again = frozenset(verdicts)

    def begin_search(self, query: Query, provider: str, limit: int) -> SearchRecord:
        """Open the search for a query at a provider; a finished one need not be asked again."""
        return self._searches.begin_search(query, provider, limit)

    def finish_search(self, search_id: int, end: str, asked: int) -> None:
        """Remember how a search ended; `EXHAUSTED` and `LIMIT_REACHED` finish it, any other word does not."""
        self._searches.finish_search(search_id, end, asked)

    def record_hits(self, search_id: int, class_name: str, hits: Sequence[Hit]) -> list[Task | Refusal]:
        """Write hits down, and tell for each whether it is to be fetched or what is already known of it."""
        return self._searches.record_hits(search_id, class_name, hits)

    def recheck_hits(self, tasks: Sequence[Task]) -> list[Task | Refusal]:
        """Look up again what is known of recorded hits; return for each the task, or why it is not to be downloaded."""
        return self._searches.recheck_hits(tasks)

    def unsettled_tasks(self, search_id: int) -> list[Task]:
        """Return a search's hits that an earlier run left, or could not reach on a bad day."""
        return self._searches.unsettled_tasks(search_id)

    def record_verdicts(self, settlements: Sequence[HitVerdict]) -> None:
        """Write down what became of hits that gave no new picture."""
        self._searches.record_verdicts(settlements)

    # Pictures.

    def place(self, placements: Sequence[Placement]) -> list[KnownPicture]:
        """Place pictures, and settle their hits; return them as they are known from now on.

        One that was to replace a picture which a person threw out meanwhile is left out: its hit is rejected.
        """
        try:
            placed = self._journal.place(placements) if placements else []
        except StorageError:
            self.check_is_in_place()  # that is then the reason
            raise
        return [known for number in placed for known in self._pictures.list_versions(number)]

    # Decisions.

    def reject(self, ids: Iterable[int], *, by: str, reason: str = "") -> int:
        """Throw pictures out into dataset.rejected, for the whole dataset and for good; return the batch."""
        return self._decider.reject(ids, by, reason)

    def restore(self, ids: Iterable[int], *, by: str) -> RestoreResult:
        """Take rejections back: the file returns, or else what led to the picture is fetched again."""
        return self._decider.restore(ids, by)

    def move(self, ids: Iterable[int], class_name: str, *, by: str) -> int:
        """Give pictures another class; return the batch."""
        return self._decider.move(ids, class_name, by)
