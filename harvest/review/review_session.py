"""One review of a dataset: what the page asks for and decides, in one thread at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harvest.images.thumbnail import measure_sharpness
from harvest.models import Refusal
from harvest.review import page_state, review_groups
from harvest.review.disk_watch import DiskWatch
from harvest.review.image_details import describe_image
from harvest.review.item_lists import as_columns, list_items
from harvest.review.pace import Pace
from harvest.review.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from harvest.dataset import Action, BatchResult, Dataset, ReviewRow
    from harvest.review.image_details import ModelPrediction
    from harvest.review.item_lists import ItemFilter
    from harvest.review.review_groups import Group

LARGEST_FILE = 64 << 20  # bytes of an image that is sent or decoded
_BY = "page"


class ReviewSession:
    """The dataset, a snapshot of its images, and what has been decided."""

    def __init__(self, dataset: Dataset, predictions: Mapping[str, ModelPrediction]) -> None:
        self._dataset = dataset
        self._predictions = predictions
        self._watch = DiskWatch(dataset.root)
        self._pace = Pace()
        self._version, self._position = dataset.data_version(), dataset.review_position()
        self._sharpness: dict[str, float] = {}
        self._groups: tuple[int, list[Group], list[list[ReviewRow]]] = (0, [], [])
        self.snapshot = Snapshot()
        self.snapshot.replace(dataset.review_rows())

    def synchronize(self) -> None:
        """Record what a person did to the folders, and read what other processes wrote to the ledger."""
        change, version = self._watch.take_change(), self._dataset.data_version()
        if change.is_everything or (change.folders and self._dataset.has_differences(change.folders)):
            self._dataset.reconcile()
            self._read_everything()
        elif version != self._version:
            self._version = version
            self._read_changes()

    def _read_everything(self) -> None:
        self._version = self._dataset.data_version()
        self._position = self._dataset.review_position()
        self.snapshot.replace(self._dataset.review_rows())

    def _read_changes(self) -> None:
        """Read the images that another process placed or decided on: a running `get` does so many times a minute."""
        position, changed = self._dataset.review_position(), self._dataset.changed_since(self._position)
        self._position = position
        self.snapshot.update(changed, self._dataset.review_rows(changed))

    # Questions.

    def state(self) -> dict[str, Any]:
        """Return everything around the images."""
        snapshot, dataset = self.snapshot, self._dataset
        described = page_state.describe_images(snapshot.counts, dataset.class_names())
        conflicts, duplicates = self._find_groups()
        described["queues"] |= {"conflicts": len(conflicts), "duplicates": len(duplicates)}
        return {
            "dataset": dataset.root.name,
            "seq": snapshot.seq,
            **described,
            "undo": page_state.describe_step(dataset.next_undo()),
            "redo": page_state.describe_step(dataset.next_redo()),
            "pace": self._pace.as_json(),
            "done": {
                "warnings": page_state.warn_about(snapshot.counts, dataset.changes.missing_files),
                "next": page_state.next_command(dataset.root),
            },
            "keys": {},
        }

    def items(self, wanted: ItemFilter) -> dict[str, Any]:
        """Return the images of a queue."""
        self._pace.start()
        return as_columns(self.snapshot, list_items(self.snapshot, wanted, self._dataset.find_source_text))

    def groups(self, queue: str) -> dict[str, Any]:
        """Return the groups of a queue."""
        self._pace.start()
        conflicts, duplicates = self._find_groups()
        if queue == "conflicts":
            groups = conflicts
        else:  # a proposal reads files, and is made only for a person who looks at it
            groups = [review_groups.propose(members, self._measure) for members in duplicates]
        return {"seq": self.snapshot.seq, "groups": [group.as_json() for group in groups]}

    def _find_groups(self) -> tuple[list[Group], list[list[ReviewRow]]]:
        """Return conflicts and near-duplicates; they are found again when something changed."""
        seq, conflicts, duplicates = self._groups
        if seq != self.snapshot.seq:
            rows = self.snapshot.rows
            conflicts = review_groups.find_conflicts(self._dataset.conflicts(), rows)
            duplicates = review_groups.find_near_duplicates(self._dataset.open_pairs(), rows)
            self._groups = (self.snapshot.seq, conflicts, duplicates)
        return conflicts, duplicates

    def _measure(self, row: ReviewRow) -> float:
        """Return the sharpness of an image, 0 for one that cannot be decoded."""
        if row.content not in self._sharpness:
            body = self.read_image(row)
            value = measure_sharpness(body) if body else 0.0
            self._sharpness[row.content] = 0.0 if isinstance(value, Refusal) else value
        return self._sharpness[row.content]

    def details(self, number: int) -> dict[str, Any] | None:
        """Return why an image is here."""
        row = self.snapshot.rows.get(number)
        if row is None:
            return None
        reasons, prediction = self.snapshot.reasons.get(number, ()), self._predictions.get(row.content)
        return describe_image(self._dataset, row, reasons, prediction)

    def changes(self, since: int) -> dict[str, Any]:
        """Return what changed since a number, after comparing with the folders."""
        self.synchronize()
        return self._delta(since)

    def _delta(self, since: int) -> dict[str, Any]:
        delta = self.snapshot.since(since)
        rows = [self.snapshot.rows[number] for number in delta.changed]
        return {
            "seq": self.snapshot.seq,
            "items": as_columns(self.snapshot, rows),
            "gone": delta.gone,
            "reset": delta.is_everything,
            "state": self.state(),
        }

    def read_image(self, row: ReviewRow) -> bytes | None:
        """Return the file of an image; any thread may call this."""
        return self._dataset.read_image(row.class_name, row.name, rejected=bool(row.rejected), most=LARGEST_FILE)

    # Decisions.

    def decide(
        self, since: int, action: Action, ids: Collection[int], *, value: str | int | None, keep: Collection[int]
    ) -> dict[str, Any]:
        """Make a decision, and return what changed."""
        known = [number for number in ids if number in self.snapshot.rows]
        is_current = self._watch.is_current()
        result = self._dataset.decide(action, known, by=_BY, value=value, keep=keep)
        self._pace.add(set(known) - result.failed.keys())
        unknown = {number: "This image is not in the dataset any more." for number in ids if number not in known}
        return self._answer(since, {*known, *result.pictures}, {**result.failed, **unknown}, is_current=is_current)

    def undo(self, since: int, *, redo: bool = False) -> dict[str, Any] | None:
        """Undo or redo a step, and return what changed, or `None` if there is no step."""
        is_current = self._watch.is_current()
        result: BatchResult = self._dataset.redo(by=_BY) if redo else self._dataset.undo(by=_BY)
        if not result.batch:
            return None
        return self._answer(since, result.pictures, result.failed, is_current=is_current)

    def _answer(
        self, since: int, ids: Collection[int], failed: Mapping[int, str], *, is_current: bool
    ) -> dict[str, Any]:
        if is_current:
            self._watch.accept()  # the folders changed by this decision alone
        self.snapshot.update(ids, self._dataset.review_rows(ids))
        reasons = [{"id": number, "why": why} for number, why in failed.items()]
        return {**self._delta(since), "failed": reasons}
