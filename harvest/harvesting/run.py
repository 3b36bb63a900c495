"""One run from start to end: choose the providers, open the dataset, run the pipeline, add up the summary."""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from harvest import providers as registry
from harvest.contain_unexpected_errors import ENDS_THE_RUN, provider_failure
from harvest.counts_as_text import count_images
from harvest.dataset import Dataset
from harvest.default_callbacks import ignore_message
from harvest.errors import HarvestError, ProviderError, UsageError
from harvest.files.check_names_and_cells import check_component
from harvest.harvesting.deduplicate import Deduplicator
from harvest.harvesting.event_loop_thread import run_in_thread
from harvest.harvesting.pipeline import Pipeline
from harvest.harvesting.summary import ProviderProblem, Summary
from harvest.harvesting.target import WINDOW
from harvest.harvesting.worker_settings import DownloadSettings, make_local_workers
from harvest.options import Sink, unsupported_filters
from harvest.verdicts import Verdict
from harvest.web.image_client import ImageLimits
from harvest.web.request_search_pages import SearchSession
from harvest.web.user_agent import CONTACT_VARIABLE

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from harvest.harvesting.download import RunWorkers
    from harvest.harvesting.worker_settings import MakeWorkers
    from harvest.models import Query, Recipe
    from harvest.options import RunOptions
    from harvest.providers.base import Provider

_INTERNAL_ERRORS = (
    "{} hits failed with an internal error of harvest. Run the same command with --log FILE and report"
    " the traceback in FILE to the developers."
)

MANY_FILES = 500_000  # in class folders: from here on, listing, copying and training take long
_MANY_FILES = (
    "The class folders contain {:,} files, which file systems and loaders handle slowly."
    " With --sink shards, new images are written into tar files instead."
)


class HarvestRun:
    """One run over one dataset, which a KeyboardInterrupt stops cleanly."""

    def __init__(
        self,
        options: RunOptions,
        queries: Sequence[Query],
        environ: Mapping[str, str],
        *,
        progress: Callable[[Summary], None] | None = None,
        say: Callable[[str | HarvestError], None] | None = None,
        cluster: AbstractContextManager[MakeWorkers] | None = None,
    ) -> None:
        self.options = options
        self._cluster = cluster or nullcontext(make_local_workers)
        environ = {**environ, **options.provider_settings}
        _check_queries(queries)
        self._contact = environ.get(CONTACT_VARIABLE, "").strip()
        self._queries = [options.apply_filters(query) for query in queries]
        self._progress = progress
        self._say = say or ignore_message
        chosen = _select_providers(options.providers, environ)
        wanted = {name for query in self._queries for name in query.providers or chosen}
        names = sorted(wanted, key=registry.names().index)
        self._default_providers = chosen
        self.summary = Summary(
            classes=tuple(dict.fromkeys(query.class_name for query in self._queries)),
            providers=tuple(names),
            target=options.target,
            dry_run=options.dry_run,
        )
        self._trusted: dict[str, frozenset[str]] = {}
        self._providers: list[Provider] = []
        for name in names:
            kind = registry.get(name)
            with self._isolate_failure(name):
                self._providers.append(kind(environ))

    @contextmanager
    def _isolate_failure(self, name: str) -> Iterator[None]:
        """Record whatever a provider raises as its own problem: it is left out, and the others continue."""
        try:
            yield
        except ProviderError as error:
            problem = error
        except ENDS_THE_RUN:
            raise
        except Exception as bug:  # noqa: BLE001 - a provider may be third-party code
            problem = provider_failure(bug, name)
        else:
            return
        self.summary.problems.append(ProviderProblem(name, problem))
        self._say(problem)

    def _check(self) -> None:
        """Report the sources that cannot work here, and the filters that a source does not support."""
        for provider in self._providers:
            with self._isolate_failure(provider.name):
                provider.check()
                self._trusted[provider.name] = provider.trusted_hosts
                if flags := self._unsupported_flags(provider):
                    self._say(
                        f"{provider.label} does not support {', '.join(flags)}: its results are not filtered by it"
                    )
                for note in provider.notes():
                    self._say(note)

    def _unsupported_flags(self, provider: Provider) -> list[str]:
        flags = [
            flag
            for query in self._queries_for(provider)
            for flag in unsupported_filters(query.filters, provider.supported_filters)
        ]
        return list(dict.fromkeys(flags))

    def _queries_for(self, provider: Provider) -> list[Query]:
        return [query for query in self._queries if provider.name in (query.providers or self._default_providers)]

    def run(self) -> Summary:
        """Run to the end; a KeyboardInterrupt stops the run within two seconds."""
        started = time.monotonic()
        self._check()
        if {problem.provider for problem in self.summary.problems} >= set(self.summary.providers):
            return self.summary  # no source can be searched: no folder is made and no dataset opened
        try:
            # A cluster is started or joined first: if that fails, nothing is written.
            with (
                nullcontext(None) if self.options.dry_run else self._cluster as make_workers,
                Dataset.open(
                    self.options.out,
                    create=not self.options.dry_run,
                    exclusive=not self.options.dry_run,
                    read_only=self.options.dry_run,
                    accept_missing=self.options.accept_missing,
                    new_ledger=self.options.new_ledger,
                    say=self._say,
                ) as dataset,
            ):
                for text in dataset.describe_skipped():
                    self._say(text)
                self._harvest_into(dataset, make_workers)
        finally:
            for provider in self._providers:
                with self._isolate_failure(provider.name):
                    provider.close()
        self.summary.seconds = time.monotonic() - started
        if self._progress is not None:
            self._progress(self.summary)  # the final state, also of a run too short for any other call
        return self.summary

    def _harvest_into(self, dataset: Dataset, make_workers: MakeWorkers | None) -> None:
        summary = self.summary
        summary.kept = {name: dataset.count_present(name) for name in summary.classes}
        if dataset.provenance_read:
            summary.notes.append(
                f"new ledger: the sources of {count_images(dataset.provenance_read)} were read from their files"
            )
        dataset.retry_verdicts(self.options.verdicts_to_retry)
        if other := _describe_other_forms(self.options.recipe, dataset.record_transform(self.options.recipe)):
            self._say(other)
        sink = self.options.choose_sink(has_shards=dataset.has_shards())
        dataset.use_shards(self.options.shard_size << 20 if sink is Sink.SHARDS else None)
        deduplicator = Deduplicator(dataset)
        if jobs := self._jobs(dataset):
            workers = make_workers and make_workers(self._download_settings(jobs), self._say)
            self._run_pipeline(dataset, deduplicator, jobs, workers)
        if not summary.dry_run:
            dataset.check_is_in_place()
        summary.kept = {name: dataset.count_present(name) for name in summary.classes}
        summary.conflicts = len(dataset.conflicts())
        summary.pictures = sum(dataset.counts().values())
        licensed = dataset.count_licensed()
        summary.licence_known = sum(licensed.get(name, 0) for name in summary.classes)
        summary.made_with_ai = dataset.count_made_with_ai()
        summary.set_aside = deduplicator.set_aside
        summary.near_duplicates = sum(map(len, dataset.near_duplicates()))
        if sink is Sink.FOLDERS and (files := summary.pictures - dataset.count_in_shards().images) >= MANY_FILES:
            summary.notes.append(_MANY_FILES.format(files))
        if damage := dataset.damage():
            self._say(damage)

    def _jobs(self, dataset: Dataset) -> list[tuple[Provider, list[Query]]]:
        """Return each working provider with its queries, except those for a class whose folder was renamed."""
        failed = {problem.provider for problem in self.summary.problems}
        # Only classes that the query file still has: it may have the new name by now.
        renamed = {old: new for old, new in dataset.changes.renamed.items() if old in self.summary.classes}
        for old, new in renamed.items():
            self.summary.notes.append(
                f"The folder of class {old} was renamed to {new}: nothing was downloaded for it. "
                f"Write {new} in the query file, or rename the folder back to {old}."
            )
        jobs = []
        for provider in self._providers:
            queries = [query for query in self._queries_for(provider) if query.class_name not in renamed]
            if queries and provider.name not in failed:
                jobs.append((provider, queries))
        return jobs

    def _run_pipeline(
        self,
        dataset: Dataset,
        deduplicator: Deduplicator,
        jobs: Sequence[tuple[Provider, Sequence[Query]]],
        workers: RunWorkers | None,
    ) -> None:
        """Run the pipeline with its workers, or without them in a dry run."""

        async def run() -> None:
            async with workers or nullcontext():
                await pipeline.run(jobs, self.options.hit_limit, self._open_session)

        pipeline = Pipeline(
            dataset,
            deduplicator,
            self.summary,
            workers,
            refresh=self.options.refresh,
            progress=self._progress,
            window=workers.window if workers else WINDOW,
        )
        run_in_thread(run, stop=pipeline.stop)
        self.summary.notes += workers.notes if workers else []
        if left := self.summary.unrequested:
            self.summary.notes.append(f"images of these hosts that are left for the next run: {left:,}")
        if bugs := self.summary.total().verdicts[Verdict.INTERNAL_ERROR]:
            self.summary.notes.append(_INTERNAL_ERRORS.format(bugs))

    def _download_settings(self, jobs: Sequence[tuple[Provider, Sequence[Query]]]) -> DownloadSettings:
        return DownloadSettings(
            recipe=self.options.recipe,
            rules=self.options.statement_rules,
            limits=replace(ImageLimits(), connections=self.options.connections),
            proxy=self.options.proxy,
            allow_private=self.options.allow_private,
            trusted=frozenset().union(*(self._trusted[provider.name] for provider, _ in jobs)),
            obey_opt_out=self.options.obey_opt_out,
            obey_robots=self.options.obey_robots,
            contact=self._contact,
        )

    def _open_session(self, provider: Provider, stopping: threading.Event) -> SearchSession:
        return SearchSession(
            pace=provider.pace,
            proxy=self.options.proxy,
            stop=stopping,
            say=self._say,
            name=provider.label,
            secrets=provider.secrets,
        )


def _describe_other_forms(recipe: Recipe, earlier: Iterable[Recipe]) -> str:
    """Return a sentence about the images of earlier runs that have another size or shape; empty if all are the same."""
    others = dict.fromkeys(each.form for each in earlier if each.form != recipe.form)
    if not others:
        return ""
    return (
        f"new images are written with {recipe.form}, those of earlier runs with {', '.join(others)}: to keep one form,"
        " stop and use the options of the earlier run, or write all images again with harvest render"
    )


def _check_queries(queries: Sequence[Query]) -> None:
    """Check that each class can be a folder: queries from a file were checked, others were not."""
    if not queries:
        raise UsageError("There are no queries.")
    for query in queries:
        try:
            check_component(query.class_name)
        except ValueError as reason:
            raise UsageError(f"class {query.class_name!r} cannot be a folder: {reason}") from None


def _select_providers(providers: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """Replace `ALL` by its providers, check every name, and return them in the order of the registry."""
    wanted = {name.upper() for name in providers} or {"ALL"}
    named = {registry.get(name).name for name in wanted - {"ALL"}}
    if "ALL" in wanted:
        named |= set(registry.for_all(environ))
    return [name for name in registry.names() if name in named]
