"""Decide for every downloaded picture whether it is new, a duplicate or rejected, and record the decision.

The order of the checks matters: a picture on disk outranks a rejection of the same fingerprint, a rejection outranks
a new picture, and of two duplicates the better one is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from harvest.dataset import HitVerdict, Placement
from harvest.duplicates.index import DuplicateIndex
from harvest.harvesting.known_pictures import KnownPictures, Match, list_hashes
from harvest.models import Outcome, Picture, Refusal
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harvest.dataset import Dataset, KnownPicture
    from harvest.models import Task

# The same file on this many pages of one host is a placeholder that the host serves instead of the image.
PLACEHOLDER_PAGES = 5


class _Lookup(NamedTuple):
    """What is known of a picture that was downloaded."""

    present: Match
    rejected: Match = Match()  # looked up where none is present
    is_exact: bool = False  # the bytes or pixels of the present one are the same; copies were not looked up


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
        pictures = [outcome.result for outcome in outcomes if isinstance(outcome.result, Picture)]
        lookups = iter(self._look_up(pictures))
        verdicts = []
        for outcome in outcomes:
            if isinstance(outcome.result, Refusal):
                verdicts.append(batch.refuse(outcome.task, outcome.result))
            else:
                known = self._look_up_again(batch, outcome.result, next(lookups))
                verdicts.append(self._decide(batch, outcome.task, outcome.result, known))
        batch.flush()
        return verdicts

    def _look_up(self, pictures: Sequence[Picture]) -> list[_Lookup]:
        """Look up pictures; only those that are not present with the same bytes are compared by fingerprint."""
        lookups = [
            _Lookup(Match(known), is_exact=known is not None) for known in self._present.find_all_exact(pictures)
        ]
        inexact = [number for number, lookup in enumerate(lookups) if not lookup.is_exact]
        for number, match in zip(inexact, self._present.find_all([pictures[each] for each in inexact]), strict=True):
            lookups[number] = _Lookup(match)
        new = [number for number in inexact if lookups[number].present.same is None]
        if new:
            for number, match in zip(new, self._rejected.find_all([pictures[each] for each in new]), strict=True):
                lookups[number] = lookups[number]._replace(rejected=match)
        return lookups

    def _look_up_again(self, batch: _Batch, picture: Picture, lookup: _Lookup) -> _Lookup:
        """Look a picture up again if earlier ones of its batch changed the result."""
        if self._present.has_forgotten(lookup.present):
            [lookup] = self._look_up([picture])
        if not lookup.is_exact and batch.has_copy(picture):
            batch.flush()  # one rule then decides all
            [lookup] = self._look_up([picture])
        return lookup

    def _decide(self, batch: _Batch, task: Task, picture: Picture, lookup: _Lookup) -> Verdict:
        duplicate, similar = lookup.present
        if duplicate is not None and lookup.is_exact and _is_better(task, picture, duplicate):
            duplicate, similar = self._present.find(picture)
        if self._is_placeholder_image(task, picture, duplicate):
            return self._set_aside(batch, task, picture, duplicate)
        if duplicate is None:
            if lookup.rejected.same is not None:
                refusal = Refusal(Verdict.REJECTED, "you rejected this image")
                return batch.refuse(task, refusal, lookup.rejected.same.id)
            return batch.place(task, picture, similar=(*similar, *lookup.rejected.similar))
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


@dataclass(slots=True)
class _Batch:
    """Collects placements and verdicts, so that a batch takes a few commits and not hundreds."""

    dataset: Dataset
    present: KnownPictures
    placements: list[Placement] = field(default_factory=list)
    verdicts: list[HitVerdict] = field(default_factory=list)
    _pictures: DuplicateIndex = field(default_factory=DuplicateIndex)
    _hashes: set[str] = field(default_factory=set)

    def refuse(self, task: Task, refusal: Refusal, picture: int | None = None) -> Verdict:
        self.verdicts.append(HitVerdict(task.id, refusal.verdict, refusal.detail, picture))
        return refusal.verdict

    def place(
        self, task: Task, picture: Picture, *, similar: tuple[int, ...], replaces: KnownPicture | None = None
    ) -> Verdict:
        self._pictures.add(len(self._pictures), picture.fingerprint)
        self._hashes.update(list_hashes(picture))
        self.placements.append(Placement(task, picture, replaces, similar))
        if replaces is None:
            return Verdict.KEPT
        # Rejected where a person has rejected, in the meantime, the picture that it was to replace.
        return Verdict.BETTER if picture.content in self.flush() else Verdict.REJECTED

    def has_copy(self, picture: Picture) -> bool:
        """Return whether the batch has placed a copy of a picture."""
        is_known = not self._hashes.isdisjoint(list_hashes(picture))
        return is_known or any(self._pictures.find(picture.fingerprint))

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
        return {known.content for known in placed}
