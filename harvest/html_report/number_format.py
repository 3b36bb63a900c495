"""Format the numbers of a report as text."""

from __future__ import annotations

import math

_GAP = "\N{NO-BREAK SPACE}"
NOTHING = "–"
_MOST = 1e9  # percent; larger values are written with an exponent


def percent(share: float) -> str:
    """Format a share in whole percent, with a decimal if it would be rounded to 0 or 100.

    >>> [percent(share).replace(_GAP, " ") for share in (0.929, 0.9987, math.nan)]
    ['93 %', '99.9 %', '–']
    """
    if not math.isfinite(share):
        return NOTHING
    return f"{figure(share)}{_GAP}%"


def figure(share: float) -> str:
    """Format a share in percent, without the sign."""
    value = 100 * share
    if abs(value) > _MOST:  # a metric of the user, or a damaged table
        return f"{share:.1e} × 100"
    if round(value) in {0, 100} and value not in {0, 100}:
        return f"{min(max(value, 0.1), 99.9):.1f}"
    return f"{value:.0f}"


def count_of(part: int, whole: int) -> str:
    """Format a part of a whole: `79 of 85`."""
    return f"{part:,} of {whole:,}"


def range_text(low: float, high: float) -> str:
    """Format an interval of shares: `85–97 %`."""
    return f"{figure(low)}–{percent(high)}"


def setting(value: object) -> str:
    """Format the value of an option.

    >>> setting(True), setting(("csv", "tensorboard")), setting(0.5)
    ('yes', 'csv, tensorboard', '0.5')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def duration(seconds: float) -> str:
    """Format a duration.

    >>> duration(7.2), duration(95), duration(4020)
    ('7 s', '1 min 35 s', '1 h 7 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
