"""Draw how a whole is divided: a bar with its parts, and a legend with their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOURS = 6  # of parts without a kind; the last one is for the rest


class Part(NamedTuple):
    """A part of a whole: its name, its size, the text of its share, and the CSS class of its colour."""

    name: str
    size: int
    share: str
    kind: str = ""


def limit_parts(counts: Sequence[tuple[str, int]], rest: str = "others") -> list[tuple[str, int]]:
    """Return the first parts, and the sum of the others as one, so that each has a colour.

    >>> limit_parts([("a", 9), *((f"b{i}", 1) for i in range(7))])[-2:]
    [('b3', 1), ('3 others', 3)]
    """
    if len(counts) <= COLOURS:
        return list(counts)
    others = counts[COLOURS - 1 :]
    return [*counts[: COLOURS - 1], (f"{len(others)} {rest}", sum(count for _, count in others))]


def share_bar(parts: Sequence[Part]) -> Markup:
    """Draw parts side by side, with a legend that says the same in numbers."""
    total = sum(part.size for part in parts)
    drawn, items, start = [], [], 0.0
    for number, part in enumerate(parts):
        kind = part.kind or f"c{min(number, COLOURS - 1)}"
        width = 100 * part.size / total if total else 0
        rect = Markup('<rect class="{}" x="{:.3f}%" width="{:.3f}%" height="100%"/>')
        drawn.append(rect.format(kind, start, width))
        items.append(
            Markup('<li><i class="swatch {}"></i><bdi class="name">{}</bdi> <span>{:,}</span> <span>{}</span></li>')
            .format(kind, part.name, part.size, part.share)
        )  # fmt: skip
        start += width
    return Markup(
        '<div class="shares"><svg aria-hidden="true">{}</svg><ul class="key">{}</ul></div>'
    ).format(Markup().join(drawn), Markup().join(items))  # fmt: skip
