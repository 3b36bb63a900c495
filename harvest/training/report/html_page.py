"""Render the report as HTML from templates that escape every value."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

from harvest.html_report import number_format
from harvest.html_report.page_templates import load_templates, render_page
from harvest.training.report import (
    mistakes,
    network_and_split_tables,
    report_first_screen,
    result_text,
    training_charts,
)
from harvest.training.report.training_report_images import ReportThumbnails

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Environment

    from harvest.training.report.report_data import ReportData

_TEMPLATES = ("page.html", "sections.html", "parts.html")


def render(data: ReportData, folder: Path) -> str:
    """Return the page; links to images are relative to `folder`."""
    return render_page(_templates(), "page.html", _template_values(data, folder))


def _template_values(data: ReportData, folder: Path) -> dict[str, object]:
    """Compute the values for the templates."""
    thumbnails = ReportThumbnails(data.images, folder)
    suspected = mistakes.list_suspects(data.predictions)
    saved = data.saved
    held_out = mistakes.combine_held_out(saved) if saved else None
    classes = report_first_screen.sort_by_f1(held_out)
    outlook = report_first_screen.judge_outlook(data)
    return {
        "data": data,
        "pictures": len(data.predictions) or sum(sum(parts.values()) for parts in data.split.values()),
        # the first screen
        "headline": report_first_screen.make_headline(data),
        "lost": sum(each.lost for each in saved.judgements) if saved else 0,
        "held_out": held_out,
        "confusions": mistakes.list_confusions(data, thumbnails),
        "weakest": classes[0] if classes and classes[0].right < classes[0].count else None,
        "outlook": outlook,
        "outline": training_charts.curve_outline(data.learning_curve),
        "steps": list(report_first_screen.next_steps(data, len(suspected), outlook)),
        # the sections
        "suspected": len(suspected),
        "suspects": mistakes.make_tiles(suspected[: mistakes.SUSPECTS], thumbnails, data.heat),
        "matrix": network_and_split_tables.draw_matrix(held_out, data.labels) if held_out else None,
        "classes": classes,
        "mixups": mistakes.list_mixups(data, thumbnails),
        "worst_answers": mistakes.make_tiles(
            mistakes.list_worst(saved.answers if saved else ())[: mistakes.WORST], thumbnails, data.heat
        ),
        "learning_curve": training_charts.learning_curve(data.learning_curve),
        "reliability": training_charts.reliability_chart(data.calibration),
        "measured": network_and_split_tables.measured_metrics(data),
        "unmeasured": network_and_split_tables.unmeasured_metrics(data),
        "epoch_charts": list(training_charts.epoch_charts(data)),
        "epoch_count": sum(row.get("epoch", 0) > 0 for row in data.history),
        "diverged": training_charts.has_diverged(data),
        "columns": list(dict.fromkeys(name for row in data.history for name in row)),
        "finder": training_charts.finder_chart(data.search) if data.search else None,
        "others": list(network_and_split_tables.list_others(data, thumbnails)),
        "split": network_and_split_tables.make_split_table(data),
    }


@cache
def _templates() -> Environment:
    """Load the templates once."""
    templates = load_templates(__package__, _TEMPLATES)
    templates.filters |= {
        "result": result_text.result_text,
        "metric": result_text.metric,
        "figure": training_charts.figure,
        "cell": _cell,
    }
    return templates


def _cell(value: float | None) -> str:
    return number_format.NOTHING if value is None or math.isnan(value) else f"{value:.4g}"
