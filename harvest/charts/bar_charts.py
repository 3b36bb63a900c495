"""Draw shares as bars, as confidence intervals and as stacked bars."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class MeasuredShare(NamedTuple):
    """A measured share with its confidence interval."""

    name: str
    value: float
    low: float
    high: float
    text: str


def intervals(shares: Sequence[MeasuredShare], *, guess: float | None = None) -> Markup:
    """Draw shares below each other, from 0 to 100 %, each as a dot on its confidence interval.

    `guess` is the accuracy of always predicting the most frequent class.
    """
    rows = Markup().join(_interval(share, guess) for share in shares)
    return Markup('<div class="intervals">{}</div>').format(rows)


def _interval(share: MeasuredShare, guess: float | None) -> Markup:
    is_measured = math.isfinite(share.value)
    return Markup(
        '<div class="interval"><span class="of">{name}</span>'
        '<svg role="img" aria-label="{name}: {text}"><title>{name}: {text}</title>'
        '<line class="track" x1="0" x2="100%" y1="50%" y2="50%"/>{band}{guess}{dot}</svg>'
        '<span class="said">{text}</span></div>'
    ).format(
        name=share.name,
        text=share.text,
        band=_between(share.low, share.high) if is_measured else "",
        guess="" if guess is None else _guess(guess),
        dot=Markup('<circle cx="{}%" cy="50%" r="5"/>').format(_percent(share.value)) if is_measured else "",
    )


def _between(low: float, high: float) -> Markup:
    return Markup('<line class="between" x1="{}%" x2="{}%" y1="50%" y2="50%"/>').format(_percent(low), _percent(high))


def _guess(guess: float) -> Markup:
    return Markup('<line class="guess" x1="{0}%" x2="{0}%" y1="20%" y2="80%"/>').format(_percent(guess))


def bar(share: float, kind: str = "main") -> Markup:
    """Draw a share as a bar, without its number."""
    width = _percent(share) if math.isfinite(share) else 0
    return Markup(
        '<svg class="bar {}" aria-hidden="true"><rect class="track" width="100%" height="100%" rx="2"/>'
        '<rect class="fill" width="{}%" height="100%" rx="2"/></svg>'
    ).format(kind, width)


def meter(share: float, text: str) -> Markup:
    """Draw a share as a bar with its text, for a table cell."""
    return Markup('<span class="meter">{}<span>{}</span></span>').format(bar(share), text)


def stack(counts: Iterable[tuple[str, int]], most: int) -> Markup:
    """Draw counts as a stacked bar, where `most` is the full width; names are CSS classes."""
    parts, start = [], 0.0
    for kind, count in counts:
        width = 100 * count / most if most else 0
        parts.append(
            Markup('<rect class="{}" x="{:.2f}%" width="{:.2f}%" height="100%"><title>{}: {}</title></rect>').format(
                kind, start, width, kind, count
            )
        )
        start += width
    return Markup('<svg class="stack" aria-hidden="true">{}</svg>').format(Markup().join(parts))


def _percent(share: float) -> float:
    return round(100 * share, 2)
