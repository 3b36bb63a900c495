"""Compute the tables of the report: the networks with their metrics, and the split."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from harvest import charts
from harvest.counts_as_text import count
from harvest.training.report import mistakes, result_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markupsafe import Markup

    from harvest.training.metrics.evaluate_predictions import PartEvaluation
    from harvest.training.report.mistakes import Tile
    from harvest.training.report.report_data import Candidate, ReportData
    from harvest.training.report.training_report_images import ReportThumbnails


class Other(NamedTuple):
    """A network that was not saved, with its confusion matrix and worst predictions."""

    candidate: Candidate
    matrix: Markup
    worst: Sequence[Tile]


class Row(NamedTuple):
    """The images of a class by part."""

    label: str
    counts: Sequence[int]  # part by part
    total: int
    bar: Markup


class SplitTable(NamedTuple):
    """The images of all classes by part."""

    parts: dict[str, int]
    rows: Sequence[Row]
    total: int


def draw_matrix(judgement: PartEvaluation, labels: Sequence[str]) -> Markup:
    """Draw the confusion matrix of an evaluation."""
    caption = f"Confusion matrix of {count(judgement.count, 'image')} of {judgement.part}"
    return charts.confusion(judgement.confusion, labels, caption=caption)


def list_others(data: ReportData, thumbnails: ReportThumbnails) -> Iterator[Other]:
    """Yield the networks that were not saved."""
    for candidate in data.candidates:
        judgement = mistakes.combine_held_out(candidate)
        if judgement and candidate is not data.saved:
            worst = mistakes.list_worst(candidate.answers)[: mistakes.OF_OTHERS]
            yield Other(candidate, draw_matrix(judgement, data.labels), mistakes.make_tiles(worst, thumbnails))


def measured_metrics(data: ReportData) -> list[str]:
    """List the metrics of any evaluation, without accuracy, which has its own column."""
    found = (name for candidate in data.candidates for each in candidate.judgements for name in each.metrics)
    return [name for name in dict.fromkeys(found) if name != "accuracy"]


def unmeasured_metrics(data: ReportData) -> list[str]:
    """Return a sentence for each metric that could not be computed, with the reason."""
    sentences = (
        text
        for candidate in data.candidates
        for judgement in candidate.judgements
        for text in _unmeasured_parts(data, candidate, judgement)
    )
    return list(dict.fromkeys(sentences))


def _unmeasured_parts(data: ReportData, candidate: Candidate, judgement: PartEvaluation) -> Iterator[str]:
    if judgement.lost:
        lost = count(judgement.lost, "image")
        yield f"{lost} of {judgement.part} could not be predicted: deleted, or the {candidate.name} network diverged."
    elif not judgement.count:
        yield f"The {judgement.part} part has no images."
    for metric in data.metrics if judgement.count else ():
        if math.isnan(judgement.metrics.get(metric.name, 0.0)):
            yield f"{result_text.metric(metric.name)} of {judgement.part} needs {metric.needs}."


def make_split_table(data: ReportData) -> SplitTable | None:
    """Count the images by class and part."""
    names = list(dict.fromkeys(part for parts in data.split.values() for part in parts))
    totals = {label: sum(parts.values()) for label, parts in data.split.items()}
    most = max(totals.values(), default=0)
    if not most:
        return None
    rows = [
        Row(label, [parts.get(name, 0) for name in names], totals[label], charts.stack(parts.items(), most))
        for label, parts in data.split.items()
    ]
    sums = {name: sum(parts.get(name, 0) for parts in data.split.values()) for name in names}
    return SplitTable(sums, rows, sum(totals.values()))
