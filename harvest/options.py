"""The options of a run, declared once: `harvest get` and `harvest()` derive theirs from here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from harvest.errors import UsageError
from harvest.models import Filters, Recipe, StatementRules
from harvest.option_fields import Option, changed_fields, check_ranges
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection

    from harvest.models import Query

LIMIT = 1000  # hits per provider and class, as in FastClass
UNLIMITED = 1_000_000  # with a target and no limit, a search continues as long as the source has results


class WorkerKind(StrEnum):
    """Where images are downloaded and processed."""

    LOCAL = "local"
    RAY = "ray"


class Sink(StrEnum):
    """Where new images are written: one file for each in its class folder, or tar files of many."""

    FOLDERS = "folders"
    SHARDS = "shards"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Everything about a run except its queries."""

    providers: Annotated[
        tuple[str, ...],
        Option(
            "-c",
            "--crawler",
            metavar="NAME",
            help="Source to search, in any case; repeatable. ALL: every usable source.  [default: ALL]",
        ),
    ] = ("ALL",)
    limit: Annotated[
        int | None,
        Option(
            "-m", "--max", "--maxnum", min=1, metavar="N", help="Maximum hits per source and class.  [default: 1000]"
        ),
    ] = None
    recipe: Recipe = field(default_factory=Recipe)
    out: Annotated[Path, Option("-o", "--out", "--outpath", metavar="FOLDER", help="Dataset folder.")] = Path("dataset")
    target: Annotated[
        int | None, Option("--target", min=1, metavar="N", help="Continue until each class has N images.")
    ] = None
    filters: Filters = field(default_factory=Filters)
    google_pages: Annotated[
        Path | None, Option("--google-pages", metavar="FOLDER", help="Google Images pages saved in a browser.")
    ] = None
    contact: Annotated[
        str | None,
        Option(
            "--contact",
            metavar="TEXT",
            help="E-mail or web address sent to Wikimedia, which asks programs for a contact.",
        ),
    ] = None
    refresh: Annotated[bool, Option("--refresh", help="Repeat searches that are already finished.")] = False
    dry_run: Annotated[bool, Option("-n", "--dry-run", help="Search the sources; download and write nothing.")] = False
    accept_missing: Annotated[
        bool, Option("--accept-missing", help="Record missing files as rejected, however many there are.")
    ] = False
    new_ledger: Annotated[
        bool,
        Option(
            "--new-ledger",
            help="Create a new ledger for a dataset that lost its own; read the sources from the images' EXIF.",
        ),
    ] = False
    allow_private: Annotated[
        bool, Option("--allow-private", help="Also fetch from private addresses, such as a local image server.")
    ] = False
    obey_opt_out: Annotated[
        bool,
        Option(
            "--ignore-opt-out",
            turns_off=True,
            help="Also download images whose host or owner opts out of training datasets.",
        ),
    ] = True
    obey_robots: Annotated[
        bool, Option("--robots", help="Also obey the rules of robots.txt that are for all crawlers.")
    ] = False
    accept_ai: Annotated[
        bool, Option("--no-ai", turns_off=True, help="Refuse images whose file states that they were made with AI.")
    ] = True
    proxy: Annotated[
        str | None, Option("--proxy", metavar="URL", help="Proxy for all requests; overrides HTTPS_PROXY.")
    ] = None
    connections: Annotated[int, Option("--jobs", min=1, max=256, metavar="N", help="Number of parallel downloads.")] = (
        32
    )

    workers: Annotated[
        WorkerKind, Option("--workers", help="Download in this process, or on the machines of a Ray cluster.")
    ] = WorkerKind.LOCAL
    ray_address: Annotated[
        str | None,
        Option(
            "--ray-address",
            metavar="HOST:PORT",
            help="Ray cluster to join.  [default: RAY_ADDRESS, or a Ray that is started on this machine]",
        ),
    ] = None
    ray_workers: Annotated[
        int | None,
        Option("--ray-workers", min=1, max=10_000, metavar="N", help="Ray workers.  [default: one per CPU]"),
    ] = None

    sink: Annotated[
        Sink | None,
        Option(
            "--sink",
            help="Write new images into class folders, or into WebDataset shards, for millions of images."
            "  [default: shards if the dataset has some, else folders]",
        ),
    ] = None
    shard_size: Annotated[
        int, Option("--shard-size", min=1, max=65536, metavar="MB", help="Maximum size of a shard in megabytes.")
    ] = 256

    def __post_init__(self) -> None:
        """Check the ranges, and what does not go together."""
        for options in (self, self.recipe, self.filters):
            check_ranges(options)
        self.choose_sink(has_shards=False)

    def choose_sink(self, *, has_shards: bool) -> Sink:
        """Return where this run writes new images into a dataset with or without shards."""
        sink = self.sink or (Sink.SHARDS if has_shards else Sink.FOLDERS)
        if sink is Sink.SHARDS and self.recipe.keep_original:
            raise UsageError(
                "shards do not contain originals: -k cannot be used with them. Nothing was downloaded.",
                "Leave out -k, or write class folders: --sink folders",
            )
        return sink

    @property
    def hit_limit(self) -> int:
        """The maximum number of hits per provider and class."""
        if self.limit is not None:
            return self.limit
        return LIMIT if self.target is None else UNLIMITED

    @property
    def statement_rules(self) -> StatementRules:
        """Which images are refused for what their files say about themselves."""
        return StatementRules(obey_opt_out=self.obey_opt_out, accept_ai=self.accept_ai)

    @property
    def verdicts_to_retry(self) -> frozenset[Verdict]:
        """The verdicts of earlier runs that are not final for this one."""
        if self.refresh:
            fixable = {verdict for verdict in Verdict if verdict.column in {"small", "bad", "dead", "refused"}}
            return frozenset(fixable - {Verdict.PLACEHOLDER})  # that image was rejected
        lifted = {
            Verdict.BLOCKED_ADDRESS: self.allow_private,
            Verdict.OPTED_OUT: not self.obey_opt_out,
            Verdict.DISALLOWED: not self.obey_robots,
            Verdict.AI_GENERATED: self.accept_ai,
        }
        return frozenset(verdict for verdict, is_lifted in lifted.items() if is_lifted)

    @property
    def provider_settings(self) -> dict[str, str]:
        """The options that providers read like environment variables."""
        settings = {"HARVEST_GOOGLE_PAGES": self.google_pages, "HARVEST_CONTACT": self.contact}
        return {name: str(value) for name, value in settings.items() if value is not None}

    def apply_filters(self, query: Query) -> Query:
        """Return the query with the filters of the run, except where the query has its own.

        >>> from harvest.licences import LicenceFilter
        >>> from harvest.models import Query
        >>> options = RunOptions(filters=Filters(photos=True, language="de"))
        >>> filters = options.apply_filters(Query("king", "king", filters=Filters(language="en"))).filters
        >>> filters.photos, filters.language
        (True, 'en')
        """
        own = {item.name: getattr(query.filters, item.name) for item in changed_fields(query.filters)}
        return replace(query, filters=replace(self.filters, **own))


def unsupported_filters(filters: Filters, supported: Collection[str]) -> list[str]:
    """Return the flags of the filters in use that a provider does not support.

    The size is not among them: it is checked here, whether or not the provider can search by it.

    >>> unsupported_filters(Filters(photos=True, site="zoo.example", min_size=10), {"photos"})
    ['--site']
    """
    return [
        item.option.long_flag
        for item in changed_fields(filters)
        if item.option is not None and item.name not in {*supported, "min_size"}
    ]
