"""Seen before? Decides what becomes of every picture that arrives, and lets the dataset do it.

The order of the questions is the rule of the house: a picture on disk is stronger than a rejection of the
same look, a rejection is stronger than a new arrival, and the better of two twins has the place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harvest.dataset import HitVerdict, Placement
from harvest.duplicates.index import DuplicateIndex
from harvest.models import Outcome, Picture, Refusal
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harvest.dataset import Dataset, KnownPicture
    from harvest.models import Fingerprint, Task

# The same file at this many pages of one host is what the host shows when it will not show the picture.
PLACEHOLDER_PAGES = 5


class Deduplicator:
    """Knows every picture of the dataset by its bytes, its pixels and its look."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._pages: dict[tuple[str, str], set[str]] = {}  # of files that came again, by their host
        self._placeholders: set[str] = set()
        self.set_aside = 0

    # Looked at when the first picture comes: with 50,000 of them half a second, and none may come at all.

    @cached_property
    def _present(self) -> _KnownPictures:
        return _KnownPictures(self._dataset.list_present())

    @cached_property
    def _rejected(self) -> _KnownPictures:
        return _KnownPictures(self._dataset.list_rejected())

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> list[Verdict]:
        """Decide a batch in its order, and write it with as few transactions as its twins allow."""
        batch = _Batch(self._dataset, self._present)
        verdicts = []
        for outcome in outcomes:
            if isinstance(outcome.result, Refusal):
                verdicts.append(batch.refuse(outcome.task, outcome.result))
            else:
                batch.flush_before(outcome.result)
                verdicts.append(self._decide(batch, outcome.task, outcome.result))
        batch.flush()
        return verdicts

    def _decide(self, batch: _Batch, task: Task, picture: Picture) -> Verdict:
        twin = self._present.find(picture)
        if self._is_placeholder_image(task, picture, twin):
            return self._set_aside(batch, task, picture, twin)
        if twin is None:
            if (before := self._rejected.find(picture)) is not None:
                return batch.refuse(task, Refusal(Verdict.REJECTED, "you threw this picture out"), before.id)
            return batch.place(task, picture)
        if twin.class_name != task.class_name:
            detail = f"already in {twin.class_name}"
            return batch.refuse(task, Refusal(Verdict.CONFLICT, detail), twin.id)
        if _is_better(task, picture, twin):
            verdict = batch.place(task, picture, replaces=twin)
            if verdict is Verdict.REJECTED:
                self._rejected.add(twin)
            return verdict
        return batch.refuse(task, Refusal(Verdict.DUPLICATE), twin.id)

    def _is_placeholder_image(self, task: Task, picture: Picture, twin: KnownPicture | None) -> bool:
        """Count the pages at which a file comes again; its first page counts too."""
        if picture.body in self._placeholders:
            return True
        if twin is None or twin.body != picture.body or not task.hit.page:
            return False
        host = urlsplit(task.hit.url).hostname or ""
        pages = self._pages.setdefault((picture.body, host), set())
        pages.add(task.hit.page)
        return len(pages) + 1 >= PLACEHOLDER_PAGES

    def _set_aside(self, batch: _Batch, task: Task, picture: Picture, twin: KnownPicture | None) -> Verdict:
        """Take the placeholder's first copy out of its class, where a person can find and restore it."""
        detail = f"the same file at {PLACEHOLDER_PAGES} pages of this host"
        self._placeholders.add(picture.body)
        if twin is not None and twin.body == picture.body and not twin.protected:
            batch.flush()
            self._dataset.reject([twin.id], by="harvest", reason=detail)
            self._present.forget(twin)
            self._rejected.add(twin)
            self.set_aside += 1
        return batch.refuse(task, Refusal(Verdict.PLACEHOLDER, detail), twin.id if twin else None)


def _is_better(task: Task, picture: Picture, twin: KnownPicture) -> bool:
    """Prefer a known open licence, then the larger original; a file a person touched keeps its place.

    Equal is not better: nothing is replaced without a reason.
    """
    if twin.protected:
        return False
    area = picture.original_width * picture.original_height
    return (task.hit.licence.is_open, area) > (twin.open_licence, twin.area)


class _KnownPictures:
    """Pictures to recognise: exactly by bytes or pixels, nearly by look."""

    def __init__(self, pictures: Iterable[KnownPicture]) -> None:
        self._by_id: dict[int, KnownPicture] = {}
        self._exact: dict[str, int] = {}
        looks: list[tuple[int, Fingerprint]] = []
        for known in pictures:
            self._remember(known)
            if known.fingerprint is not None:
                looks.append((known.id, known.fingerprint))
        self._twins = DuplicateIndex(looks)

    def _remember(self, known: KnownPicture) -> None:
        self._by_id[known.id] = known
        for name in (known.body, known.pixels, known.content):
            if name:
                self._exact.setdefault(name, known.id)

    def add(self, known: KnownPicture) -> None:
        self._remember(known)
        if known.fingerprint is not None:
            self._twins.add(known.id, known.fingerprint)

    def forget(self, known: KnownPicture) -> None:
        self._by_id.pop(known.id, None)
        self._twins.discard(known.id)
        for name in (known.body, known.pixels, known.content):
            if name and self._exact.get(name) == known.id:
                del self._exact[name]

    def find(self, picture: Picture) -> KnownPicture | None:
        for name in (picture.body, picture.pixels, picture.content):
            if name in self._exact:
                return self._by_id[self._exact[name]]
        near = self._twins.find(picture.fingerprint)
        return self._by_id[near[0]] if near else None


@dataclass(slots=True)
class _Batch:
    """Collects placements and settlements, so that a batch costs a few commits and not hundreds."""

    dataset: Dataset
    present: _KnownPictures
    placements: list[Placement] = field(default_factory=list)
    settlements: list[HitVerdict] = field(default_factory=list)
    _arriving: DuplicateIndex = field(default_factory=DuplicateIndex)
    _names: set[str] = field(default_factory=set)

    def refuse(self, task: Task, refusal: Refusal, picture: int | None = None) -> Verdict:
        self.settlements.append(HitVerdict(task.id, refusal.verdict, refusal.detail, picture))
        return refusal.verdict

    def place(self, task: Task, picture: Picture, *, replaces: KnownPicture | None = None) -> Verdict:
        self._arriving.add(len(self.placements), picture.fingerprint)
        self._names |= {picture.body, picture.pixels, picture.content}
        self.placements.append(Placement(task, picture, replaces))
        if replaces is None:
            return Verdict.KEPT
        # Unless a person has thrown out meanwhile what it was to replace.
        return Verdict.BETTER if picture.content in self.flush() else Verdict.REJECTED

    def flush_before(self, picture: Picture) -> None:
        """Write what is collected when the next picture has a twin among it: rare, and rules stay simple."""
        names = (picture.body, picture.pixels, picture.content)
        if any(name in self._names for name in names) or self._arriving.find(picture.fingerprint):
            self.flush()

    def flush(self) -> set[str]:
        """Write what is collected, know the pictures from now on, and return the contents of those placed."""
        for placement in self.placements:
            if placement.replaces is not None:
                self.present.forget(placement.replaces)
        placed = self.dataset.place(self.placements)
        for known in placed:
            self.present.add(known)
        self.dataset.record_verdicts(self.settlements)
        self.placements, self.settlements = [], []
        self._arriving, self._names = DuplicateIndex(), set()
        return {known.content for known in placed}
