"""Compute how many of the results of each source, query and rank were kept."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from harvest.charts import Column, Part, columns
from harvest.html_report.number_format import percent
from harvest.verdicts import COLUMNS, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from harvest.dataset import KeepRate, RangeCount, RankRate, ReportStatistics

QUERIES, MORE_QUERIES = 15, 200  # queries shown at once, and when the list is opened
_JUDGED = 20  # images of a range of ranks from which its keep rate is compared
_FALL = 0.2  # a keep rate that is lower by this much makes a range of ranks worse


class YieldRow(NamedTuple):
    """What the results of a source or of a query gave: images, and those of them that are kept.

    The rate is that of reviewed classes only, nan without any: an image that nobody has looked at is kept too.
    """

    names: Sequence[str]
    found: int
    placed: int
    kept: int
    rate: float


def rows_by_source(rates: Sequence[KeepRate], reviewed: set[str]) -> list[YieldRow]:
    """Return the sources, those with the most images kept first."""
    by_source: dict[str, list[KeepRate]] = {}
    for rate in rates:
        by_source.setdefault(rate.provider, []).append(rate)
    rows = [_add_up([source.lower()], found, reviewed) for source, found in by_source.items()]
    return sorted(rows, key=lambda row: (-row.kept, row.names))[:MORE_QUERIES]


def rows_by_query(rates: Sequence[KeepRate], reviewed: set[str]) -> list[YieldRow]:
    """Return the queries at each source, the lowest keep rate first; those without a rate are last."""
    rows = [_add_up([each.class_name, _clip(each.query), each.provider.lower()], [each], reviewed) for each in rates]
    return sorted(rows, key=lambda row: (math.isnan(row.rate), row.rate, row.names))[:MORE_QUERIES]


def _add_up(names: Sequence[str], rates: Sequence[KeepRate], reviewed: set[str]) -> YieldRow:
    judged = [rate for rate in rates if rate.class_name in reviewed]
    placed = sum(rate.placed for rate in judged)
    return YieldRow(
        names,
        found=sum(rate.found for rate in rates),
        placed=sum(rate.placed for rate in rates),
        kept=sum(rate.kept for rate in rates),
        rate=sum(rate.kept for rate in judged) / placed if placed else math.nan,
    )


def list_funnel(rates: Sequence[KeepRate]) -> list[tuple[str, int]]:
    """Return how many results the searches gave, and how many of them became images and are kept."""
    found = sum(rate.found for rate in rates)
    if not found:
        return []
    placed, kept = sum(rate.placed for rate in rates), sum(rate.kept for rate in rates)
    return [("search results", found), ("downloaded", placed), ("kept", kept)]


def _clip(text: str, most: int = 120) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def draw_rank_rates(rates: Sequence[RankRate]) -> Markup | None:
    """Draw the keep rate by rank; None without results of a search."""
    if not rates:
        return None
    lows = [rate.low for rate in rates]
    values = [
        Column(rate.kept / max(1, rate.placed), percent(rate.kept / max(1, rate.placed)), label, f"of {rate.placed:,}")
        for rate, label in zip(rates, _labels(lows, _next_ranks(lows)), strict=True)
    ]
    return columns(
        "Images kept, by rank of the result", values, across="rank in the results of a search", note="higher is better"
    )


def _next_ranks(lows: Sequence[int]) -> list[int | None]:
    return [*lows[1:], None]


def describe_ranks(rates: Sequence[RankRate]) -> str:
    """Return whether later results are worth harvesting, in a sentence; empty without enough results."""
    judged = [rate for rate in rates if rate.placed >= _JUDGED]
    if len(judged) < 2:  # noqa: PLR2004
        return ""
    first, last = judged[0], judged[-1]
    before, now = first.kept / first.placed, last.kept / last.placed
    if before - now >= _FALL:
        return (
            f"Of the first results {percent(before)} are kept, from rank {last.low} on {percent(now)}. More results "
            "of the same queries give more wrong images: another query or source is better than a larger -m."
        )
    return (
        f"Results from rank {last.low} on are kept about as often as the first ones ({percent(now)} and "
        f"{percent(before)}): a larger -m or --target gives more good images."
    )


def draw_sides(counts: Sequence[RangeCount], title: str, lows: Sequence[int]) -> Markup | None:
    """Draw how many images have a shorter side in each range; None without any."""
    total = sum(each.images for each in counts)
    if not total:
        return None
    by_low = {each.low: each.images for each in counts}
    shown = [low for low in lows if min(by_low) <= low <= max(by_low)]
    ends = [next((other for other in lows if other > low), None) for low in shown]
    most = max(by_low.values())
    values = [
        Column(by_low.get(low, 0) / most, f"{by_low.get(low, 0):,}", label, percent(by_low.get(low, 0) / total))
        for low, label in zip(shown, _labels(shown, ends), strict=True)
    ]
    return columns(title, values, across="shorter side in pixels")


def _labels(lows: Sequence[int], ends: Sequence[int | None]) -> list[str]:
    """Return the labels of ranges.

    >>> _labels([0, 100, 224], [100, 224, None])
    ['< 100', '100–223', '≥ 224']
    """
    return [
        f"≥ {low}" if end is None else f"< {end}" if not low else f"{low}–{end - 1}"
        for low, end in zip(lows, ends, strict=True)
    ]


def count_results(facts: ReportStatistics) -> list[Part]:
    """Return what happened to the results of all searches, as the columns of the summary count them."""
    names = {"kept": "gave an image", **COLUMNS, "left": "left for the next run"}
    sums = dict.fromkeys(names, 0)
    for verdict, number in facts.verdicts.items():
        sums[_column(verdict)] += number
    total = sum(sums.values())
    return [Part(names[name], number, percent(number / total), f"v-{name}") for name, number in sums.items() if number]


def _column(verdict: str) -> str:
    known: Mapping[str, str] = {each.value: each.column for each in Verdict}
    name = known.get(verdict, "left")
    return "kept" if name == "new" else name
