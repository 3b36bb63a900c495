"""The story as one page of HTML: templates of ours, in which everything from outside is escaped."""

from __future__ import annotations

import math
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from harvest.training import charts
from harvest.training.report import (
    headline,
    mistakes,
    number_format,
    tables,
    training_charts,
)
from harvest.training.report.thumbnails import Thumbnails

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.training.report.report_data import ReportData

_TEMPLATES = ("page.html", "sections.html", "parts.html")
_STYLE = "page.css"
# What would turn a line around, end it or hide it, or is no text; names of files may hold all of these.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)


def render(story: ReportData, folder: Path) -> str:
    """Write the page that will lie in a folder."""
    text = _environment().get_template("page.html").render(_template_values(story, folder))
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text).strip() + "\n"


def _template_values(story: ReportData, folder: Path) -> dict[str, object]:
    """Gather what the templates ask for."""
    thumbnails = Thumbnails(story.tree, folder)
    suspected = mistakes.list_suspects(story.predictions)
    saved = story.saved
    held_out = mistakes.combine_held_out(saved) if saved else None
    classes = headline.by_weakness(held_out)
    outlook = number_format.judge_outlook(story.learning_curve)
    return {
        "story": story,
        "pictures": len(story.predictions) or sum(sum(parts.values()) for parts in story.split.values()),
        # the first screen
        "good": headline.make_headline(story),
        "lost": sum(each.lost for each in saved.judgements) if saved else 0,
        "held_out": held_out,
        "ways": mistakes.list_confusions(story, thumbnails),
        "weakest": classes[0] if classes and classes[0].right < classes[0].count else None,
        "outlook": outlook,
        "outline": training_charts.curve_outline(story.learning_curve),
        "steps": list(headline.next_steps(story, len(suspected), outlook)),
        # the sections
        "suspected": len(suspected),
        "suspects": mistakes.make_tiles(suspected[: mistakes.SUSPECTS], thumbnails),
        "matrix": tables.draw_matrix(held_out, story.labels) if held_out else None,
        "classes": classes,
        "mixups": mistakes.list_mixups(story, thumbnails),
        "worst_answers": mistakes.make_tiles(
            mistakes.list_worst(saved.answers if saved else ())[: mistakes.WORST], thumbnails
        ),
        "learning_curve": training_charts.learning_curve(story.learning_curve),
        "measured": tables.measured_metrics(story),
        "unmeasured": tables.unmeasured_metrics(story),
        "epochs": list(training_charts.epoch_charts(story)),
        "rounds": sum(row.get("epoch", 0) > 0 for row in story.history),
        "diverged": training_charts.has_diverged(story),
        "columns": list(dict.fromkeys(name for row in story.history for name in row)),
        "finder": training_charts.finder_chart(story.search) if story.search else None,
        "others": list(tables.list_others(story, thumbnails)),
        "split": tables.make_split_table(story),
    }


@cache
def _environment() -> Environment:
    """Read the templates once; what they do not know is an error and no blank."""
    files = {name: _read(name) for name in _TEMPLATES}
    environment = Environment(
        loader=DictLoader(files),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": number_format.percent,
        "count": number_format.count,
        "of": number_format.count_of,
        "result": number_format.result_text,
        "duration": number_format.duration,
        "metric": number_format.metric,
        "setting": number_format.setting,
        "figure": training_charts.figure,
        "cell": _cell,
    }
    environment.globals |= {
        "meter": charts.meter,
        "bar": charts.bar,
        "css": Markup(_read(_STYLE)),  # noqa: S704 - ours
    }
    return environment


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _cell(value: float | None) -> str:
    return number_format.NOTHING if value is None or math.isnan(value) else f"{value:.4g}"
