"""The first screen: how good it is, where it goes wrong, would more pictures help, what to do next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from harvest.training import charts
from harvest.training.charts.bars import MeasuredShare
from harvest.training.report import mistakes, number_format

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markupsafe import Markup

    from harvest.training.metrics.evaluate_predictions import ClassFigures, PartEvaluation
    from harvest.training.report.report_data import ReportData

FEW = 20  # pictures of a class, below which more of them come first
_TOLD = 3  # names that a sentence lists
_ORDER = ("test", "valid", "train")  # the untouched part counts most


class Headline(NamedTuple):
    """How good the saved network is: on the part that counts most in large, on all parts as bars."""

    judgement: PartEvaluation
    share: str
    figure: str  # the same, without its sign
    expect: str
    is_untouched: bool
    guess: str
    bars: Markup


class NextStep(NamedTuple):
    """One thing to do next; `target` is the section that helps."""

    title: str
    text: str = ""
    target: str = ""
    line: str = ""


def make_headline(story: ReportData) -> Headline | None:
    """Tell how good the saved network is; None where nothing was judged."""
    judged = sorted(story.saved.judgements if story.saved else (), key=_rank)
    best = next((each for each in judged if each.count), None)
    if best is None:
        return None
    guess = max(figures.count for figures in best.per_class) / best.count
    shares = [
        MeasuredShare(each.part, each.accuracy, each.low, each.high, number_format.result_text(each)) for each in judged
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


def by_weakness(judgement: PartEvaluation | None) -> list[ClassFigures]:
    """List the classes, the weakest first; those that no picture was judged of come last."""
    figures = judgement.per_class if judgement else ()
    return sorted(figures, key=lambda f: (not f.count, f.f1 if math.isfinite(f.f1) else 1, f.label))


def next_steps(story: ReportData, suspected: int, outlook: number_format.Outlook) -> Iterator[NextStep]:
    """Say what to do next, what helps most first."""
    judged = story.saved.judgements if story.saved else ()
    if any(each.lost and not each.count for each in judged):
        yield NextStep("Lower the learning rate.", "The training diverged. --lr find looks for a rate.", "training")
    if suspected:
        shown = min(suspected, mistakes.SUSPECTS)
        which = f"the {shown} strangest of {suspected:,}" if suspected > shown else f"the {shown}"
        yield NextStep(
            f"Look at {which} suspects." if shown > 1 else "Look at the suspect.",
            "Each lies in one folder and looks like another. Delete it or move it, if the folder is wrong.",
            "suspects",
        )
    if few := _few(story):
        yield NextStep("Harvest more of the small classes.", f"Under {FEW} pictures: {_join_names(few)}.", "pictures")
    elif outlook.answer == "Yes":
        yield NextStep("Harvest more pictures.", "The curve still rises: they pay off.", "more")
    if story.warnings:
        count = len(story.warnings)
        yield NextStep("Read the warning." if count == 1 else f"Read the {count} warnings.", target="pictures")
    if story.line:
        yield NextStep(
            "Train again.",
            "Pictures stay in the part that they are in, so that the figures compare.",
            line=story.line,
        )


def _few(story: ReportData) -> list[str]:
    totals = {label: sum(parts.values()) for label, parts in story.split.items()}
    small = sorted((total, label) for label, total in totals.items() if total < FEW)
    return [f"{label} ({total})" for total, label in small]


def _join_names(names: Sequence[str]) -> str:
    more = len(names) - _TOLD
    return ", ".join(names[:_TOLD]) + (f" and {more} more" if more > 0 else "")
