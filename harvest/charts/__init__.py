"""Draw charts as SVG without a library or a script, legible at any width and in light and dark mode.

axes              scales and their ticks
line_plot         curves with bands, marks and their numbers as a table
histogram         histograms
share_bar         how a whole is divided, with a legend
bar_charts        confidence intervals, bars and stacked bars
confusion_matrix  the confusion matrix as a coloured table
"""

from harvest.charts.axes import (
    Axis,
    linear,
    logarithmic,
    whole,
)
from harvest.charts.bar_charts import (
    bar,
    intervals,
    meter,
    stack,
)
from harvest.charts.confusion_matrix import confusion
from harvest.charts.histogram import Column, columns
from harvest.charts.line_plot import (
    Mark,
    Series,
    plot,
    sparkline,
)
from harvest.charts.share_bar import Part, limit_parts, share_bar

__all__ = [
    "Axis",
    "Column",
    "Mark",
    "Part",
    "Series",
    "bar",
    "columns",
    "confusion",
    "intervals",
    "limit_parts",
    "linear",
    "logarithmic",
    "meter",
    "plot",
    "share_bar",
    "sparkline",
    "stack",
    "whole",
]
