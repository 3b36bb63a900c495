"""Describe the results of a run in words: the accuracy on a part, and whether more images would help."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from harvest.html_report.number_format import count_of, percent, range_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harvest.training.metrics.evaluate_predictions import PartEvaluation
    from harvest.training.report.report_data import LearningPoint

_MUCH, _LITTLE = 0.015, 0.005  # gain in accuracy for twice the images
_ENOUGH = 0.985  # accuracy above which little can be gained
_DOUBLED = 0.75  # doublings of the number of images: points closer than that show noise


def result_text(evaluation: PartEvaluation) -> str:
    """Format the accuracy on a part: `79 of 85 right, 93 % (85–97 %)`."""
    if not evaluation.count:
        return "no images"
    share = f"{percent(evaluation.accuracy)} ({range_text(evaluation.low, evaluation.high)})"
    return f"{count_of(evaluation.right, evaluation.count)} right, {share}"


def metric(name: str) -> str:
    """Format the name of a metric.

    >>> metric("log_loss"), metric("roc_auc"), metric("accuracy")
    ('Log loss', 'ROC AUC', 'Accuracy')
    """
    return "ROC AUC" if name == "roc_auc" else name.replace("_", " ").capitalize()


class Outlook(NamedTuple):
    """Whether more images would help, in a word, and the reason in a sentence."""

    answer: str
    why: str


def judge_outlook(points: Sequence[LearningPoint]) -> Outlook:
    """Return whether more images would help, judged by the learning curve."""
    if not points:
        return Outlook("Not known", "No learning curve was measured.")
    known = sorted((p for p in points if math.isfinite(p.accuracy) and p.per_class > 0), key=lambda p: p.per_class)
    if len(known) < 2 or math.log2(known[-1].per_class / known[0].per_class) < _DOUBLED:  # noqa: PLR2004
        return Outlook("Not known", "There are too few images for a learning curve.")
    last = known[-1]
    half = min(known[:-1], key=lambda p: abs(math.log2(last.per_class / p.per_class) - 1))
    doublings = math.log2(last.per_class / half.per_class)
    gain = (last.accuracy - half.accuracy) / doublings
    before, now = percent(half.accuracy), percent(last.accuracy)
    change = f"stays at {now}" if before == now else f"changes from {before} to {now}"
    seen = f"From {half.per_class:.0f} to {last.per_class:.0f} images per class, accuracy {change}"
    if last.accuracy >= _ENOUGH:
        return Outlook("No need", f"{seen}. There is little left to gain.")
    if gain >= _MUCH:
        points_more = f"{100 * gain / 2:.0f}–{100 * gain:.0f}" if gain >= 2 * _MUCH else f"{100 * gain:.0f}"
        return Outlook("Yes", f"{seen}. Twice as many images should add about {points_more} percentage points.")
    if gain >= _LITTLE:
        return Outlook(
            "A little",
            f"{seen}. Twice as many images may add about one percentage point. Removing wrong images may add more.",
        )
    shape = "is flat" if gain > -_LITTLE else "does not rise"
    return Outlook("Hardly", f"{seen}. The curve {shape}. Removing wrong images or a larger network helps more.")
