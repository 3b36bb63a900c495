"""Merge two datasets into a new one, by the rules of a harvest.

All images are judged in one order that does not depend on which dataset is named first: what a person decided comes
first, then open licences, then larger originals. So of two copies the better one stays, as in a harvest, and both
orders give the same tree. A rejection of either dataset counts for both.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.dataset import Dataset
from harvest.dataset.ledger_and_lock import check_is_dataset
from harvest.errors import UsageError
from harvest.harvesting.deduplicate import Deduplicator
from harvest.harvesting.known_pictures import KnownPictures
from harvest.licences import Licence
from harvest.models import Outcome
from harvest.reproduce.build_under_temporary_name import NewDataset
from harvest.reproduce.import_records import RecordImporter
from harvest.reproduce.merge_source import MergeSource, as_picture, find_common_names
from harvest.reproduce.render_dataset import describe_rejection
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from harvest.dataset import KnownPicture
    from harvest.ledger.expected_images_tables import ExpectedImage, LeftImage, RejectedImage
    from harvest.models import Picture
    from harvest.reproduce.recipe_records import RecipeImage

_BATCH = 64  # images in memory at a time


@dataclass(frozen=True, slots=True)
class MergeSummary:
    """The images of a merged dataset by class, and what was left out."""

    classes: dict[str, int]
    duplicates: int
    rejected: int
    conflicts: int
    damaged: int = 0  # in the shards of the two


def merge_datasets(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    say: Callable[[str], None] | None = None,
) -> MergeSummary:
    """Merge two datasets into the new dataset `out`, and return what it contains.

    Duplicates and conflicts are decided as in a harvest; rejections, decisions, splits and sources of both are kept.
    Images that are damaged in their shards are left out, and `say` is called with a sentence for each shard. Neither
    dataset is changed. The same call continues one that was interrupted.
    """
    for path in map(Path, (first, second)):
        check_is_dataset(path)
    if Path(first).samefile(second):
        raise UsageError(f"{first} and {second} are the same dataset.", "Name two datasets.")
    with ExitStack() as opened:
        datasets = [opened.enter_context(Dataset.open(path, read_only=True, say=say)) for path in (first, second)]
        names = find_common_names(
            {row.class_name for each in datasets for row in each.recipe_rows.images()}
            | {row.class_name for each in datasets for row in each.recipe_rows.searches()}
        )
        sources = sorted((MergeSource(each, names) for each in datasets), key=MergeSource.digest)
        digest = hashlib.sha256("".join(source.digest() for source in sources).encode()).hexdigest()
        new = NewDataset(out, digest)
        if not new.is_finished:
            with new.open(lambda target: _expect_images(target, sources), say) as target:
                _Merge(target, sources).run()
                target.rebuild.finish()
        new.publish()
        damaged = sum(_report_damage(each, say) for each in datasets)
    with Dataset.open(out, say=say) as done:
        verdicts = done.rebuild.count_verdicts()
        return MergeSummary(
            classes=done.counts(),
            duplicates=verdicts.get(Verdict.DUPLICATE, 0) + verdicts.get(Verdict.HAD, 0),
            rejected=verdicts.get(Verdict.REJECTED, 0),
            conflicts=len(done.conflicts()),
            damaged=damaged,
        )


def _report_damage(source: Dataset, say: Callable[[str], None] | None) -> int:
    """Call `say` with the damaged images that were to be read, and return their number."""
    damaged = source.damaged_shard_images
    if say is not None:
        for sentence in damaged.describe():
            say(f"{source.root}: {sentence}")
    return len(damaged)


def _expect_images(target: Dataset, sources: Sequence[MergeSource]) -> None:
    """Record searches, results, rejections and decisions of all sources, and the images in their order."""
    found: list[tuple[int, ExpectedImage]] = []
    for source in sources:

        def describe_rejected(record: RecipeImage, source: MergeSource = source) -> RejectedImage | None:
            row = source.rows.image(record.picture)
            return row and describe_rejection(row)._replace(class_name=record.class_name)

        def take(_record: RecipeImage, hit: int, image: ExpectedImage) -> None:
            found.append((hit, image))

        importer = RecordImporter(target.rebuild, rejected_image=describe_rejected, take_image=take)
        importer.add_all(source.records())
    licences = target.rebuild.licences()
    expected: set[int] = set()
    for hit, image in sorted(found, key=lambda each: _order(each[1], Licence(licences.get(each[0])))):
        if hit not in expected:  # of one search result, the image that comes first
            expected.add(hit)
            target.rebuild.expect_image(hit, image)


def _order(image: ExpectedImage, licence: Licence) -> tuple[object, ...]:
    area = (image.original_width or 0) * (image.original_height or 0)
    return not image.is_touched, not licence.is_open, -area, image.class_name, image.content


class _Merge:
    """Places the images of the sources in a dataset in which they are expected."""

    def __init__(self, target: Dataset, sources: Sequence[MergeSource]) -> None:
        self._target = target
        self._sources = sources
        enforced: set[tuple[str, str]] = set()
        outranked: set[tuple[str, str]] = set()
        for source in sources:
            these, those = source.find_unenforced()
            enforced |= these
            outranked |= those
        self._ignored = outranked - enforced

    def run(self) -> None:
        """Place everything that is left: first what a person decided about, which nothing then replaces."""
        self._target.rebuild.settle_placed()
        self._copy_own()
        for touched in (True, False):
            deduplicator = Deduplicator(self._target, is_enforced=self._is_enforced)
            while left := self._target.rebuild.list_left(_BATCH, touched=touched):
                self._place(left, deduplicator)

    def _place(self, left: Sequence[LeftImage], deduplicator: Deduplicator) -> None:
        outcomes = []
        results = []
        for task, content in left:
            loaded = (source.load_picture(task.class_name, content) for source in self._sources)
            picture = next((each for each in loaded if each is not None), None)
            if picture is None:
                results.append((task.id, "gone", "its file is missing"))
            else:
                outcomes.append(Outcome(task, picture))
        verdicts = deduplicator.record_outcomes(outcomes)
        placed = [each.task.id for each, verdict in zip(outcomes, verdicts, strict=True) if verdict is Verdict.KEPT]
        for outcome, verdict in zip(outcomes, verdicts, strict=True):
            if verdict is not Verdict.KEPT:
                results.append((outcome.task.id, "gone", verdict.wording))
        self._target.rebuild.settle(placed)
        self._target.rebuild.record_results(results)

    def _is_enforced(self, known: KnownPicture) -> bool:
        return (known.class_name, known.content) not in self._ignored

    def _copy_own(self) -> None:
        """Copy the files that a person added, except those that are rejected in the other dataset."""
        rejected = KnownPictures(filter(self._is_enforced, self._target.list_rejected()), self._target)
        own = [(row, source) for source in self._sources for row in source.own_images()]
        for row, source in sorted(own, key=lambda each: (each[0].class_name, each[0].name, each[0].content)):
            data = source.read_own(row)
            if data is not None and not self._is_rejected(as_picture(row, data), rejected):
                self._target.add_own_file(row.class_name, row.name, data)
        self._target.reconcile()
        self._target.rebuild.settle_own()

    @staticmethod
    def _is_rejected(picture: Picture | None, rejected: KnownPictures) -> bool:
        return picture is not None and rejected.find(picture).same is not None
