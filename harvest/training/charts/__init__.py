"""Charts as SVG in the page: no library, no script, legible at any width, in light and in dark.

axes       numbers to places, and where the ticks stand
plot       curves over an axis, with bands, marks and their numbers as a table
bars       where a share lies, and of what a whole is made
confusion  who is taken for whom, as a table that is coloured
"""

from harvest.training.charts.axes import (
    Axis,
    linear,
    logarithmic,
    whole,
)
from harvest.training.charts.bars import (
    bar,
    intervals,
    meter,
    stack,
)
from harvest.training.charts.confusion_matrix import confusion
from harvest.training.charts.line_plot import (
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
