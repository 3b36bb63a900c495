"""Print the results of rebuilding a dataset: the images that are not the same, and the counts in one last line."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import typer

from harvest.cli import console
from harvest.cli.shortened_lists import MOST, print_list
from harvest.counts_as_text import count_images

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harvest.ledger.expected_images_tables import RebuildResult
    from harvest.reproduce.rebuild_summary import RebuildSummary

_TITLES = {
    "changed": "changed: the address has another file",
    "smaller": "smaller: the address has a smaller rendition",
    "gone": "gone",
    None: "not tried yet: run the same command again",
}


def conclude_rebuild(summary: RebuildSummary, *, as_json: bool) -> None:
    """Print the results, and exit with a code that scripts can check if not all images are the same."""
    _print_rebuild(summary, as_json=as_json)
    if summary.exit_code:
        raise typer.Exit(summary.exit_code)


def _print_rebuild(summary: RebuildSummary, *, as_json: bool) -> None:
    """Print the results as text or as JSON."""
    if as_json:
        console.print_json(summary.as_json())
        return
    for result, title in _TITLES.items():
        images = [each for each in summary.results if each.result == result]
        if images:
            print(f" {count_images(len(images))} {title}")
            print_list([console.one_line(line) for line in _describe(images)], MOST, more="--json shows them")
            print()
    print(summary.line)


def _describe(images: Sequence[RebuildResult]) -> Iterator[str]:
    """Yield a line for each image with a URL, and one for all images without one that have the same reason."""
    for each in images:
        if each.url:
            yield f"{each.class_name}  {each.url}  {each.detail}".rstrip()
    for detail, count in Counter(each.detail for each in images if not each.url).items():
        yield f"{detail} ({count_images(count)})".lstrip()
