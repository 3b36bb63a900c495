"""One review of a dataset: what the page asks for and decides, in one thread at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harvest.errors import HarvestError
from harvest.images.thumbnail import measure_sharpness
from harvest.models import Refusal
from harvest.review import conflict_and_copy_groups, page_state
from harvest.review.cached_groups import KnownGroups
from harvest.review.confusion_counts import count_confusions
from harvest.review.disk_watch import DiskWatch
from harvest.review.image_details import describe_image
from harvest.review.image_queues import as_columns, list_items
from harvest.review.images_in_memory import Snapshot
from harvest.review.model_results import ImageWithoutFeatures
from harvest.review.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import TypeAlias

    from harvest.dataset import BatchResult, Dataset, ReviewRow
    from harvest.review.image_queues import ItemFilter
    from harvest.review.model_results import ModelResults
    from harvest.review.read_requests import DecisionRequest

    Failure: TypeAlias = dict[str, int | str]  # the id of an image, and why it was not changed

LARGEST_FILE = 64 << 20  # bytes of an image that is sent or decoded
_BY = "page"


class ReviewSession:
    """The dataset, a snapshot of its images, and what has been decided."""

    def __init__(self, dataset: Dataset, model: ModelResults) -> None:
        self._dataset = dataset
        self._model = model
        self._missing = 0  # images without features
        self._watch = DiskWatch(dataset.root, dataset.scanned_at)
        self._pace = Pace()
        self._version, self._position = dataset.data_version(), dataset.review_position()
        self._sharpness: dict[str, float] = {}
        self._groups = KnownGroups(dataset)
        self._counted: tuple[object, ...] = ()  # what `_missing` was counted of
        self.snapshot = Snapshot()
        self.snapshot.replace(dataset.review_rows())
        self.update_model()

    def update_model(self) -> None:
        """Use what the model has read since the last call."""
        if self.snapshot.predictions is not self._model.predictions:
            self.snapshot.set_predictions(self._model.predictions)
        known = self._model.with_features
        counted = (self.snapshot.changed_images, self._model.run, len(known))
        if self._counted != counted:
            self._counted = counted
            self._missing = sum(not row.rejected and row.content not in known for row in self.snapshot.rows.values())

    def synchronize(self) -> None:
        """Record what a person did to the folders, and read what other processes wrote to the ledger."""
        change, written = self._watch.take_change(), self._dataset.written_rows()
        try:
            is_different = change.is_everything or (
                bool(change.folders) and self._dataset.has_differences(change.folders)
            )
            if is_different:
                self._dataset.reconcile()
        except HarvestError:
            self._watch.forget()
            raise
        version = self._dataset.data_version()
        if self._dataset.written_rows() != written:
            self._read_everything()
        elif version != self._version:
            self._version = version
            self._read_changes()

    def _read_everything(self) -> None:
        self._version = self._dataset.data_version()
        self._position = self._dataset.review_position()
        self.snapshot.replace(self._dataset.review_rows())
        self._groups.forget()

    def _read_changes(self) -> None:
        """Read the images that another process placed or decided on: a running `get` does so many times a minute."""
        position, changed = self._dataset.review_position(), self._dataset.changed_since(self._position)
        self._position = position
        self.snapshot.update(changed, self._dataset.review_rows(changed))
        self._groups.forget()

    # Questions.

    def state(self) -> dict[str, Any]:
        """Return everything around the images."""
        snapshot, dataset = self.snapshot, self._dataset
        described = page_state.describe_images(snapshot.counts, dataset.class_names())
        conflicts, duplicates = self._groups.find(snapshot.rows)
        described["queues"] |= {"conflicts": len(conflicts), "duplicates": len(duplicates)}
        return {
            "dataset": dataset.root.name,
            "seq": snapshot.seq,
            **described,
            "undo": page_state.describe_step(dataset.next_undo()),
            "redo": page_state.describe_step(dataset.next_redo()),
            "missing": dataset.changes.missing_files,
            "is_searching": not snapshot.has_reasons,
            "pace": self._pace.as_json(),
            "done": {
                "warnings": page_state.warn_about(snapshot.counts, dataset.changes.missing_files),
                "next": page_state.next_command(dataset.root),
            },
            "model": page_state.describe_model(self._model, dataset.root, self._missing),
        }

    def items(self, wanted: ItemFilter, position: Mapping[str, int]) -> dict[str, Any]:
        """Return the images of a queue; `position` is that of each content hash in an order of the model."""
        self._pace.start()
        rows = list_items(self.snapshot, wanted, self._dataset.find_source_text, position)
        return as_columns(self.snapshot, rows)

    def labels(self, *, with_rejected: bool = False) -> dict[str, str]:
        """Return the class of each image by content hash."""
        rows = self.snapshot.rows.values()
        return {row.content: row.class_name for row in rows if with_rejected or not row.rejected}

    def confusion(self) -> dict[str, Any]:
        """Return the confusion matrix of the newest run, for the classes that the images have now."""
        return {"run": self._model.run, **count_confusions(self.snapshot.rows.values(), self.snapshot.predictions)}

    def images_without_features(self) -> list[ImageWithoutFeatures]:
        """Return the images in the class folders whose features the model has not computed, each content once."""
        known = self._model.with_features
        rows = [row for row in self.snapshot.rows.values() if not row.rejected and row.content not in known]
        return list({row.content: ImageWithoutFeatures(row.class_name, row.name, row.content) for row in rows}.values())

    def groups(self, queue: str) -> dict[str, Any]:
        """Return the groups of a queue."""
        self._pace.start()
        conflicts, duplicates = self._groups.find(self.snapshot.rows)
        if queue == "conflicts":
            groups = conflicts
        else:  # a proposal reads files, and is made only for a person who looks at it
            groups = [conflict_and_copy_groups.propose(group, self._measure) for group in duplicates]
        return {"seq": self.snapshot.seq, "groups": [group.as_json() for group in groups]}

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
        reasons, prediction = self.snapshot.reasons.get(number, ()), self.snapshot.predictions.get(row.content)
        return describe_image(self._dataset, row, reasons, prediction)

    def changes(self, since: int) -> dict[str, Any]:
        """Return what changed since a number, after comparing with the folders."""
        self.synchronize()
        self.update_model()
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

    def decide(self, since: int, decision: DecisionRequest) -> dict[str, Any]:
        """Make a decision, and return what changed and what failed."""
        failed = self._decide(decision)
        return {**self._delta(since), "failed": failed}

    def decide_in_turn(self, since: int, decisions: Sequence[DecisionRequest]) -> dict[str, Any]:
        """Make several decisions, each one step of undo; return what changed, and for each what failed.

        If one is not possible at all, those before it are answered, and the page sends the others again.
        """
        failed = []
        for decision in decisions:
            try:
                failed.append(self._decide(decision))
            except HarvestError:
                if not failed:
                    raise
                break
        return {**self._delta(since), "failed": failed}

    def _decide(self, decision: DecisionRequest) -> list[Failure]:
        known = [number for number in decision.ids if number in self.snapshot.rows]
        is_current = self._watch.is_current()
        refused = dict.fromkeys(set(decision.ids) - set(known), "This image is not in the dataset any more.")
        refused |= dict.fromkeys(self._find_missing(known), "Its file is missing.")
        if refused.keys() & set(decision.keep):  # else of a group whose image to keep is gone, the others are rejected
            refused = dict.fromkeys(set(decision.ids) - refused.keys(), "An image to keep is gone.") | refused
        possible = [number for number in known if number not in refused]
        result = self._dataset.decide(
            decision.action, possible, by=_BY, value=decision.value, keep=decision.keep if possible else ()
        )
        self._pace.add(set(possible) - result.failed.keys())
        self._follow({*known, *result.pictures}, is_current=is_current)
        return _describe_failures({**result.failed, **refused})

    def _find_missing(self, ids: Collection[int]) -> list[int]:
        """Return the images of class folders without a file: the next comparison says whether a drive is detached."""
        rows = (self.snapshot.rows[number] for number in ids)
        return [row.id for row in rows if not row.rejected and not self._dataset.has_file(row)]

    def undo(self, since: int, *, redo: bool = False) -> dict[str, Any] | None:
        """Undo or redo a step, and return what changed, or `None` if there is no step."""
        is_current = self._watch.is_current()
        result: BatchResult = self._dataset.redo(by=_BY) if redo else self._dataset.undo(by=_BY)
        if not result.batch:
            return None
        self._follow(result.pictures, is_current=is_current)
        return {**self._delta(since), "ids": sorted(result.pictures), "failed": _describe_failures(result.failed)}

    def _follow(self, ids: Collection[int], *, is_current: bool) -> None:
        """Read the images of a decision again."""
        if is_current:
            self._watch.accept()  # the folders changed by this decision alone
        self._groups.forget_if_concerned(self.snapshot.rows.get(number) for number in ids)
        self.snapshot.update(ids, self._dataset.review_rows(ids))


def _describe_failures(failed: Mapping[int, str]) -> list[Failure]:
    return [{"id": number, "why": why} for number, why in failed.items()]
