"""Keeps the page that a source changed, so that a bug report can show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.errors import CannotWrite, PageChanged
from harvest.files import disk

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.errors import ProviderError
    from harvest.harvesting.summary import Summary


def save_strange_pages(summary: Summary, out: Path) -> None:
    """Write each page that could not be read to a file, and note where it is."""
    if summary.dry_run:
        return
    for problem in summary.problems:
        if path := save_page(problem.error, problem.provider, out):
            summary.notes.append(f"{problem.provider.lower()}'s page is in {path}, for a bug report")


def save_page(error: ProviderError, provider: str, folder: Path) -> Path | None:
    """Write the page that an error brings along, and return where; nothing where there is none."""
    if not (isinstance(error, PageChanged) and error.page):
        return None
    path = folder / f"harvest-{provider.lower()}-page.txt"  # not .html: nobody should open it in a browser
    try:
        disk.write_atomically(path, error.page.encode("utf-8", "replace"))
    except CannotWrite:
        return None  # what happened is told in any case
    return path
