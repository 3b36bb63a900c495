"""Draw charts as SVG without a library or a script, legible at any width and in light and dark mode.

axes              scales and their ticks
line_plot         curves with bands, marks and their numbers as a table
bars              confidence intervals, bars and stacked bars
confusion_matrix  the confusion matrix as a coloured table
"""

from harvest.charts.axes import (
    Axis,
    linear,
    logarithmic,
    whole,
)
from harvest.charts.bars import (
    bar,
    intervals,
    meter,
    stack,
)
from harvest.charts.confusion_matrix import confusion
from harvest.charts.line_plot import (
    Mark,
    Series,
    plot,
    sparkline,
)

__all__ = [
    "Axis",
    "Mark",
    "Series",
    "bar",
    "confusion",
    "intervals",
    "linear",
    "logarithmic",
    "meter",
    "plot",
    "sparkline",
    "stack",
    "whole",
]
