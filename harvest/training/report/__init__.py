"""report.html: one page that shows how good a network is, where it goes wrong, and what to do about it.

report_data      the results of a run, as the report needs them
number_format    numbers as text
headline         the first screen
mistakes         which images to show
thumbnails       their copies within the page
tables           networks side by side, and the split
training_charts  the charts of a training
html_page        all of it as HTML, from page.html, sections.html, parts.html and page.css
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


def write(run: Path, story: ReportData) -> None:
    """Write a run's report.html, as a whole or not at all; it asks for nothing outside itself."""
    disk.write_atomically(run / NAME, render(story, run).encode())
