"""An open dataset: everything that commands read, decide and write."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harvest.dataset import remember_dataset_paths
from harvest.dataset.apply_decisions import BatchResult, Decisions, RestoreResult
from harvest.dataset.compare_ledger_with_disk import ScanProgress, compare_with_disk, have_differences
from harvest.dataset.compare_shards import describe_lost_images, find_damaged_images, find_lost_images
from harvest.dataset.dataset_reader import DatasetReader
from harvest.dataset.detect_folder_moved_while_open import Identity
from harvest.dataset.file_operations import FileOperations, Placement
from harvest.dataset.find_resaved_images import CopyFinder
from harvest.dataset.infer_folder_changes import reconcile
from harvest.dataset.inspect_new_files import SkippedFile, describe_skipped, inspect_new_files
from harvest.dataset.ledger_and_lock import (
    LEDGER,
    LOCK,
    lock_for_placing,
    open_ledger,
)
from harvest.dataset.lost_ledger import read_provenance, refuse_lost_ledger
from harvest.dataset.outdated_fingerprints import update_fingerprints
from harvest.dataset.read_shards import ShardReader
from harvest.dataset.record_changes import ChangeRecorder
from harvest.dataset.record_near_duplicates import compare_new_pictures
from harvest.dataset.reported_changes import Changes, describe_findings
from harvest.dataset.undo_decisions import DecisionUndoer
from harvest.dataset.write_shards import DEFAULT_SIZE, ShardWriter
from harvest.default_callbacks import ignore_message
from harvest.errors import MissingFiles, StorageError, UsageError
from harvest.files import disk
from harvest.files.ledger_names_to_paths import Area, FileKey
from harvest.files.lock import Lock
from harvest.files.place_and_list_files import MAX_FILE, Tree
from harvest.files.shard_files import Shards
from harvest.ledger import (
    class_table,
    pending_changes,
    run_table,
)
from harvest.ledger.database import Ledger
from harvest.ledger.decision_log import DecisionLog
from harvest.ledger.expected_images_tables import RebuildTable
from harvest.ledger.search_and_hit_tables import SearchRecord, SearchTable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from harvest.dataset.compare_shards import LostImages
    from harvest.files.damaged_shard_images import DamagedShardImages
    from harvest.images import InspectedImage
    from harvest.ledger.decision_kinds import Action
    from harvest.ledger.hit_table import HitVerdict
    from harvest.ledger.picture_table import KnownPicture
    from harvest.ledger.review_queries import ReviewRow
    from harvest.ledger.undo_and_redo_from_log import UndoStep
    from harvest.models import Hit, Query, Recipe, Refusal, Task
    from harvest.verdicts import Verdict


class Dataset(DatasetReader):
    """An open dataset; `changes` are those that a person made to its folders since the last command."""

    changes: Changes
    scanned_at = 0.0  # when the folders were last compared with the ledger, in seconds since 1970
    _is_temporary = False
    provenance_read: int = 0  # images whose source was read from their files, for a new ledger

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
        self.skipped: list[SkippedFile] = []  # files that cannot be decoded
        self._scan = ScanProgress(say)
        self._read_only = read_only
        self._run: int | None = None
        self._lock = lock
        self._tree = Tree(root)
        self._identity = None if read_only else Identity(root, ledger.path)
        if self._identity is not None:
            ledger.before_writing = self._tree.before_changing = self._identity.check
        self._searches = SearchTable(ledger)
        self.rebuild = RebuildTable(ledger)
        self._decisions = DecisionLog(ledger, secrets.token_hex(4))
        self._shards = Shards(root)
        self._shard_reader = ShardReader(self._pictures, self._shards)
        self._shard_writer = ShardWriter(ledger, self._shards)
        self._journal = FileOperations(ledger, self._pictures, self._tree, self._shard_writer)
        common = ledger, self._pictures, self._tree, self._journal, self._decisions
        self._decider = Decisions(*common)
        self._undoer = DecisionUndoer(*common, decisions=self._decider)

    def review(self, *, port: int | None = None) -> Any:
        """Start the review page in a thread; a notebook shows the result as an IFrame.

        Returns an object with `url`, the link of the page, and `close()`, which stops it.
        """
        # By name: the page is in a higher layer, and a dataset is used without a server.
        return import_module("harvest.open_review.notebook").NotebookReview(self.root, port)

    # Opening.

    @classmethod
    def open(
        cls,
        root: str | os.PathLike[str] = "dataset",
        *,
        create: bool = False,
        exclusive: bool = False,
        accept_missing: bool = False,
        check_shards: bool = False,
        new_ledger: bool = False,
        read_only: bool = False,
        is_temporary: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> Self:
        """Open a dataset and reconcile it with its folders.

        `exclusive` is for a `get`: no other process may place pictures, and too many missing files raise
        `MissingFiles`. `check_shards` counts damaged images in shards among the missing. `read_only` changes nothing:
        it uses a copy of the ledger in memory, even where there is no dataset. If the ledger may be lost,
        `LedgerMissing` is raised; `new_ledger` creates one, with the sources that the files name. `is_temporary`: the
        path is not remembered, so that the dataset may be deleted. `say` is called with the progress of a long scan.
        """
        path = Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would follow a link to other siblings
        if not path.name:
            raise UsageError(f"{os.fspath(root)!r} cannot be a dataset.", "Name a folder with -o.")
        if (create or read_only) and not new_ledger:
            refuse_lost_ledger(path)
        with ExitStack() as opened:
            lock = None
            if read_only:
                ledger = Ledger.copy(path / LEDGER, say or ignore_message)
            else:
                lock = lock_for_placing(path, create=create) if create or exclusive else None
                if lock is not None:
                    opened.callback(lock.release)
                ledger = open_ledger(path, create=create, say=say or ignore_message)
            opened.callback(ledger.close)
            dataset = cls(path, ledger, lock, read_only=read_only, say=say)
            dataset._is_temporary = is_temporary
            opened.callback(dataset._close_files)
            dataset.reconcile(accept_missing=accept_missing, check_shards=check_shards, read_sources=new_ledger)
            dataset._remember_path()
            if exclusive:
                dataset._begin_run()
            opened.pop_all()
        return dataset

    def _remember_path(self) -> None:
        """Record that there is a dataset at this path, so that its loss is detected."""
        if not self._read_only and not self._is_temporary and self._pictures.has_any():
            remember_dataset_paths.remember(self.root, self._ledger.dataset_id)

    def _begin_run(self) -> None:
        if self.changes.missing_files:
            raise MissingFiles(
                f"{self.root}: {self.changes.missing_files}. Nothing was recorded or downloaded.",
                "Is the drive attached? If you deleted them: --accept-missing",
            )
        self._run = run_table.begin_run(self._ledger)
        self._searches.run = self._journal.run = self.rebuild.run = self._run

    def reconcile(
        self, *, accept_missing: bool = False, check_shards: bool = False, read_sources: bool = False
    ) -> Changes:
        """Scan the folders and record the changes, unless so many files are missing that it may be a mistake.

        With `read_sources`, the sources of images that have none are read from their files.
        """
        self.scanned_at = time.time()
        with ExitStack() as alone_for_now:
            alone = self._is_alone(alone_for_now)
            if not self._read_only:
                self._journal.recover(alone=alone)
            copies = CopyFinder(self._pictures, self._tree)
            lost = find_lost_images(self._ledger, self._shards)
            if check_shards:
                tick = self._scan.tick("reading the images in shards")
                lost += find_damaged_images(self._pictures, self._shards, lost, tick)
            self.changes = self._record_changes(copies, lost, alone=alone, accept_missing=accept_missing)
        if read_sources:
            self.provenance_read = read_provenance(self._ledger, self._tree)
        if not self._read_only:
            self._inspect(copies.seen)
        return self.changes

    def has_differences(self, folders: Collection[str]) -> bool:
        """Return whether to reconcile because of these folders, given by their paths, when no others changed."""
        return have_differences(self._pictures, self._tree, folders)

    def _inspect(self, seen: Mapping[str, InspectedImage | Refusal | None]) -> None:
        """Compute the fingerprints that are missing or outdated."""
        common = self._ledger, self._pictures, self._tree
        tick = self._scan.tick("inspecting your own images")
        self.skipped = inspect_new_files(*common, known=seen, tick=tick)
        update_fingerprints(*common, self._scan.tick("updating the fingerprints of images, once"))
        compare_new_pictures(self._ledger, self._pictures, self._scan.tick("comparing new images"))

    def _record_changes(
        self, copies: CopyFinder, lost: Sequence[LostImages], *, alone: bool, accept_missing: bool
    ) -> Changes:
        if lost and not accept_missing:
            renamed = class_table.renamed_classes(self._ledger)
            return Changes(renamed=renamed, missing_files=describe_lost_images(lost))
        tick = self._scan.tick("reading new and changed files")
        seen = compare_with_disk(self._pictures, self._tree, alone=alone, tick=tick)
        seen.held.extend(row for each in lost for row in self._pictures.get_rows(each.pictures))
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
        for name in findings.classes_of_missing():
            self._tree.refuse_linked_folder(name)  # its images are behind the link, and were not deleted
        if findings.missing_files and not accept_missing:
            return describe_findings(findings.each, class_table.renamed_classes(self._ledger), findings.missing_files)
        recorder = ChangeRecorder(self._ledger, self._pictures, self._decisions, self._tree)
        return recorder.record(findings)

    def describe_skipped(self) -> list[str]:
        """Return a sentence for each file in `skipped`; for many, the first ones and a count."""
        return describe_skipped(self.skipped, self.root.name)

    def _is_alone(self, until: ExitStack) -> bool:
        """Return whether pending changes may be completed here: no other process is placing pictures."""
        if self._read_only:
            return False
        if self._lock is not None:
            return True
        if not pending_changes.pending_placements(self._ledger) and not self._tree.has_parts():
            return False  # nothing to complete, and no reason to delay a `get`
        lock = Lock(self.root / LOCK)
        until.callback(lock.release)
        return lock.acquire()

    def close(self) -> None:
        """End the run, if there is one, and close everything; this may be called twice."""
        try:
            if self._run is not None:
                with suppress(StorageError):  # a full disk was reported before
                    self._shard_writer.finish()
                    run_table.end_run(self._ledger, self._run)
                    self._remember_path()  # the images of a first run were placed since it started
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
        """Raise `DatasetMoved` if the dataset was moved, renamed or deleted since it was opened."""
        if self._identity is not None:
            self._identity.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Searches and their hits.

    def retry_verdicts(self, verdicts: Iterable[Verdict]) -> None:
        """Make hits with these verdicts unfinished: the verdicts are not final for this run."""
        self._searches.again = frozenset(verdicts)

    def begin_search(self, query: Query, provider: str, limit: int) -> SearchRecord:
        """Open the search for a query at a provider, and return what the ledger knows about it."""
        return self._searches.begin_search(query, provider, limit)

    def finish_search(self, search_id: int, end: str, asked: int) -> None:
        """Record how a search ended; only `EXHAUSTED` and `LIMIT_REACHED` finish it."""
        self._searches.finish_search(search_id, end, asked)

    def record_hits(self, search_id: int, class_name: str, hits: Sequence[Hit]) -> list[Task | Refusal]:
        """Record hits; return for each the task to download it, or why it is not to be downloaded."""
        return self._searches.record_hits(search_id, class_name, hits)

    def recheck_hits(self, tasks: Sequence[Task]) -> list[Task | Refusal]:
        """Look up again what is known of recorded hits; return for each the task, or why it is not to be downloaded."""
        return self._searches.recheck_hits(tasks)

    def unsettled_tasks(self, search_id: int) -> list[Task]:
        """Return the hits of a search that earlier runs left unfinished."""
        return self._searches.unsettled_tasks(search_id)

    def record_verdicts(self, verdicts: Sequence[HitVerdict]) -> None:
        """Record verdicts on hits that gave no new picture."""
        self._searches.record_verdicts(verdicts)

    def record_transform(self, recipe: Recipe) -> list[Recipe]:
        """Record how this run writes its images; return the forms in which earlier runs wrote images that are here."""
        if self._run is None:
            return []
        run_table.record_transform(self._ledger, self._run, recipe)
        return run_table.earlier_transforms(self._ledger, self._run)

    # Pictures.

    def use_shards(self, size: int | None) -> None:
        """Place new pictures in shards of at most `size` bytes, or with `None` in class folders."""
        self._journal.uses_shards = size is not None
        self._shard_writer.most = size or DEFAULT_SIZE

    def place(self, placements: Sequence[Placement]) -> list[KnownPicture]:
        """Place pictures, record their verdicts, and return them as known pictures.

        If a person has rejected the picture that one was to replace, it is not placed, and its hit is rejected.
        """
        try:
            placed = self._journal.place(placements) if placements else []
        except StorageError:
            self.check_is_in_place()  # if it was moved, that is the reason
            raise
        return list(self._pictures.load_known(placed).values())

    def read_image(self, class_name: str, name: str, *, rejected: bool = False, most: int) -> bytes | None:
        """Return the bytes of an image, or `None` for a link, a missing file, or one of more than `most` bytes."""
        return self.read_file(FileKey(class_name, name, Area.REJECTED if rejected else Area.TREE), most=most)

    def read_file(self, spot: FileKey, *, most: int = MAX_FILE) -> bytes | None:
        """Return the bytes of a file, or `None` for a link, a missing file, or one of more than `most` bytes."""
        seen = self._tree.stat(spot)
        if seen is None:
            return self._shard_reader.read(spot, most)
        if seen.size > most:
            return None
        path = self._tree.path(spot)
        with disk.read_errors_named(path), suppress(FileNotFoundError), disk.open_to_read(path) as file:
            return file.read(most)
        return None

    @property
    def damaged_shard_images(self) -> DamagedShardImages:
        """The images that were to be read from a shard, and are not as they were written."""
        return self._shard_reader.damaged

    def has_file(self, row: ReviewRow) -> bool:
        """Return whether the file of an image is where the ledger says, or the image is in a shard."""
        area = Area.REJECTED if row.rejected else Area.TREE
        spot = FileKey(row.class_name, row.name, area)
        return self._tree.stat(spot) is not None or self._shard_reader.has(spot)

    def add_own_file(self, class_name: str, name: str, data: bytes) -> None:
        """Write a file that a person added to another dataset, unless its class has it; the next scan records it."""
        spot, content = FileKey(class_name, name), hashlib.sha256(data).hexdigest()
        known = self._pictures.find_by_content([content])
        if any(row.state == "present" and row.class_name == class_name for row in known):
            return
        if self._tree.hash_files([spot]) != [content]:
            self._tree.place([(self._journal.find_free_name(spot), data)])

    def find_originals(self) -> dict[str, FileKey]:
        """Return the originals that were kept, by their names, which are unique."""
        return {file[1]: FileKey(file[0], file[1], Area.RAW) for file in self._tree.scan(Area.RAW).files}

    def image_path(self, class_name: str, name: str, *, rejected: bool = False) -> Path:
        """Return the path of an image, as the disk spells it; raise `StorageError` for a link."""
        return self._tree.path(FileKey(class_name, name, Area.REJECTED if rejected else Area.TREE))

    # Decisions.

    def reject(self, ids: Iterable[int], *, by: str, reason: str = "") -> int:
        """Reject pictures and move their files to dataset.rejected; return the batch."""
        return self._decider.reject(ids, by, reason)

    def restore(self, ids: Iterable[int], *, by: str) -> RestoreResult:
        """Lift rejections: the file returns, or without a file the picture is downloaded again."""
        return self._decider.restore(ids, by)

    def move(self, ids: Iterable[int], class_name: str, *, by: str) -> int:
        """Move pictures to another class; return the batch."""
        return self._decider.move(ids, class_name, by)

    def decide(
        self,
        action: Action,
        ids: Collection[int],
        *,
        by: str,
        value: str | int | None = None,
        keep: Collection[int] = (),
    ) -> BatchResult:
        """Make one decision about pictures; what the disk does not allow is cancelled and in `failed`.

        `value` is the reason of a rejection, the class of a move, or a rating from 1 to 9, and `keep` are the pictures
        of a group that stay when it is settled.
        """
        return self._decider.decide(action, ids, by, value=value, keep=keep)

    def undo(self, *, by: str) -> BatchResult:
        """Undo the last decisions of the review page or the command line that are not undone."""
        return self._undoer.undo(by)

    def redo(self, *, by: str) -> BatchResult:
        """Make the decisions again that were undone last."""
        return self._undoer.redo(by)

    def next_undo(self) -> UndoStep | None:
        """Return what an undo would undo."""
        return self._undoer.history.next_undo()

    def next_redo(self) -> UndoStep | None:
        """Return what a redo would make again."""
        return self._undoer.history.next_redo()
