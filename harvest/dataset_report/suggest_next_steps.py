"""Decide what to do next, most helpful first, with commands that can be copied."""

from __future__ import annotations

import csv
import io
import math
import re
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from harvest.counts_as_text import count
from harvest.dataset_report.assessment import (
    ENOUGH,
    FEW,
    NETWORK_SIDE,
    by_size,
    count_unreviewed,
    join_names,
)
from harvest.html_report.number_format import percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harvest.dataset import ClassCounts, KeepRate, ReportStatistics
    from harvest.dataset_report.assessment import Assessment

QUERY_FILE = "more.csv"
_BALANCE = 3  # the largest class may have this many times the images of the smallest
_CLASSES, _QUERIES, _SOURCES = 12, 3, 4  # of the proposed query file, of each class in it, and of the command
_POOR, _JUDGED = 0.5, 10  # keep rate of a poor query, and the images that it must have given
_SOURCE = re.compile(r"[A-Z][A-Z0-9_]{0,30}")


class HarvestStep(NamedTuple):
    """One thing to do; `target` is the section about it, `file` is the text of a query file to save."""

    title: str
    text: str = ""
    target: str = ""
    command: str = ""
    file: str = ""


def list_steps(facts: ReportStatistics, assessment: Assessment, name: str) -> Iterator[HarvestStep]:
    """Yield what to do next; `name` is the dataset as it is written in a shell command."""
    if not facts.kept:
        yield from _steps_without_images(facts, name)
        return
    yield from _review(facts, name)
    yield from _harvest_more(facts, name)
    yield from _replace_poor_queries(facts)
    yield from _add_origins(assessment)
    yield from _harvest_larger(facts, name)
    if assessment.training.answer in {"Yes", "For a first training", "After a review"}:
        text = "The report of the training shows which classes need more images." if assessment.checks else ""
        yield HarvestStep("Train.", text, command=f"harvest train {name}")


def _steps_without_images(facts: ReportStatistics, name: str) -> Iterator[HarvestStep]:
    if facts.rejected:
        text = f"{count(facts.rejected, 'image')} can return if that was a mistake."
        yield HarvestStep("Look at the rejected images.", text, "rejected", f"harvest restore {name}")
    text = "The query file has one row per search; its column class names the folder."
    yield HarvestStep("Harvest images.", text, command=f"harvest QUERIES.csv -o {name}")


def _review(facts: ReportStatistics, name: str) -> Iterator[HarvestStep]:
    groups, conflicts = len(facts.near_duplicates), len(facts.conflicts)
    open_parts = [
        (count_unreviewed(facts), "image", "that nobody has looked at"),
        (groups, "group", "of near-duplicates"),
        (conflicts, "image", "found for two classes"),
    ]
    if found := [f"{count(number, noun)} {what}" for number, noun, what in open_parts if number]:
        target = "kept" if count_unreviewed(facts) else "duplicates" if groups else "conflicts"
        yield HarvestStep("Review the images.", f"{', '.join(found)}.", target, f"harvest review {name}")


def _harvest_more(facts: ReportStatistics, name: str) -> Iterator[HarvestStep]:
    target = choose_target(facts.classes)
    weak = [each for each in by_size(facts.classes) if each.kept < target]
    if not weak:
        return
    names = [f"{each.class_name} ({each.kept})" for each in weak]
    reason = "a class needs at least 20 images" if weak[0].kept < FEW else "these classes are small"
    file = write_query_file(weak[:_CLASSES], facts.keep_rates)
    sources = "".join(f" -c {source}" for source in _best_sources(weak, facts))
    text = Markup("To {:,} per class; {}: {}. Save this as {}, and run the command.").format(
        target, reason, join_names(names), QUERY_FILE
    )
    if len(weak) > _CLASSES:
        text += f" The file has the {_CLASSES} smallest."
    if exhausted := [each.class_name for each in weak if each.class_name in facts.exhausted]:
        more = Markup(" The searches for {} have no more results: add other words to the query.")
        text += more.format(join_names(exhausted))
    command = f"harvest {QUERY_FILE} -o {name} --target {target}{sources}"
    yield HarvestStep("Harvest more images of the small classes.", text, "classes", command, file)


def choose_target(classes: Sequence[ClassCounts]) -> int:
    """Return the number of images that each class should have: enough, and a third of the largest, in round numbers."""
    largest = max((each.kept for each in classes), default=0)
    return max(ENOUGH, math.ceil(largest / _BALANCE / 50) * 50 if largest > ENOUGH * _BALANCE else ENOUGH)


def write_query_file(classes: Sequence[ClassCounts], rates: Sequence[KeepRate]) -> str:
    """Return a query file for some classes, with the queries whose images were kept most often."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("class", "query"))
    by_class: dict[str, dict[str, float]] = {each.class_name: {} for each in classes}
    for rate in rates:
        if rate.class_name in by_class:
            queries = by_class[rate.class_name]
            queries[rate.query] = max(queries.get(rate.query, 0.0), _share(rate))
    for class_name, queries in by_class.items():
        best = sorted(queries, key=lambda text: (-queries[text], text))[:_QUERIES]
        table.writerows((class_name, " ".join(text.split())[:200]) for text in best or [class_name.replace("_", " ")])
    return out.getvalue()


def _best_sources(weak: Sequence[ClassCounts], facts: ReportStatistics) -> list[str]:
    """Return the sources that gave images of these classes; none if their searches are exhausted, so all are asked."""
    classes = {each.class_name for each in weak}
    if classes & facts.exhausted:
        return []
    kept: dict[str, int] = {}
    for rate in facts.keep_rates:
        if rate.class_name in classes and rate.kept and _SOURCE.fullmatch(rate.provider):
            kept[rate.provider] = kept.get(rate.provider, 0) + rate.kept
    return sorted(kept, key=lambda source: (-kept[source], source))[:_SOURCES]


def list_poor(rates: Sequence[KeepRate]) -> list[KeepRate]:
    """Return the queries whose images were mostly rejected, worst first."""
    poor = [rate for rate in rates if rate.placed >= _JUDGED and _share(rate) < _POOR]
    return sorted(poor, key=lambda rate: (_share(rate), rate))


def _share(rate: KeepRate) -> float:
    return rate.kept / rate.placed if rate.placed else 0.0


def _replace_poor_queries(facts: ReportStatistics) -> Iterator[HarvestStep]:
    if poor := list_poor(facts.keep_rates):
        names = [f"“{rate.query}” ({rate.provider.lower()}, {percent(_share(rate))} kept)" for rate in poor]
        title = "Change the query that gives mostly wrong images."
        if len(poor) > 1:
            title = f"Change the {len(poor):,} queries that give mostly wrong images."
        text = Markup("Add a word that narrows it, or exclude one with -word: {}.").format(join_names(names))
        yield HarvestStep(title, text, "yield")


def _add_origins(assessment: Assessment) -> Iterator[HarvestStep]:
    if assessment.dominant:
        names = [f"{each.class_name} ({each.images:,} from {each.origin})" for each in assessment.dominant]
        text = Markup("One photographer or host gave much of these classes: {}.").format(join_names(names))
        yield HarvestStep("Add images of other origins.", text, "origins")


def _harvest_larger(facts: ReportStatistics, name: str) -> Iterator[HarvestStep]:
    small = sum(each.images for each in facts.file_sides if each.low < NETWORK_SIDE)
    large = sum(each.images for each in facts.original_sides if each.low >= NETWORK_SIDE)
    if small > facts.kept / 2 and large > facts.kept / 2:
        text = f"Most originals are larger than the files, whose shorter side has fewer than {NETWORK_SIDE} pixels."
        yield HarvestStep("Keep the images larger next time.", text, "sizes", f"harvest QUERIES.csv -o {name} -s 500")
