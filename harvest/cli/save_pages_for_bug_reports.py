"""Save pages whose format a source changed, for bug reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.errors import CannotWrite, PageChanged
from harvest.files import disk

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.errors import ProviderError
    from harvest.harvesting.summary import Summary


def save_strange_pages(summary: Summary, out: Path) -> None:
    """Write each page that could not be parsed to a file, and add a note with its path."""
    if summary.dry_run:
        return
    for problem in summary.problems:
        if path := save_page(problem.error, problem.provider, out):
            summary.notes.append(
                f"the page of {problem.provider.lower()} is saved in {path}; attach it to a bug report"
            )


def save_page(error: ProviderError, provider: str, folder: Path) -> Path | None:
    """Write the page of an error to a file, and return its path, or None if there is no page."""
    if not (isinstance(error, PageChanged) and error.page):
        return None
    path = folder / f"harvest-{provider.lower()}-page.txt"  # not .html: nobody should open it in a browser
    try:
        disk.write_atomically(path, error.page.encode("utf-8", "replace"))
    except CannotWrite:
        return None  # the error itself is reported in any case
    return path
