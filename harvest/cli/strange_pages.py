"""Keeps the page that a source changed, so that a bug report can show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.errors import PageChanged

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.summary import Summary


def save_strange_pages(summary: Summary, out: Path) -> None:
    """Write each page that could not be read to a file, and note where it is."""
    for problem in summary.problems:
        if isinstance(problem.error, PageChanged) and problem.error.page and not summary.dry_run:
            source = problem.provider.lower()
            path = out / f"harvest-{source}-page.txt"  # not .html: nobody should open it in a browser
            try:
                path.write_text(problem.error.page, "utf-8", "replace")
            except OSError:
                continue  # the run itself is told in any case
            summary.notes.append(f"{source}'s page is in {path}, for a bug report")
