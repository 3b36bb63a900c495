"""Draw a histogram as columns, each with its number and its range as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence


class Column(NamedTuple):
    """A column: its height as a share of the chart, the text above it, and its label, with an optional note."""

    share: float
    text: str
    label: str
    note: str = ""
    kind: str = "main"


def columns(title: str, values: Sequence[Column], *, across: str, note: str = "") -> Markup:
    """Draw columns with a title; the texts are a list, which a screen reader reads."""
    items = Markup().join(_column(value) for value in values)
    return Markup(
        '<figure class="histogram"><figcaption><b>{}</b> <span>{}</span></figcaption><ol>{}</ol>'
        '<p class="across">{}</p></figure>'
    ).format(title, note, items, across)


def _column(value: Column) -> Markup:
    height = round(100 * min(max(value.share, 0.0), 1.0), 2)
    return Markup(
        '<li><div><svg aria-hidden="true"><rect class="{}" y="{}%" width="100%" height="{}%" rx="2"/></svg>'
        '<b style="bottom: {}%">{}</b></div><span class="label">{}</span><small>{}</small></li>'
    ).format(value.kind, round(100 - height, 2), height, height, value.text, value.label, value.note)
