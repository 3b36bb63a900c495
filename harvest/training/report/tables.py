"""What stands in the tables: networks side by side, and where the pictures went."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from harvest.training import charts
from harvest.training.report import mistakes, number_format

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markupsafe import Markup

    from harvest.training.metrics.evaluate_predictions import PartEvaluation
    from harvest.training.report.mistakes import Tile
    from harvest.training.report.report_data import Candidate, ReportData
    from harvest.training.report.thumbnails import Thumbnails


class Other(NamedTuple):
    """A network that was not saved, with what can be seen of it."""

    candidate: Candidate
    matrix: Markup
    worst: Sequence[Tile]


class Row(NamedTuple):
    """Where the pictures of a class went."""

    label: str
    counts: Sequence[int]  # part by part
    total: int
    bar: Markup


class SplitTable(NamedTuple):
    """Where all pictures went."""

    parts: dict[str, int]
    rows: Sequence[Row]
    total: int


def draw_matrix(judgement: PartEvaluation, labels: Sequence[str]) -> Markup:
    """Draw who is taken for whom."""
    caption = f"Who is taken for whom: {number_format.count(judgement.count, 'picture')} of {judgement.part}"
    return charts.confusion(judgement.confusion, labels, caption=caption)


def list_others(story: ReportData, thumbnails: Thumbnails) -> Iterator[Other]:
    """Give the networks that were not saved."""
    for candidate in story.candidates:
        judgement = mistakes.combine_held_out(candidate)
        if judgement and candidate is not story.saved:
            worst = mistakes.list_worst(candidate.answers)[: mistakes.OF_OTHERS]
            yield Other(candidate, draw_matrix(judgement, story.labels), mistakes.make_tiles(worst, thumbnails))


def measured_metrics(story: ReportData) -> list[str]:
    """Name the metrics that any judgement holds; accuracy is told in words."""
    found = (name for candidate in story.candidates for each in candidate.judgements for name in each.metrics)
    return [name for name in dict.fromkeys(found) if name != "accuracy"]


def unmeasured_metrics(story: ReportData) -> list[str]:
    """Say what could not be measured, and why."""
    said = (
        text
        for candidate in story.candidates
        for judgement in candidate.judgements
        for text in _unmeasured_parts(story, candidate, judgement)
    )
    return list(dict.fromkeys(said))


def _unmeasured_parts(story: ReportData, candidate: Candidate, judgement: PartEvaluation) -> Iterator[str]:
    if judgement.lost:
        lost = number_format.count(judgement.lost, "picture")
        yield f"{lost} of {judgement.part} got no answer: gone since, or {candidate.name} diverged."
    elif not judgement.count:
        yield f"There are no pictures in {judgement.part}."
    for metric in story.metrics if judgement.count else ():
        if math.isnan(judgement.metrics.get(metric.name, 0.0)):
            yield f"{number_format.metric(metric.name)} of {judgement.part} needs {metric.needs}."


def make_split_table(story: ReportData) -> SplitTable | None:
    """Count the pictures by class and part."""
    names = list(dict.fromkeys(part for parts in story.split.values() for part in parts))
    totals = {label: sum(parts.values()) for label, parts in story.split.items()}
    most = max(totals.values(), default=0)
    if not most:
        return None
    rows = [
        Row(label, [parts.get(name, 0) for name in names], totals[label], charts.stack(parts.items(), most))
        for label, parts in story.split.items()
    ]
    sums = {name: sum(parts.get(name, 0) for parts in story.split.values()) for name in names}
    return SplitTable(sums, rows, sum(totals.values()))
