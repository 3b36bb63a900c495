"""Print lists that are shortened by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from harvest.cli import console

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")

_INDENT = 8  # columns before the next steps
MOST = 10  # lines of a list
# Where a decision was made.
PLACES = {"files": "in the folders", "page": "on the review page", "cli": "on the command line"}


def print_list(items: Sequence[Item], most: int | None, *, more: str, describe: Callable[[Item], str] = str) -> None:
    """Print up to `most` items, a line each, then how many more there are and how to show them."""
    # "and 1 more" would save no line.
    shown = items if most is None or len(items) <= most + 1 else items[:most]
    for item in shown:
        print(f"   {describe(item)}")
    print_rest(len(items) - len(shown), more)


def print_rest(count: int, more: str) -> None:
    """Print how many lines are not shown."""
    if count > 0:
        print(f"   … and {count:,} more ({more})")


def print_next(steps: Sequence[tuple[str, str]]) -> None:
    """Print the next steps: commands to copy with their purpose, or text alone.

    If a line is too wide for the terminal, each purpose is printed below its command: wrapped lines are hard
    to read and to copy.
    """
    width = max((console.display_width(line) for line, what in steps if what), default=0)
    rows = [f"{console.pad(line, width)}   {what}".rstrip() for line, what in steps]
    room = console.terminal_width() - _INDENT
    if any(console.display_width(each) > room for each in rows):
        rows = [f"{line}\n{'':{_INDENT + 2}}{what}".rstrip() for line, what in steps]
    for number, each in enumerate(rows):
        print(f"{' next' if number == 0 else '':<{_INDENT}}{each}")


def shorten(text: str, most: int = 40) -> str:
    """Shorten text that is too long for a column.

    >>> shorten("scarlet king snake", 10)
    'scarlet k…'
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"
