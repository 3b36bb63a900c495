"""Draw curves as SVG. Positions are percentages, so a chart fits any width while texts keep their size."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harvest.charts.axes import Axis

_NAME_GAP = 9  # percent of the height between the names at the ends of curves
_DOTS = 40  # a curve with more points is drawn without dots


class Mark(NamedTuple):
    """A point that the chart labels."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """One curve: points sorted by x, where nan leaves a gap; `kind` is its CSS class."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str = "main"
    band: Sequence[tuple[float, float, float]] = ()  # x, low, high
    dots: bool = True


def plot(
    title: str,
    series: Sequence[Series],
    *,
    x: Axis,
    y: Axis,
    across: str,
    note: str = "",
    marks: Iterable[Mark] = (),
    at: Mark | None = None,
) -> Markup:
    """Draw curves with a title, axes, a note and all their numbers in a collapsed table.

    `across` names the x axis; `at` draws a vertical line.
    """
    parts = [*_grid(x, y)]
    if at is not None:
        parts.append(_vertical_line(at, x))
    parts += [_curve(each, x, y) for each in series]
    parts += [_dots(each, x, y) for each in series if each.dots and len(each.points) <= _DOTS]
    parts += _marks(marks, x, y)
    parts += _names(series, x, y)
    return Markup(
        '<figure class="plot"><figcaption><b>{title}</b> <span>{note}</span></figcaption>'
        '<svg role="img" aria-label="{label}"><title>{title}</title><desc>{label}</desc>{drawing}'
        '<text class="across" x="100%" y="100%" dy="2.9em" text-anchor="end">{across}</text></svg>'
        "{table}</figure>"
    ).format(
        title=title,
        note=note,
        label=_describe(title, series, x, y, across),
        drawing=Markup().join(parts),
        across=across,
        table=_table(series, x, y, across),
    )


def _tag(template: str, *values: object, **named: object) -> Markup:
    return Markup(template).format(*values, **named)  # noqa: S704 - the templates are constants, and `format` escapes the values


def _grid(x: Axis, y: Axis) -> Iterator[Markup]:
    for tick in y.ticks:
        top = 100 - y.percent(tick)
        yield _tag('<line class="grid" x1="0" x2="100%" y1="{0}%" y2="{0}%"/>', top)
        yield _tag('<text x="0" dx="-.6em" y="{}%" dy=".32em" text-anchor="end">{}</text>', top, y.text(tick))
    for tick in x.ticks:
        yield _tag('<text x="{}%" y="100%" dy="1.5em" text-anchor="middle">{}</text>', x.percent(tick), x.text(tick))


def _vertical_line(mark: Mark, x: Axis) -> Markup:
    left = x.percent(mark.x)
    side, offset = ("end", "-.5em") if left > 50 else ("start", ".5em")  # noqa: PLR2004
    return _tag(
        '<line class="at" x1="{0}%" x2="{0}%" y1="0" y2="100%"/>'
        '<text class="mark" x="{0}%" dx="{1}" y="0" dy="1.1em" text-anchor="{2}">{3}</text>',
        left,
        offset,
        side,
        mark.text,
    )


def _curve(series: Series, x: Axis, y: Axis) -> Markup:
    band = ""
    if series.band:
        points = [(x.percent(a), 100 - y.percent(low), 100 - y.percent(high)) for a, low, high in series.band]
        edge = [f"{a} {high}" for a, _, high in points] + [f"{a} {low}" for a, low, _ in reversed(points)]
        band = _tag('<path class="band" d="M{}Z"/>', "L".join(edge))
    lines = _tag('<path class="line" d="{}"/>', " ".join(_path_commands(series, x, y)))
    return _tag(
        '<svg class="{}" viewBox="0 0 100 100" preserveAspectRatio="none" width="100%" height="100%">{}{}</svg>',
        series.kind,
        band,
        lines,
    )


def _path_commands(series: Series, x: Axis, y: Axis) -> Iterator[str]:
    """Yield the commands of an SVG path, starting a new line after each gap."""
    command = "M"
    for a, b in series.points:
        if math.isfinite(b):
            yield f"{command}{x.percent(a)} {100 - y.percent(b):g}"
            command = "L"
        else:
            command = "M"


def _dots(series: Series, x: Axis, y: Axis) -> Markup:
    return Markup().join(
        _tag(
            '<circle class="{}" cx="{}%" cy="{}%" r="3.5"><title>{} {}: {}</title></circle>',
            series.kind,
            x.percent(a),
            100 - y.percent(b),
            series.name,
            x.text(a),
            y.text(b),
        )
        for a, b in series.points
        if math.isfinite(b)
    )


def _marks(marks: Iterable[Mark], x: Axis, y: Axis) -> Iterator[Markup]:
    for mark in marks:
        left, top = x.percent(mark.x), 100 - y.percent(mark.y)
        anchor = "start" if left < 20 else "end" if left > 80 else "middle"  # noqa: PLR2004
        above = "1.8em" if top < 15 else "-.9em"  # noqa: PLR2004
        yield _tag('<circle class="ring" cx="{}%" cy="{}%" r="6.5"/>', left, top)
        yield _tag(
            '<text class="mark" x="{}%" y="{}%" dy="{}" text-anchor="{}">{}</text>',
            left,
            top,
            above,
            anchor,
            mark.text,
        )


def _names(series: Sequence[Series], x: Axis, y: Axis) -> Iterator[Markup]:
    """Label each curve at its end, without overlap; a single curve is named by the title."""
    ends = sorted(
        (100 - y.percent(each.points[-1][1]), each.kind, each.name)
        for each in map(_known_points, series)
        if each.points
    )
    if len(ends) < 2:  # noqa: PLR2004
        return
    tops = [end[0] for end in ends]
    for i in range(1, len(tops)):
        tops[i] = max(tops[i], tops[i - 1] + _NAME_GAP)
    for i in reversed(range(len(tops))):
        tops[i] = min(tops[i], 100 if i == len(tops) - 1 else tops[i + 1] - _NAME_GAP)
    right = max(x.percent(each.points[-1][0]) for each in map(_known_points, series) if each.points)
    for top, (_, kind, name) in zip(tops, ends, strict=True):
        yield _tag('<text class="name {}" x="{}%" dx=".8em" y="{}%" dy=".32em">{}</text>', kind, right, top, name)


def _known_points(series: Series) -> Series:
    return replace(series, points=[point for point in series.points if math.isfinite(point[1])])


def _describe(title: str, series: Sequence[Series], x: Axis, y: Axis, across: str) -> str:
    """Describe the curves in words, for screen readers."""
    parts = []
    for each in map(_known_points, series):
        if not each.points:
            parts.append(f"{each.name} has no values")
            continue
        (first, begin), (last, end) = each.points[0], each.points[-1]
        start = f"{y.text(begin)} at {across} {x.text(first)}"
        parts.append(
            f"{each.name} {start}" if first == last else f"{each.name} from {start} to {y.text(end)} at {x.text(last)}"
        )
    return f"{title}: {'; '.join(parts)}."


def _table(series: Sequence[Series], x: Axis, y: Axis, across: str) -> Markup:
    rows: dict[float, dict[str, str]] = {}
    for each in series:
        bands = {a: f" ({y.text(low)} to {y.text(high)})" for a, low, high in each.band}
        for a, b in each.points:
            rows.setdefault(a, {})[each.name] = (y.text(b) if math.isfinite(b) else "–") + bands.get(a, "")
    head = Markup().join(_tag('<th scope="col">{}</th>', name) for name in (across, *(each.name for each in series)))
    body = Markup().join(
        _tag(
            '<tr><th scope="row">{}</th>{}</tr>',
            x.text(a),
            Markup().join(_tag("<td>{}</td>", cells.get(each.name, "–")) for each in series),
        )
        for a, cells in sorted(rows.items())
    )
    return _tag(
        '<details class="numbers"><summary>Numbers</summary><div class="scroll"><table>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div></details>",
        head,
        body,
    )


def sparkline(series: Series, x: Axis, y: Axis, label: str) -> Markup:
    """Draw a small curve without axes."""
    return _tag(
        '<svg class="spark" role="img" aria-label="{0}"><title>{0}</title>{1}{2}</svg>',
        label,
        _curve(series, x, y),
        _dots(series, x, y),
    )
