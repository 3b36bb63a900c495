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

    from harvest.training.report.report_data import Story

_TEMPLATES = ("page.html", "sections.html", "parts.html")
_STYLE = "page.css"
# What would turn a line around, end it or hide it, or is no text; names of files may hold all of these.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)


def render(story: Story, folder: Path) -> str:
    """Write the page that will lie in a folder."""
    text = _environment().get_template("page.html").render(_told(story, folder))
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text).strip() + "\n"


def _told(story: Story, folder: Path) -> dict[str, object]:
    """Gather what the templates ask for."""
    thumbnails = Thumbnails(story.tree, folder)
    suspected = mistakes.suspects(story.predictions)
    saved = story.saved
    held_out = mistakes.held_out(saved) if saved else None
    classes = headline.by_weakness(held_out)
    outlook = number_format.outlook(story.learning_curve)
    return {
        "story": story,
        "pictures": len(story.predictions) or sum(sum(parts.values()) for parts in story.split.values()),
        # the first screen
        "good": headline.good(story),
        "lost": sum(each.lost for each in saved.judgements) if saved else 0,
        "held_out": held_out,
        "ways": mistakes.ways(story, thumbnails),
        "weakest": classes[0] if classes and classes[0].right < classes[0].count else None,
        "outlook": outlook,
        "outline": training_charts.outline(story.learning_curve),
        "steps": list(headline.steps(story, len(suspected), outlook)),
        # the sections
        "suspected": len(suspected),
        "suspects": mistakes.tiles(suspected[: mistakes.SUSPECTS], thumbnails),
        "matrix": tables.matrix(held_out, story.labels) if held_out else None,
        "classes": classes,
        "mixups": mistakes.mixups(story, thumbnails),
        "worst_answers": mistakes.tiles(
            mistakes.worst(saved.answers if saved else ())[: mistakes.WORST], thumbnails
        ),
        "learning_curve": training_charts.learning_curve(story.learning_curve),
        "measured": tables.measured(story),
        "unmeasured": tables.unmeasured(story),
        "epochs": list(training_charts.epochs(story)),
        "rounds": sum(row.get("epoch", 0) > 0 for row in story.history),
        "diverged": training_charts.diverged(story),
        "columns": list(dict.fromkeys(name for row in story.history for name in row)),
        "finder": training_charts.finder(story.search) if story.search else None,
        "others": list(tables.others(story, thumbnails)),
        "split": tables.split(story),
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
        "of": number_format.of,
        "result": number_format.result,
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
