"""Compute the first screen of the report: the accuracy, the mistakes and what to do next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from harvest import charts
from harvest.charts.bar_charts import MeasuredShare
from harvest.html_report import number_format
from harvest.training.report import mistakes, result_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markupsafe import Markup

    from harvest.training.metrics.evaluate_predictions import ClassFigures, PartEvaluation
    from harvest.training.report.report_data import ReportData

FEW = 20  # a class with fewer images is small
_LISTED = 3  # names that a sentence lists
_ORDER = ("test", "valid", "train")  # the test part counts most


class Headline(NamedTuple):
    """The accuracy of the saved network: the part that counts most as a number, all parts as bars."""

    judgement: PartEvaluation
    share: str
    figure: str  # the same, without the percent sign
    expect: str
    is_untouched: bool
    guess: str
    bars: Markup


class NextStep(NamedTuple):
    """One thing to do next; `target` is the section about it."""

    title: str
    text: str = ""
    target: str = ""
    line: str = ""


def make_headline(data: ReportData) -> Headline | None:
    """Return the accuracy of the saved network; None if no part was evaluated."""
    evaluated = sorted(data.saved.judgements if data.saved else (), key=_rank)
    best = next((each for each in evaluated if each.count), None)
    if best is None:
        return None
    guess = max(figures.count for figures in best.per_class) / best.count
    shares = [
        MeasuredShare(each.part, each.accuracy, each.low, each.high, result_text.result_text(each))
        for each in evaluated
    ]
    return Headline(
        judgement=best,
        share=number_format.percent(best.accuracy),
        figure=number_format.figure(best.accuracy),
        expect=number_format.range_text(best.low, best.high),
        is_untouched=best.part == _ORDER[0],
        guess=number_format.percent(guess),
        bars=charts.intervals(shares, guess=guess),
    )


def _rank(judgement: PartEvaluation) -> tuple[int, str]:
    part = str(judgement.part)
    return (_ORDER.index(part) if part in _ORDER else len(_ORDER), part)


def sort_by_f1(judgement: PartEvaluation | None) -> list[ClassFigures]:
    """List the classes by F1, lowest first; those without evaluated images come last."""
    figures = judgement.per_class if judgement else ()
    return sorted(figures, key=lambda f: (not f.count, f.f1 if math.isfinite(f.f1) else 1, f.label))


def next_steps(data: ReportData, suspected: int, outlook: result_text.Outlook) -> Iterator[NextStep]:
    """Yield what to do next, most helpful first."""
    evaluated = data.saved.judgements if data.saved else ()
    if any(each.lost and not each.count for each in evaluated):
        yield NextStep(
            "Lower the learning rate.", "The training diverged. --lr find searches for a good rate.", "training"
        )
    if suspected:
        shown = min(suspected, mistakes.SUSPECTS)
        which = f"the first {shown} of {suspected:,}" if suspected > shown else f"the {shown}"
        yield NextStep(
            f"Check {which} suspects." if shown > 1 else "Check the suspect.",
            "Each is in one folder but looks like another class. If it is in the wrong folder, delete or move it.",
            "suspects",
        )
    if small := _small_classes(data):
        yield NextStep(
            "Harvest more images of the small classes.", f"Fewer than {FEW} images: {_join_names(small)}.", "pictures"
        )
    elif outlook.answer == "Yes":
        yield NextStep("Harvest more images.", "The learning curve still rises.", "more")
    if data.warnings:
        count = len(data.warnings)
        yield NextStep("Read the warning." if count == 1 else f"Read the {count} warnings.", target="pictures")
    if data.line:
        yield NextStep(
            "Train again.",
            "Images keep their part of the split, so the results are comparable.",
            line=data.line,
        )


def judge_outlook(data: ReportData) -> result_text.Outlook:
    """Return whether more images would help: the learning curve is of all classes together, and some may be small."""
    outlook, small = result_text.judge_outlook(data.learning_curve), _small_classes(data)
    if not small or outlook.answer in {"Yes", "Not known"}:
        return outlook
    have = "1 class has" if len(small) == 1 else f"{len(small):,} classes have"
    return result_text.Outlook("In small classes", f"{outlook.why} But {have} fewer than {FEW} images.")


def _small_classes(data: ReportData) -> list[str]:
    totals = {label: sum(parts.values()) for label, parts in data.split.items()}
    small = sorted((total, label) for label, total in totals.items() if total < FEW)
    return [f"{label} ({total})" for total, label in small]


def _join_names(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
