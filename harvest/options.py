"""What a person asks of a run, beside the queries: the options of the command line as one value."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.errors import UsageError
from harvest.licences import LicenceFilter
from harvest.models import Filters, Recipe
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection

    from harvest.models import Query

LIMIT = 1000  # hits per provider and class, FastClass's own default
UNLIMITED = 1_000_000  # with a target and no limit of their own, searches go on as far as the source does

# Fields of `Filters` as they are written on the command line; the size is seen to here, whoever knows of it.
_OPTIONS = {
    "licence": "--license",
    "photos": "--photos",
    "colour": "--color",
    "since": "--since",
    "until": "--until",
    "safe": "--safe",
    "language": "--lang",
    "region": "--region",
    "site": "--site",
}
_NONE = Filters()


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Everything about a run but its queries."""

    providers: tuple[str, ...] = ("ALL",)
    out: Path = Path("dataset")
    limit: int | None = None
    target: int | None = None
    recipe: Recipe = field(default_factory=Recipe)
    filters: Filters = field(default_factory=Filters)
    refresh: bool = False
    dry_run: bool = False
    accept_missing: bool = False
    new_ledger: bool = False
    proxy: str | None = None
    allow_private: bool = False
    obey_opt_out: bool = True
    connections: int = 32

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be."""
        for name, value, least in (
            ("limit", self.limit, 1),
            ("target", self.target, 1),
            ("size", self.recipe.size, 0),
            ("min_size", self.recipe.min_size, 1),
            ("connections", self.connections, 1),
        ):
            if value is not None and value < least:
                raise UsageError(f"{name} is {value}; it must be {least} at least.")

    @property
    def hit_limit(self) -> int:
        """How many hits a provider is asked for, a class."""
        if self.limit is not None:
            return self.limit
        return LIMIT if self.target is None else UNLIMITED

    @property
    def verdicts_to_retry(self) -> frozenset[Verdict]:
        """Which ends of earlier runs this one does not take for the last word."""
        if self.refresh:
            mendable = {v for v in Verdict if v.column in {"small", "bad", "dead", "refused"}}
            return frozenset(mendable - {Verdict.PLACEHOLDER})  # that one was thrown out
        lifted = {Verdict.BLOCKED_ADDRESS: self.allow_private, Verdict.OPTED_OUT: not self.obey_opt_out}
        return frozenset(verdict for verdict, is_lifted in lifted.items() if is_lifted)

    def apply_filters(self, query: Query) -> Query:
        """Give a query the filters; a licence of its own row is the row's to say."""
        own = query.filters.licence
        licence = self.filters.licence if own is LicenceFilter.ANY else own
        return replace(query, filters=replace(self.filters, licence=licence))

    def unsupported_by(self, known: Collection[str]) -> list[str]:
        """Name the options given that a source knows nothing of.

        >>> RunOptions(filters=Filters(photos=True, site="zoo.example")).unsupported_by({"photos"})
        ['--site']
        """
        given = [item.name for item in fields(Filters) if getattr(self.filters, item.name) != getattr(_NONE, item.name)]
        return [_OPTIONS[name] for name in given if name in _OPTIONS and name not in known]
