"""Write the images of a dataset in another size into a new dataset, from the originals that were kept."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harvest.dataset import Dataset
from harvest.dataset.ledger_and_lock import check_is_dataset
from harvest.errors import UsageError
from harvest.files.ledger_names_to_paths import FileKey
from harvest.ledger.expected_images_tables import RejectedImage
from harvest.ledger.image_output_settings import MOST_QUALITY, MOST_SIZE, dump_transform
from harvest.models import Outcome, Recipe
from harvest.reproduce.build_under_temporary_name import NewDataset
from harvest.reproduce.collect_records import RecordCollector
from harvest.reproduce.fetch_expected_images import rebuild_dataset, summarize_rebuild
from harvest.reproduce.find_expected_image_workers import RebuildWorkers
from harvest.reproduce.format_records import digest_records
from harvest.reproduce.import_records import RecordImporter
from harvest.reproduce.recipe_records import RecipeImage, RecipeRecord
from harvest.reproduce.replay_recipe import make_local_workers, open_client

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

    from harvest.harvesting.download import LocalWorkers
    from harvest.harvesting.summary import Summary
    from harvest.ledger.expected_images_tables import ExpectedImage
    from harvest.ledger.recipe_rows import ImageRow
    from harvest.models import Task
    from harvest.reproduce.rebuild_summary import RebuildSummary


_WORD = "rendered"


def render_dataset(
    dataset: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    size: int = 299,
    pad: bool = True,
    quality: int = 90,
    keep_originals: bool = False,
    proxy: str | None = None,
    connections: int = 32,
    progress: Callable[[Summary], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> RebuildSummary:
    """Write every image of a dataset with another size, padding or quality into the new dataset `out`.

    Images are made from their originals in `DATASET.raw`; one without an original is downloaded again. Images that a
    person added are copied as they are. Decisions, splits and rejections are kept. `dataset` is not changed. The
    same call continues one that was interrupted.
    """
    if not 0 <= size <= MOST_SIZE or not 1 <= quality <= MOST_QUALITY:
        raise UsageError(f"size must be 0 to {MOST_SIZE:,} and quality 1 to {MOST_QUALITY}.")
    check_is_dataset(Path(dataset))
    recipe = Recipe(size=size, pad=pad, quality=quality, min_size=1, keep_original=keep_originals)
    with Dataset.open(dataset, read_only=True, say=say) as source:
        records = _SourceRecords(source)
        new = NewDataset(out, records.digest(dump_transform(recipe)))
        if not new.is_finished:
            with new.open(lambda target: _expect_images(target, records, recipe), say) as target:

                def make_workers(expected: Mapping[int, ExpectedImage]) -> OriginalWorkers:
                    client = open_client(proxy=proxy, connections=connections, say=say)
                    local = make_local_workers(client, expected, keep_originals=keep_originals)
                    return OriginalWorkers(local, expected, source)

                _copy_own_images(source, target)
                summary = rebuild_dataset(target, make_workers, progress=progress)
                if None in summary.counts or summary.is_interrupted:
                    return replace(summary, word=_WORD)
                target.rebuild.finish()
        new.publish()
    with Dataset.open(out, say=say) as done:
        return replace(summarize_rebuild(done), word=_WORD)


class _SourceRecords:
    """The records of a dataset on this machine; an edited image is described by the file that it is now."""

    def __init__(self, source: Dataset) -> None:
        self.rows = source.recipe_rows

    def __iter__(self) -> Iterator[RecipeRecord]:
        for record in RecordCollector(self.rows, is_public=False).collect():
            if isinstance(record, RecipeImage) and (row := self.rows.image(record.picture)) and row.is_edited:
                yield replace(record, body=record.content, pixels=None)
            else:
                yield record

    def digest(self, transform: str) -> str:
        """Return a digest of the records and of how the images are written."""
        return hashlib.sha256(f"{transform}\n{digest_records(self)}".encode()).hexdigest()


def _expect_images(target: Dataset, records: _SourceRecords, recipe: Recipe) -> None:
    def describe_rejected(record: RecipeImage) -> RejectedImage | None:
        row = records.rows.image(record.picture)
        return row and describe_rejection(row)

    importer = RecordImporter(target.rebuild, recipe=recipe, rejected_image=describe_rejected)
    importer.add_all(records)


def describe_rejection(row: ImageRow) -> RejectedImage:
    """Return a rejected image with the fingerprint that recognises its copies."""
    return RejectedImage(row.class_name, row.name, row.content, row.body, row.pixels, row.fingerprint, row.is_own)


def _copy_own_images(source: Dataset, target: Dataset) -> None:
    """Copy the images that a person added, as they are, and the others without a source."""
    for row in source.recipe_rows.images():
        if row.state == "present" and (row.is_own or row.hit is None):
            data = source.read_file(FileKey(row.class_name, row.name))
            if data is not None:
                target.add_own_file(row.class_name, row.name, data)
    target.reconcile()
    target.rebuild.settle_own()


class _Original(NamedTuple):
    """The file that an image is made from."""

    spot: FileKey
    digest: str


class OriginalWorkers(RebuildWorkers):
    """Make images from originals on this disk; only an image without one is downloaded."""

    def __init__(self, local: LocalWorkers, expected: Mapping[int, ExpectedImage], source: Dataset) -> None:
        super().__init__(local, expected)
        self._source = source
        self._originals = _find_originals(source)
        self._is_stopped = False

    async def work(self, task: Task) -> Outcome:
        """Return the image that is made from its original."""
        if self._is_stopped:
            raise asyncio.CancelledError
        expected = self._expected[task.id]
        original = self._originals.get((expected.class_name, expected.content))
        data = None if original is None else await asyncio.to_thread(self._read, original)
        if data is None:
            return await super().work(task)
        return Outcome(task, await self._local.process(data, task))

    def stop(self) -> None:
        """Make no more images."""
        self._is_stopped = True
        super().stop()

    def _read(self, original: _Original) -> bytes | None:
        """Return an original, or `None` if its file is missing or is another one now."""
        data = self._source.read_file(original.spot)
        return data if data is not None and hashlib.sha256(data).hexdigest() == original.digest else None


def _find_originals(source: Dataset) -> dict[tuple[str, str], _Original]:
    """Return the file to make each image from, by class and content: for an edited image the edited file."""
    kept = source.find_originals()
    found = {}
    for row in source.recipe_rows.images():
        if row.state != "present" or row.is_own:
            continue
        if row.is_edited:
            found[row.class_name, row.content] = _Original(FileKey(row.class_name, row.name), row.content)
        elif row.raw in kept and row.body is not None:
            found[row.class_name, row.content] = _Original(kept[row.raw], row.body)
    return found
