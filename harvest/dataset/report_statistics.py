"""What the report of a dataset counts, collected from its ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvest.ledger import near_duplicate_table, report_queries, statistics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harvest.ledger.database import Ledger
    from harvest.ledger.near_duplicate_table import NearDuplicate
    from harvest.ledger.report_queries import (
        OriginCount,
        RangeCount,
        RankRate,
        ReviewCount,
        SampleRow,
        SourceCount,
    )
    from harvest.ledger.statistics import ClassCounts, Conflict, KeepRate

_RANKS = (1, 11, 26, 51, 101, 201, 501)  # the first of each range of ranks
SIDES = (0, 100, 150, 224, 300, 500, 800, 1200, 2000)  # of each range of sides; networks look at 224 pixels
_ORIGINS, _ORIGINS_OF_CLASSES, _AI = 12, 500, 12


@dataclass(frozen=True, slots=True)
class ReportStatistics:
    """The counts of a dataset."""

    classes: Sequence[ClassCounts]
    reviews: Sequence[ReviewCount]
    sources: Sequence[SourceCount]
    licences: Sequence[tuple[str | None, int]]
    keep_rates: Sequence[KeepRate]
    rank_rates: Sequence[RankRate]
    original_sides: Sequence[RangeCount]
    file_sides: Sequence[RangeCount]
    photographers: Sequence[OriginCount]
    photographers_of_classes: Sequence[OriginCount]
    hosts: Sequence[OriginCount]
    hosts_of_classes: Sequence[OriginCount]
    verdicts: Mapping[str, int]
    near_duplicates: Sequence[Sequence[NearDuplicate]]
    conflicts: Sequence[Conflict]
    made_with_ai: Sequence[SampleRow]
    exhausted: frozenset[str]  # the classes whose searches have no more results
    size: int  # bytes
    mean_pixels: int
    days: tuple[str, str]  # of the first and the last harvest

    @property
    def kept(self) -> int:
        """The number of images on disk."""
        return sum(each.kept for each in self.classes)

    @property
    def rejected(self) -> int:
        """The number of rejected images."""
        return sum(each.rejected for each in self.classes)


def collect_statistics(ledger: Ledger) -> ReportStatistics:
    """Count everything that the report shows."""
    return ReportStatistics(
        classes=statistics.count_classes(ledger),
        reviews=report_queries.count_reviewed(ledger),
        sources=report_queries.count_sources(ledger),
        licences=report_queries.count_licences(ledger),
        keep_rates=statistics.compute_keep_rates(ledger),
        rank_rates=report_queries.compute_rank_rates(ledger, _RANKS),
        original_sides=report_queries.count_sides(ledger, SIDES, original=True),
        file_sides=report_queries.count_sides(ledger, SIDES, original=False),
        photographers=report_queries.count_photographers(ledger, _ORIGINS),
        photographers_of_classes=report_queries.count_photographers(ledger, _ORIGINS_OF_CLASSES, by_class=True),
        hosts=report_queries.count_hosts(ledger, _ORIGINS),
        hosts_of_classes=report_queries.count_hosts(ledger, _ORIGINS_OF_CLASSES, by_class=True),
        verdicts=report_queries.count_verdicts(ledger),
        near_duplicates=near_duplicate_table.list_groups(ledger),
        conflicts=statistics.list_conflicts(ledger),
        made_with_ai=report_queries.list_made_with_ai(ledger, _AI),
        exhausted=report_queries.list_exhausted_classes(ledger),
        size=report_queries.sum_file_sizes(ledger),
        mean_pixels=report_queries.compute_mean_pixels(ledger),
        days=report_queries.first_and_last_day(ledger),
    )
