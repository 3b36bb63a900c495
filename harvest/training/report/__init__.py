"""Write report.html, one page on how good a network is, which mistakes it makes and what to do next; and a model card.

report_data               the results of a run
report_first_screen       the first screen
mistakes                  the images to show
training_report_images    their small copies
network_and_split_tables  the tables of networks and of the split
training_charts           the charts
result_text               results in words
html_page                 the whole page, from page.html, sections.html and parts.html
model_card                README.md, for those who get the network
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.files import disk
from harvest.training.report.html_page import render
from harvest.training.report.report_data import (
    Candidate,
    LearningPoint,
    RateSearch,
    ReportData,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Candidate", "LearningPoint", "RateSearch", "ReportData", "render", "write"]

NAME = "report.html"


def write(run: Path, data: ReportData) -> None:
    """Write report.html, which loads nothing from outside, and README.md; each atomically."""
    # Imports PyTorch; `harvest report` uses the rest of this package where there is none.
    from harvest.training.report import model_card  # noqa: PLC0415

    disk.write_atomically(run / NAME, render(data, run).encode())
    disk.write_atomically(run / model_card.FILE, model_card.render_model_card(data, run).encode("utf-8", "replace"))
