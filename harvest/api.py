"""The whole job in one call, for notebooks and the command line: queries in, class folders and a summary out."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvest import credentials
from harvest import providers as registry
from harvest.harvesting.run import HarvestRun
from harvest.option_fields import all_options, expand_options, from_keywords, keyword_parameters
from harvest.options import RunOptions, WorkerKind
from harvest.queries.query_file import read_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from harvest.errors import HarvestError
    from harvest.harvesting.summary import Summary
    from harvest.harvesting.worker_settings import MakeWorkers
    from harvest.models import Query


def harvest(
    queries: str | os.PathLike[str] | Sequence[Query],
    providers: Sequence[str] | str = "ALL",
    out: str | os.PathLike[str] = "dataset",
    *,
    progress: Callable[[Summary], None] | None = None,
    say: Callable[[str | HarvestError], None] | None = None,
    **options: Any,
) -> Summary:
    """Harvest images into one folder per class, and return the summary of the run.

    `queries` is the path of a query file or a list of `Query`. `progress` is called a few times a second with the
    summary so far; `say` is called with messages, each a text or the error of a source that cannot work, and may
    be `print`.
    """
    unknown = options.keys() - {parameter.name for parameter in _PARAMETERS}
    if unknown:
        raise TypeError(f"harvest() got an unexpected keyword argument {min(unknown)!r}")
    run_options = from_keywords(RunOptions, {**options, "providers": providers, "out": out})
    if isinstance(queries, (str, os.PathLike)):
        queries = read_queries(Path(queries), providers=registry.names(), warn=say)
    environ = credentials.environ()
    cluster = _choose_cluster(run_options, environ)
    return HarvestRun(run_options, queries, environ, progress=progress, say=say, cluster=cluster).run()


def _choose_cluster(options: RunOptions, environ: Mapping[str, str]) -> AbstractContextManager[MakeWorkers] | None:
    """Return the Ray cluster of a run, not joined yet, or `None` for workers in this process."""
    if options.workers is WorkerKind.LOCAL:
        return None
    from harvest.distributed import ray_cluster  # noqa: PLC0415 - most runs need none

    ray_cluster.require_ray()
    address = options.ray_address or environ.get(ray_cluster.ADDRESS_VARIABLE) or None
    return ray_cluster.open_cluster(address, options.ray_workers)


_PARAMETERS = [each for each in keyword_parameters(RunOptions) if each.name not in {"providers", "out"}]


def _document_options() -> None:
    """Show the declared options in the signature and the documentation of `harvest`."""
    signature = expand_options(inspect.signature(harvest), _PARAMETERS)
    harvest.__signature__ = signature  # type: ignore[attr-defined]
    names = {each.name for each in _PARAMETERS}
    lines = [
        f"    {field.keyword}: {'if False: ' if field.option.turns_off else ''}{field.option.help}"
        for field in all_options(RunOptions)
        if field.option is not None and field.keyword in names
    ]
    harvest.__doc__ = "\n".join(
        [(harvest.__doc__ or "").rstrip(), "", "    Options, as on the command line:", "", *lines]
    )


_document_options()
