"""Run the pipeline over the expected images of a dataset."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from harvest.harvesting.deduplicate import Deduplicator
from harvest.harvesting.event_loop_thread import run_in_thread
from harvest.harvesting.pipeline import Pipeline
from harvest.harvesting.summary import Summary
from harvest.reproduce.compare_and_place import ImageComparer
from harvest.reproduce.known_hits_for_pipeline import ExpectedImages, RebuildLedger
from harvest.reproduce.rebuild_summary import RebuildSummary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harvest.dataset import Dataset
    from harvest.harvesting.download import Workers
    from harvest.ledger.expected_images_tables import ExpectedImage

_LIMIT = 1_000_000


def rebuild_dataset(
    dataset: Dataset,
    make_workers: Callable[[Mapping[int, ExpectedImage]], Workers],
    *,
    accept_changed: bool = False,
    progress: Callable[[Summary], None] | None = None,
) -> RebuildSummary:
    """Download or read every image that is left, and return the results of all, also of earlier runs."""
    dataset.rebuild.settle_placed()
    dataset.rebuild.settle_own()
    expected = dataset.rebuild.expected_images()
    ledger = RebuildLedger(dataset.rebuild)
    queries = ledger.queries()
    summary = Summary(classes=tuple(query.class_name for query in queries), providers=(ExpectedImages.name,))
    summary.kept = {name: dataset.count_present(name) for name in summary.classes}
    comparer = ImageComparer(dataset, expected, accept_changed=Deduplicator(dataset) if accept_changed else None)
    workers = make_workers(expected)
    pipeline = Pipeline(ledger, comparer, summary, workers, progress=progress)

    async def run() -> None:
        async with workers:
            await pipeline.run([(ExpectedImages({}), queries)], _LIMIT, _open_no_session)

    if expected:
        run_in_thread(run, stop=pipeline.stop)
    if progress is not None:
        progress(summary)
    return summarize_rebuild(dataset, is_interrupted=summary.interrupted)


def summarize_rebuild(dataset: Dataset, *, is_interrupted: bool = False) -> RebuildSummary:
    """Return the results of all expected images."""
    counts = dataset.rebuild.count_results()
    return RebuildSummary(counts, tuple(dataset.rebuild.results()), is_interrupted=is_interrupted)


def _open_no_session(*_: Any) -> Any:
    """Open no search session: nothing is searched."""
    return nullcontext()
