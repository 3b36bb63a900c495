"""Draw the charts of a run: losses and metrics by epoch, the learning curve and the learning-rate finder."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harvest.charts import (
    Axis,
    Mark,
    Series,
    linear,
    logarithmic,
    plot,
    sparkline,
    whole,
)
from harvest.charts.axes import number, power
from harvest.html_report.number_format import NOTHING, percent
from harvest.training.report.result_text import metric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from markupsafe import Markup

    from harvest.training.calibrate_saved_network import Calibration
    from harvest.training.report.report_data import LearningPoint, RateSearch, ReportData

_NO_METRICS = frozenset({"epoch", "train_loss", "valid_loss", "time"})
_SHARES = frozenset({"accuracy", "error_rate", "precision", "recall", "f1"})
_LOWER = frozenset({"error_rate", "log_loss"})  # if the run does not say
_SMOOTHING = 0.5  # of the losses of the finder, the same as where the rate is chosen
_CLIPPED = 5  # times the first loss; the finder's curve is clipped above
_TICK_RATIO = 1.25  # smallest ratio of two ticks of the learning curve
_LOWEST = 0.98  # always on the axis of a share, so that a curve at 100 % is at its top


def epoch_charts(data: ReportData) -> Iterator[Markup]:
    """Yield a chart of the losses and one of each metric, with the saved epoch marked.

    There are none for fewer than two rows.
    """
    if len(data.history) < 2:  # noqa: PLR2004
        return
    x = whole(row["epoch"] for row in data.history if "epoch" in row)
    losses = [
        Series("train", _column(data.history, "train_loss"), "other"),
        Series("valid", _column(data.history, "valid_loss")),
    ]
    if any(each.points for each in losses):
        y = linear((b for each in losses for _, b in each.points), least=0)
        yield plot("Loss", losses, x=x, y=y, across="epoch", note="lower is better")
    for name in _metrics(data.history):
        greater = _directions(data).get(name, name not in _LOWER)
        points = _column(data.history, name)
        if not points:
            continue
        yield plot(
            metric(name),
            [Series(metric(name), points)],
            x=x,
            y=_scale(name, [b for _, b in points]),
            across="epoch",
            note=f"{'higher' if greater else 'lower'} is better",
            marks=[Mark(at, b, _text(name)(b)) for at, b in points if at == data.kept and math.isfinite(b)],
        )


def has_diverged(data: ReportData) -> bool:
    """Return whether there were epochs, but none has a finite value."""
    rows = [row for row in data.history if row.get("epoch", 0) > 0]
    values = [value for row in rows for name, value in row.items() if name not in {"epoch", "time"}]
    return bool(rows) and not any(map(math.isfinite, values))


def _directions(data: ReportData) -> dict[str, bool]:
    return {each.name: each.greater_is_better for each in data.metrics}


def _metrics(history: Iterable[Mapping[str, float]]) -> list[str]:
    return [name for name in dict.fromkeys(key for row in history for key in row) if name not in _NO_METRICS]


def _column(history: Iterable[Mapping[str, float]], name: str) -> list[tuple[float, float]]:
    found = [(row["epoch"], row.get(name, math.nan)) for row in history if "epoch" in row]
    return found if any(math.isfinite(value) for _, value in found) else []


def figure(value: float | None, name: str) -> str:
    """Format the value of a metric."""
    return _text(name)(value) if value is not None and math.isfinite(value) else NOTHING


def _text(name: str) -> Callable[[float], str]:
    return percent if name in _SHARES else number


def _scale(name: str, values: Sequence[float]) -> Axis:
    if name not in _SHARES:
        return linear(values)
    return linear(values if name in _LOWER else [*values, _LOWEST], text=percent, finest=0.01, least=0, most=1)


def reliability_chart(calibration: Calibration | None) -> Markup | None:
    """Draw the accuracy by the probability that the network gives, before and after the calibration."""
    if calibration is None or not calibration.count:
        return None
    after, before = (
        Series(name, [(each.confidence, each.accuracy) for each in bins], kind)
        for name, bins, kind in (("calibrated", calibration.after, "main"), ("before", calibration.before, "other"))
    )
    share = linear((0.0, 1.0), text=percent, finest=0.01, least=0, most=1)
    return plot(
        "Accuracy by probability",
        [Series("ideal", [(0.0, 0.0), (1.0, 1.0)], "other", dots=False), before, after],
        x=share,
        y=share,
        across="highest probability",
        note="on the diagonal, a probability is the share that is correct",
    )


def learning_curve(points: Sequence[LearningPoint]) -> Markup | None:
    """Draw the accuracy by the number of training images per class, on a logarithmic axis."""
    series = _curve_points(points)
    if series is None:
        return None
    x = logarithmic(
        [a for a, _ in series.points], text="{:.0f}".format, ticks=_drop_close_values([a for a, _ in series.points])
    )
    y = linear(_heights(series), text=percent, finest=0.01, least=0, most=1)
    last = series.points[-1]
    return plot(
        "Accuracy by number of training images",
        [series],
        x=x,
        y=y,
        across="images per class",
        note="the band is the 95 % confidence interval",
        marks=[Mark(*last, percent(last[1]))],
    )


def curve_outline(points: Sequence[LearningPoint]) -> Markup | None:
    """Draw the learning curve in small, for the first screen."""
    series = _curve_points(points)
    if series is None:
        return None
    x = logarithmic(a for a, _ in series.points)
    return sparkline(series, x, linear(_heights(series), least=0, most=1), "The learning curve")


def _curve_points(points: Sequence[LearningPoint]) -> Series | None:
    known = sorted((p for p in points if math.isfinite(p.accuracy) and p.per_class > 0), key=lambda p: p.per_class)
    if not known:
        return None
    band = [(p.per_class, p.low, p.high) for p in known if math.isfinite(p.low) and math.isfinite(p.high)]
    return Series("accuracy", [(p.per_class, p.accuracy) for p in known], band=band)


def _heights(series: Series) -> list[float]:
    return [b for _, b in series.points] + [b for _, *ends in series.band for b in ends]


def _drop_close_values(values: Sequence[float]) -> tuple[float, ...]:
    """Return the values without those too close to the next one; the last is always included."""
    spaced: list[float] = []
    for value in reversed(values):
        if not spaced or spaced[-1] / value > _TICK_RATIO:
            spaced.append(value)
    return tuple(reversed(spaced))


def finder_chart(search: RateSearch) -> Markup | None:
    """Draw the loss by learning rate, with the chosen rate."""
    tried = [(rate, loss) for rate, loss in search.points if rate > 0 and math.isfinite(loss)]
    if not tried:
        return None
    ceiling = _CLIPPED * max(tried[0][1], 1e-9)
    tried = [(rate, min(loss, ceiling)) for rate, loss in tried]
    smooth = _smooth_losses(tried)
    y = linear([loss for _, loss in tried], least=0)
    chosen = search.chosen if search.chosen and tried[0][0] <= search.chosen <= tried[-1][0] else None
    marks = []
    if chosen:
        near = min(smooth, key=lambda point: abs(math.log(point[0] / chosen)))
        marks.append(Mark(chosen, near[1], ""))
    return plot(
        "Loss by learning rate",
        [Series("one batch", tried, "other", dots=False), Series("smoothed", smooth, dots=False)],
        x=logarithmic((rate for rate, _ in tried), text=power),
        y=y,
        across="learning rate",
        note="a good rate is halfway down the slope",
        marks=marks,
        at=Mark(chosen, y.high, f"chosen: {number(chosen)}") if chosen else None,
    )


def _smooth_losses(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    mean, smooth = 0.0, []
    for number_of, (rate, loss) in enumerate(points, 1):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        smooth.append((rate, mean / (1 - _SMOOTHING**number_of)))
    return smooth
