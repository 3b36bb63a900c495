"""Numbers in plain words: what a person would say of them to another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harvest.training.metrics.evaluate_predictions import PartEvaluation
    from harvest.training.report.report_data import LearningPoint

_GAP = "\N{NO-BREAK SPACE}"
NOTHING = "–"
_ABSURD = 1e9  # percent


def percent(share: float) -> str:
    """Write a share in whole percent, and finer where whole ones would say all or nothing.

    >>> [percent(share).replace(_GAP, " ") for share in (0.929, 0.9987, math.nan)]
    ['93 %', '99.9 %', '–']
    """
    if not math.isfinite(share):
        return NOTHING
    return f"{figure(share)}{_GAP}%"


def figure(share: float) -> str:
    """Write a share as a number of percent."""
    value = 100 * share
    if abs(value) > _ABSURD:  # a figure of the user's own, or of a damaged table
        return f"{share:.1e} × 100"
    if round(value) in {0, 100} and value not in {0, 100}:
        return f"{min(max(value, 0.1), 99.9):.1f}"
    return f"{value:.0f}"


def count_of(part: int, whole: int) -> str:
    """Write a count of a count: `79 of 85`."""
    return f"{part:,} of {whole:,}"


def range_text(low: float, high: float) -> str:
    """Write where a share lies: `85–97 %`."""
    return f"{figure(low)}–{percent(high)}"


def result_text(judgement: PartEvaluation) -> str:
    """Write what a network is worth on a part: `79 of 85 right, 93 % (85–97 %)`."""
    if not judgement.count:
        return "no pictures"
    share = f"{percent(judgement.accuracy)} ({range_text(judgement.low, judgement.high)})"
    return f"{count_of(judgement.right, judgement.count)} right, {share}"


def count(number: int, noun: str, nouns: str = "") -> str:
    """Write a count with its noun.

    >>> count(1, "picture"), count(1200, "picture"), count(2, "class", "classes")
    ('1 picture', '1,200 pictures', '2 classes')
    """
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def setting(value: object) -> str:
    """Write the value of an option.

    >>> setting(True), setting(("csv", "tensorboard")), setting(0.5)
    ('yes', 'csv, tensorboard', '0.5')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def duration(seconds: float) -> str:
    """Write a time as people do.

    >>> duration(7.2), duration(95), duration(4020)
    ('7 s', '1 min 35 s', '1 h 7 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def metric(name: str) -> str:
    """Write the name of a metric as people do.

    >>> metric("log_loss"), metric("roc_auc"), metric("accuracy")
    ('Log loss', 'ROC AUC', 'Accuracy')
    """
    return "ROC AUC" if name == "roc_auc" else name.replace("_", " ").capitalize()


class Outlook(NamedTuple):
    """Whether more pictures would help: in a word, and in a sentence that says why."""

    answer: str
    why: str


_MUCH, _LITTLE = 0.015, 0.005  # of accuracy, for twice the pictures
_ENOUGH = 0.985
_DOUBLED = 0.75  # doublings: points nearer than that tell noise


def judge_outlook(points: Sequence[LearningPoint]) -> Outlook:
    """Tell from the learning curve whether more pictures would help."""
    if not points:
        return Outlook("Not known", "No learning curve was measured.")
    known = sorted((p for p in points if math.isfinite(p.accuracy) and p.per_class > 0), key=lambda p: p.per_class)
    if len(known) < 2 or math.log2(known[-1].per_class / known[0].per_class) < _DOUBLED:  # noqa: PLR2004
        return Outlook("Not known", "There are too few pictures to learn from fewer and compare.")
    last = known[-1]
    half = min(known[:-1], key=lambda p: abs(math.log2(last.per_class / p.per_class) - 1))
    doublings = math.log2(last.per_class / half.per_class)
    gain = (last.accuracy - half.accuracy) / doublings
    before, now = percent(half.accuracy), percent(last.accuracy)
    way = f"it stayed at {now}" if before == now else f"it went from {before} to {now}"
    seen = f"From {half.per_class:.0f} to {last.per_class:.0f} pictures of a class {way}"
    if last.accuracy >= _ENOUGH:
        return Outlook("No need", f"{seen}: there is little left to gain.")
    if gain >= _MUCH:
        points_more = f"{100 * gain / 2:.0f}–{100 * gain:.0f}" if gain >= 2 * _MUCH else f"{100 * gain:.0f}"
        return Outlook("Yes", f"{seen}. Twice as many again should bring about {points_more} points more.")
    if gain >= _LITTLE:
        return Outlook("A little", f"{seen}. Twice as many again may bring a point; cleaner folders may bring more.")
    shape = "is flat" if gain > -_LITTLE else "does not rise"
    return Outlook("Hardly", f"{seen}: the curve {shape}. Cleaner folders or a larger network help more.")
