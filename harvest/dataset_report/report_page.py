"""Render the report of a dataset as one HTML page."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from harvest import __version__, charts
from harvest.dataset import LOCAL_SOURCE, SIDES
from harvest.dataset_report import yield_tables
from harvest.dataset_report.assessment import assess, list_reviewed_classes
from harvest.dataset_report.credit_lines import is_free, licence_name, list_credits
from harvest.dataset_report.report_thumbnails import make_tiles
from harvest.dataset_report.shown_images import choose_images, mix_classes
from harvest.dataset_report.suggest_next_steps import QUERY_FILE, list_steps
from harvest.html_report.number_format import percent
from harvest.html_report.page_templates import load_templates, render_page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from jinja2 import Environment

    from harvest.dataset import Dataset, ReportStatistics, SampleRow
    from harvest.dataset_report.report_thumbnails import ImageTile
    from harvest.dataset_report.training_run_results import RunResults
    from harvest.labelled_pictures.prediction_table import Prediction

MARK = "harvest dataset report"  # in the page, so that only a report is replaced by a report
_TEMPLATES = ("dataset_page.html", "dataset_sections.html", "dataset_parts.html")
_MOSAIC = 20  # images on the first screen
_CLASSES = 300  # rows of the table of classes


def render_report(dataset: Dataset, folder: Path, *, name: str, seed: int, run: RunResults | None) -> str:
    """Return the page; links to images are relative to `folder`, `name` is the dataset in a shell command."""
    facts = dataset.report_statistics()
    shown = choose_images(dataset, facts, seed)
    worst = _find_worst(dataset, run.worst if run else ())
    tiles = make_tiles(dataset, [*shown, *(row for row, _ in worst)], folder, shown_twice=_MOSAIC)
    return render_page(
        _templates(),
        "dataset_page.html",
        {
            "dataset": dataset,
            "facts": facts,
            "shown": shown,
            "run": run,
            "worst": worst,
            "tile": _tile_of(tiles),
            "tiles": tiles,
            "mosaic": mix_classes(shown.kept, _MOSAIC),
            "seed": seed,
            **_first_screen(facts, name),
            **_tables(facts),
            "credits": list(list_credits(dataset, tiles.values())),
        },
    )


def _first_screen(facts: ReportStatistics, name: str) -> dict[str, object]:
    assessment = assess(facts)
    return {
        "assessment": assessment,
        "steps": list(list_steps(facts, assessment, name)),
        "source_parts": _share_parts([(_name_source(each.source), each.kept) for each in facts.sources if each.kept]),
        "funnel": yield_tables.list_funnel(facts.keep_rates),
        "publish_command": f"harvest QUERIES.csv -o {name} --license open",
    }


def _tables(facts: ReportStatistics) -> dict[str, object]:
    ranks, reviewed = facts.rank_rates, list_reviewed_classes(facts)
    return {
        "classes": facts.classes[:_CLASSES],
        "most": max((each.kept for each in facts.classes), default=0),
        "licences": [(licence_name(name) if name else "unknown", is_free(name), n) for name, n in facts.licences],
        "licence_shares": _share_parts([(licence_name(name) if name else "unknown", n) for name, n in facts.licences]),
        "results": yield_tables.count_results(facts),
        "by_source": yield_tables.rows_by_source(facts.keep_rates, reviewed),
        "by_query": yield_tables.rows_by_query(facts.keep_rates, reviewed),
        "rank_chart": yield_tables.draw_rank_rates(ranks),
        "rank_text": yield_tables.describe_ranks(ranks),
        "has_rates": bool(reviewed),
        "side_charts": [
            yield_tables.draw_sides(facts.file_sides, "In the folders", SIDES),
            yield_tables.draw_sides(facts.original_sides, "As downloaded", SIDES),
        ],
    }


def _share_parts(counts: Sequence[tuple[str, int]]) -> list[charts.Part]:
    total = sum(count for _, count in counts)
    return [charts.Part(name, count, percent(count / total)) for name, count in charts.limit_parts(counts)]


def _find_worst(dataset: Dataset, predictions: Sequence[Prediction]) -> list[tuple[SampleRow, Prediction]]:
    """Return the images that predictions are about, where they are now; without those deleted since."""
    found = ((dataset.find_content(each.content), each) for each in predictions)
    return [(row, each) for row, each in found if row is not None]


def _tile_of(tiles: dict[int, ImageTile]) -> Callable[[SampleRow], ImageTile]:
    return lambda row: tiles[row.id]


@cache
def _templates() -> Environment:
    """Load the templates once."""
    templates = load_templates(__package__, _TEMPLATES, styles=("dataset.css",))
    templates.filters |= {"clip": _clip, "source": _name_source, "bytes": _format_bytes}
    templates.globals |= {
        "mark": MARK,
        "version": __version__,
        "share_bar": charts.share_bar,
        "query_file": QUERY_FILE,
        "few_queries": yield_tables.QUERIES,
    }
    return templates


def _clip(text: str, most: int = 80) -> str:
    """Shorten a text; the page shows it whole as a tooltip where it matters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _name_source(source: str) -> str:
    return "your own files" if source == LOCAL_SOURCE else source.lower()


def _format_bytes(number: int) -> str:
    """Format a number of bytes.

    >>> _format_bytes(31_400_000).replace(chr(0xa0), " ")
    '31 MB'
    """
    value = float(number)
    for unit in ("B", "kB", "MB"):
        if value < 1000:  # noqa: PLR2004
            return f"{value:.0f}\N{NO-BREAK SPACE}{unit}"
        value /= 1000
    return f"{value:.1f}\N{NO-BREAK SPACE}GB"
