"""The whole job in one call: queries in, class folders and a summary out. The command line calls this too."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harvest import credentials
from harvest import providers as registry
from harvest.dataset import Dataset
from harvest.errors import HarvestError, ProviderError, UsageError
from harvest.files.names import check_component
from harvest.harvesting.deduplicate import Deduplicator
from harvest.harvesting.download import LocalWorkers
from harvest.harvesting.pipeline import Pipeline
from harvest.harvesting.summary import ProviderProblem, Summary
from harvest.licences import LicenceFilter
from harvest.models import Filters, Query, Recipe, Safe
from harvest.options import RunOptions
from harvest.queries.query_file import read_queries
from harvest.unexpected import ENDS_THE_RUN, provider_failure
from harvest.verdicts import Verdict
from harvest.web.image_client import ImageClient, ImageLimits
from harvest.web.search_session import SearchSession

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harvest.providers.base import Provider

E = TypeVar("E", bound=StrEnum)

_INTERNAL_ERRORS = (
    "{} hits failed with an internal error of harvest. Run the same command with --log FILE and report"
    " the traceback in FILE to the developers."
)


def harvest(
    queries: str | os.PathLike[str] | Sequence[Query],
    providers: Sequence[str] | str = "ALL",
    out: str | os.PathLike[str] = "dataset",
    *,
    limit: int | None = None,
    target: int | None = None,
    size: int = 299,
    pad: bool = True,
    min_size: int = 200,
    keep_originals: bool = False,
    license: str = "any",  # noqa: A002 - the name of the option and of the column
    photos: bool = False,
    color: str | None = None,
    since: str | None = None,
    until: str | None = None,
    safe: str = "strict",
    language: str | None = None,
    region: str | None = None,
    site: str | None = None,
    refresh: bool = False,
    dry_run: bool = False,
    accept_missing: bool = False,
    new_ledger: bool = False,
    proxy: str | None = None,
    allow_private: bool = False,
    obey_opt_out: bool = True,
    connections: int = 32,
    google_pages: str | os.PathLike[str] | None = None,
    contact: str | None = None,
    progress: Callable[[Summary], None] | None = None,
    say: Callable[[str | HarvestError], None] | None = None,
) -> Summary:
    """Harvest pictures into one folder per class, and return the account of the run.

    `queries` is a query file or a list of `Query`; the options are those of the command line. `progress` is
    called a few times a second with the summary so far, `say` with what a person should know meanwhile, be it
    a text or, of a source that cannot work, an error. `say=print` will do.
    """
    order = RunOptions(
        providers=(providers,) if isinstance(providers, str) else tuple(providers),
        out=Path(out),
        limit=limit,
        target=target,
        recipe=Recipe(size=size, pad=pad, min_size=min_size, keep_original=keep_originals),
        filters=Filters(
            licence=_parse_choice(LicenceFilter, license, "license filter"),
            min_size=min_size,
            photos=photos,
            colour=color,
            since=since,
            until=until,
            safe=_parse_choice(Safe, safe, "safe search"),
            language=language,
            region=region,
            site=site,
        ),
        refresh=refresh,
        dry_run=dry_run,
        accept_missing=accept_missing,
        new_ledger=new_ledger,
        proxy=proxy,
        allow_private=allow_private,
        obey_opt_out=obey_opt_out,
        connections=connections,
    )
    if isinstance(queries, (str, os.PathLike)):
        queries = read_queries(Path(queries), providers=registry.names(), warn=say)
    settings = {"HARVEST_GOOGLE_PAGES": google_pages, "HARVEST_CONTACT": contact}
    given = {name: str(value) for name, value in settings.items() if value is not None}
    environ = {**credentials.environ(), **given}
    return HarvestRun(order, queries, environ, progress=progress, say=say).run()


class HarvestRun:
    """One run of the pipeline: chooses the providers, opens the dataset, and can be stopped."""

    def __init__(
        self,
        order: RunOptions,
        queries: Sequence[Query],
        environ: Mapping[str, str],
        *,
        progress: Callable[[Summary], None] | None = None,
        say: Callable[[str | HarvestError], None] | None = None,
    ) -> None:
        self.options = order
        _check_queries(queries)
        self._queries = [order.apply_filters(query) for query in queries]
        self._progress = progress
        self._say = say or _ignore_message
        chosen = _select_providers(order.providers, environ)
        wanted = {name for query in self._queries for name in query.providers or chosen}
        names = sorted(wanted, key=registry.names().index)
        self._chosen = chosen
        self.summary = Summary(
            classes=tuple(dict.fromkeys(query.class_name for query in self._queries)),
            providers=tuple(names),
            target=order.target,
            dry_run=order.dry_run,
        )
        self._trusted: dict[str, frozenset[str]] = {}
        self._providers: list[Provider] = []
        for name in names:
            kind = registry.get(name)
            with self._failing_alone(name):
                self._providers.append(kind(environ))

    @contextmanager
    def _failing_alone(self, name: str) -> Iterator[None]:
        """Make whatever a provider raises its own problem: it is left out, and the others go on."""
        try:
            yield
        except ProviderError as error:
            problem = error
        except ENDS_THE_RUN:
            raise
        except Exception as bug:  # noqa: BLE001 - a provider may be anybody's
            problem = provider_failure(bug, name)
        else:
            return
        self.summary.problems.append(ProviderProblem(name, problem))
        self._say(problem)

    def _check(self) -> None:
        """Say which sources cannot work here, and which know nothing of a filter, before any is asked."""
        for provider in self._providers:
            with self._failing_alone(provider.name):
                provider.check()
                self._trusted[provider.name] = provider.trusted_hosts
                if unheard := self.options.unsupported_by(provider.supported_filters):
                    self._say(
                        f"{provider.label} knows nothing of {', '.join(unheard)}: its hits are not narrowed by it"
                    )
                for note in provider.notes():
                    self._say(note)

    def run(self) -> Summary:
        """Run to the end; a KeyboardInterrupt winds down, which takes two seconds at most."""
        started = time.monotonic()
        self._check()
        if {problem.provider for problem in self.summary.problems} >= set(self.summary.providers):
            return self.summary  # nobody to ask: no folder is made and no dataset opened
        try:
            with Dataset.open(
                self.options.out,
                create=not self.options.dry_run,
                exclusive=not self.options.dry_run,
                read_only=self.options.dry_run,
                accept_missing=self.options.accept_missing,
                new_ledger=self.options.new_ledger,
                say=self._say,
            ) as dataset:
                for text in dataset.describe_skipped():
                    self._say(text)
                self._harvest_into(dataset)
        finally:
            for provider in self._providers:
                with self._failing_alone(provider.name):
                    provider.close()
        self.summary.seconds = time.monotonic() - started
        if self._progress is not None:
            self._progress(self.summary)  # the last word, also of a run too short for any other
        return self.summary

    def _harvest_into(self, dataset: Dataset) -> None:
        summary = self.summary
        summary.kept = {name: dataset.count_present(name) for name in summary.classes}
        if dataset.provenance_read:
            summary.notes.append(
                f"new ledger: read where {dataset.provenance_read:,} images come from back from their files"
            )
        dataset.retry_verdicts(self.options.verdicts_to_retry)
        placer = Deduplicator(dataset)
        if jobs := self._jobs(dataset):
            self._run_pipeline(dataset, placer, jobs)
        if not summary.dry_run:
            dataset.check_is_in_place()
        summary.kept = {name: dataset.count_present(name) for name in summary.classes}
        summary.conflicts = len(dataset.conflicts())
        summary.pictures = sum(dataset.counts().values())
        summary.licence_known = dataset.count_licensed()
        summary.set_aside = placer.set_aside
        if damage := dataset.damage():
            self._say(damage)

    def _jobs(self, dataset: Dataset) -> list[tuple[Provider, list[Query]]]:
        """Give each provider that works its queries, but none for a class whose folder was renamed."""
        out = {problem.provider for problem in self.summary.problems}
        # The query file may say the new name by now, or nothing of the class any more.
        renamed = {old: new for old, new in dataset.changes.renamed.items() if old in self.summary.classes}
        for old, new in renamed.items():
            self.summary.notes.append(
                f"class {old} is now the folder {new}: nothing was fetched for it. "
                f"Write {new} into the query file, or name the folder {old} again."
            )
        jobs = []
        for provider in self._providers:
            queries = [
                query
                for query in self._queries
                if provider.name in (query.providers or self._chosen) and query.class_name not in renamed
            ]
            if queries and provider.name not in out:
                jobs.append((provider, queries))
        return jobs

    def _run_pipeline(
        self, dataset: Dataset, placer: Deduplicator, jobs: Sequence[tuple[Provider, Sequence[Query]]]
    ) -> None:
        """Run the event loop in a thread: a notebook has one already, and signals must find this one free."""

        async def run() -> None:
            if self.options.dry_run:
                await pipeline.run(jobs, self.options.hit_limit, self._pages)
                return
            async with workers:
                await pipeline.run(jobs, self.options.hit_limit, self._pages)

        def run_loop() -> None:
            asyncio.run(run())  # made here: where no thread can be started, no coroutine is left behind

        workers = self._workers([provider for provider, _ in jobs])
        pipeline = Pipeline(
            dataset,
            placer,
            self.summary,
            None if self.options.dry_run else workers,
            refresh=self.options.refresh,
            progress=self._progress,
        )
        with ThreadPoolExecutor(1, thread_name_prefix="pipeline") as thread:
            done = thread.submit(run_loop)
            try:
                _wait(done)
            except KeyboardInterrupt:
                pipeline.stop()
                _wait(done)
        self.summary.notes += workers.describe_parked_hosts
        if bugs := self.summary.total().verdicts[Verdict.INTERNAL_ERROR]:
            self.summary.notes.append(_INTERNAL_ERRORS.format(bugs))

    def _workers(self, at_work: Sequence[Provider]) -> LocalWorkers:
        bodies = ImageClient(
            limits=replace(ImageLimits(), connections=self.options.connections),
            proxy=self.options.proxy,
            allow_private=self.options.allow_private,
            trusted=frozenset().union(*(self._trusted[provider.name] for provider in at_work)),
            obey_opt_out=self.options.obey_opt_out,
            say=self._say,
        )
        return LocalWorkers(bodies, self.options.recipe)

    def _pages(self, provider: Provider, stopping: threading.Event) -> SearchSession:
        return SearchSession(
            pace=provider.pace,
            proxy=self.options.proxy,
            stop=stopping,
            say=self._say,
            name=provider.label,
            secrets=provider.secrets,
        )


def _check_queries(queries: Sequence[Query]) -> None:
    """Refuse what cannot be a folder: queries need not come from a file, where that is checked."""
    if not queries:
        raise UsageError("There are no queries.")
    for query in queries:
        try:
            check_component(query.class_name)
        except ValueError as reason:
            raise UsageError(f"class {query.class_name!r} cannot be a folder: {reason}") from None


def _parse_choice(kind: type[E], value: str, name: str) -> E:
    try:
        return kind(value)
    except ValueError:
        raise UsageError(f"no {name} '{value}'.", f"There are {', '.join(kind)}.") from None


def _select_providers(providers: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """Spell out `ALL`, check every name, and keep the registry's order."""
    wanted = {name.upper() for name in providers} or {"ALL"}
    named = {registry.get(name).name for name in wanted - {"ALL"}}
    if "ALL" in wanted:
        named |= set(registry.for_all(environ))
    return [name for name in registry.names() if name in named]


def _wait(done: Future[None]) -> None:
    """Wait in short steps, so that a signal is heard at once on every platform."""
    while True:
        try:
            return done.result(timeout=0.2)
        except FutureTimeout:
            if done.done():
                raise


def _ignore_message(_text: str | HarvestError) -> None:
    """Say nothing: nobody listens."""
