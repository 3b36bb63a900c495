"""Decide for every downloaded picture whether it is new, a duplicate or rejected, and record the decision.

The order of the checks matters: a picture on disk outranks a rejection of the same fingerprint, a rejection outranks
a new picture, and of two duplicates the better one is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harvest.dataset import HitVerdict, Placement
from harvest.duplicates.equal_hash_index import EqualHashIndex
from harvest.duplicates.index import DuplicateIndex
from harvest.models import Outcome, Picture, Refusal
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from harvest.dataset import Dataset, KnownPicture
    from harvest.dataset.dataset_reader import DatasetReader
    from harvest.models import Fingerprint, Task

# The same file on this many pages of one host is a placeholder that the host serves instead of the image.
PLACEHOLDER_PAGES = 5


class Deduplicator:
    """Recognises every picture of the dataset by its bytes, its pixels and its fingerprint.

    Only the rejections that `is_enforced` accepts are enforced; all are by default.
    """

    def __init__(self, dataset: Dataset, *, is_enforced: Callable[[KnownPicture], bool] | None = None) -> None:
        self._dataset = dataset
        self._is_enforced = is_enforced
        self._pages: dict[tuple[str, str], set[str]] = {}  # by file and host, for files that were downloaded twice
        self._placeholders: set[str] = set()
        self.set_aside = 0

    # Loaded for the first picture: a million take half a minute, and many runs download nothing.

    @cached_property
    def _present(self) -> KnownPictures:
        return KnownPictures(self._dataset.list_present(), self._dataset)

    @cached_property
    def _rejected(self) -> KnownPictures:
        rejected = filter(self._is_enforced or (lambda _: True), self._dataset.list_rejected())
        return KnownPictures(rejected, self._dataset)

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> list[Verdict]:
        """Decide a batch in its order, with as few transactions as the duplicates in it allow; return the verdicts."""
        batch = _Batch(self._dataset, self._present)
        verdicts = []
        for outcome in outcomes:
            if isinstance(outcome.result, Refusal):
                verdicts.append(batch.refuse(outcome.task, outcome.result))
            else:
                if self._present.find_exact(outcome.result) is None:
                    batch.flush_before(outcome.result)
                verdicts.append(self._decide(batch, outcome.task, outcome.result))
        batch.flush()
        return verdicts

    def _decide(self, batch: _Batch, task: Task, picture: Picture) -> Verdict:
        duplicate: KnownPicture | None
        similar: tuple[int, ...]
        exact = self._present.find_exact(picture)
        if exact is not None and not _is_better(task, picture, exact):  # the search by fingerprint takes 3 ms
            duplicate, similar = exact, ()
        else:
            duplicate, similar = self._present.find(picture)
        if self._is_placeholder_image(task, picture, duplicate):
            return self._set_aside(batch, task, picture, duplicate)
        if duplicate is None:
            before, similar_rejected = self._rejected.find(picture)
            if before is not None:
                return batch.refuse(task, Refusal(Verdict.REJECTED, "you rejected this image"), before.id)
            return batch.place(task, picture, similar=(*similar, *similar_rejected))
        if duplicate.class_name != task.class_name:
            detail = f"already in {duplicate.class_name}"
            return batch.refuse(task, Refusal(Verdict.CONFLICT, detail), duplicate.id)
        if _is_better(task, picture, duplicate):
            verdict = batch.place(task, picture, similar=similar, replaces=duplicate)
            if verdict is Verdict.REJECTED:
                self._rejected.add(duplicate)
            return verdict
        return batch.refuse(task, Refusal(Verdict.DUPLICATE), duplicate.id)

    def _is_placeholder_image(self, task: Task, picture: Picture, duplicate: KnownPicture | None) -> bool:
        """Return whether a file was found on so many pages of its host that it is a placeholder."""
        if picture.body in self._placeholders:
            return True
        if duplicate is None or duplicate.body != picture.body or not task.hit.page:
            return False
        host = urlsplit(task.hit.url).hostname or ""
        pages = self._pages.setdefault((picture.body, host), set())
        pages.add(task.hit.page)
        return len(pages) + 1 >= PLACEHOLDER_PAGES

    def _set_aside(self, batch: _Batch, task: Task, picture: Picture, duplicate: KnownPicture | None) -> Verdict:
        """Refuse a placeholder, and reject its first copy, which was kept; a person can restore it."""
        detail = f"the same file on {PLACEHOLDER_PAGES} pages of this host"
        self._placeholders.add(picture.body)
        if duplicate is not None and duplicate.body == picture.body and not duplicate.protected:
            batch.flush()
            self._dataset.reject([duplicate.id], by="harvest", reason=detail)
            self._present.forget(duplicate)
            self._rejected.add(duplicate)
            self.set_aside += 1
        return batch.refuse(task, Refusal(Verdict.PLACEHOLDER, detail), duplicate.id if duplicate else None)


def _is_better(task: Task, picture: Picture, duplicate: KnownPicture) -> bool:
    """Return whether a picture replaces its duplicate: for an open licence, else for a larger original.

    A file that a person edited or added is never replaced, and nothing is replaced by its equal.
    """
    if duplicate.protected:
        return False
    area = picture.original_width * picture.original_height
    return (task.hit.licence.is_open, area) > (duplicate.open_licence, duplicate.area)


class KnownPictures:
    """Pictures of a dataset to recognise: exactly by bytes or pixels, approximately by fingerprint.

    In memory are 0.6 kB of each, its hashes; the others of its 3 kB are read from the ledger when it is compared.
    """

    def __init__(self, pictures: Iterable[KnownPicture], dataset: DatasetReader) -> None:
        self._dataset = dataset
        self._exact = EqualHashIndex()
        self._duplicates = DuplicateIndex(self._remember_all(pictures), load=dataset.load_fingerprints)

    def _remember_all(self, pictures: Iterable[KnownPicture]) -> Iterator[tuple[int, Fingerprint]]:
        for known in pictures:
            self._exact.add(known.id, _names(known))
            if known.fingerprint is not None:
                yield known.id, known.fingerprint

    def add(self, known: KnownPicture) -> None:
        """Add a picture."""
        for number, fingerprint in self._remember_all([known]):
            self._duplicates.add(number, fingerprint)

    def forget(self, known: KnownPicture) -> None:
        """Remove a picture."""
        self._exact.discard(known.id)
        self._duplicates.discard(known.id)

    def find_exact(self, picture: Picture | KnownPicture) -> KnownPicture | None:
        """Return the picture with the same bytes or pixels."""
        for name in _names(picture):
            known = self._load(self._exact.find(name))
            if known is not None and name in _names(known):
                return known
        return None

    def find(self, picture: Picture | KnownPicture) -> tuple[KnownPicture | None, tuple[int, ...]]:
        """Return the picture that is certainly the same, and the ids of those that may be copies."""
        certain, probable = self._duplicates.find(picture.fingerprint) if picture.fingerprint else ((), ())
        same = self.find_exact(picture) or self._load(certain[0] if certain else None)
        return same, tuple(number for number in probable if same is None or number != same.id)

    def _load(self, number: int | None) -> KnownPicture | None:
        return None if number is None else self._dataset.load_known([number]).get(number)


def _names(picture: Picture | KnownPicture) -> list[str]:
    """Return the hashes that identify a picture."""
    return [name for name in (picture.body, picture.pixels, picture.content) if name]


@dataclass(slots=True)
class _Batch:
    """Collects placements and verdicts, so that a batch takes a few commits and not hundreds."""

    dataset: Dataset
    present: KnownPictures
    placements: list[Placement] = field(default_factory=list)
    verdicts: list[HitVerdict] = field(default_factory=list)
    _arriving: DuplicateIndex = field(default_factory=DuplicateIndex)
    _names: set[str] = field(default_factory=set)

    def refuse(self, task: Task, refusal: Refusal, picture: int | None = None) -> Verdict:
        self.verdicts.append(HitVerdict(task.id, refusal.verdict, refusal.detail, picture))
        return refusal.verdict

    def place(
        self, task: Task, picture: Picture, *, similar: tuple[int, ...], replaces: KnownPicture | None = None
    ) -> Verdict:
        self._arriving.add(len(self.placements), picture.fingerprint)
        self._names |= {picture.body, picture.pixels, picture.content}
        self.placements.append(Placement(task, picture, replaces, similar))
        if replaces is None:
            return Verdict.KEPT
        # Rejected where a person has rejected, in the meantime, the picture that it was to replace.
        return Verdict.BETTER if picture.content in self.flush() else Verdict.REJECTED

    def flush_before(self, picture: Picture) -> None:
        """Write what is collected if it has a copy of the next picture: one rule then decides all."""
        names = (picture.body, picture.pixels, picture.content)
        if any(name in self._names for name in names) or any(self._arriving.find(picture.fingerprint)):
            self.flush()

    def flush(self) -> set[str]:
        """Write what is collected, add it to the known pictures, and return the content hashes of those placed."""
        for placement in self.placements:
            if placement.replaces is not None:
                self.present.forget(placement.replaces)
        placed = self.dataset.place(self.placements)
        for known in placed:
            self.present.add(known)
        self.dataset.record_verdicts(self.verdicts)
        self.placements, self.verdicts = [], []
        self._arriving, self._names = DuplicateIndex(), set()
        return {known.content for known in placed}
