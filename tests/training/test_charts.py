"""Charts: axes with round ticks, well-formed SVG, and tables with the same numbers."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest import charts
from harvest.charts import (
    Mark,
    Series,
    linear,
    logarithmic,
    plot,
    whole,
)
from harvest.charts.bar_charts import MeasuredShare

NAN = math.nan
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 4))


def parsed(markup) -> ET.Element:
    """Parse a piece of the page, which must be well formed and without nan or inf."""
    assert not re.search(r"(?<![a-z])(nan|inf)(?![a-z])", str(markup))
    return ET.fromstring(f"<div>{markup}</div>")


def texts(element: ET.Element, tag: str) -> list[str]:
    return ["".join(each.itertext()).strip() for each in element.iter(tag)]


# Axes


@given(st.lists(NUMBERS, min_size=1, max_size=9))
def test_axis_holds_all_values(values) -> None:
    """Every value is on the axis, which starts and ends on a tick and has few ticks."""
    axis = linear(values)

    assert all(-0.01 <= axis.percent(value) <= 100.01 for value in values)
    assert (axis.ticks[0], axis.ticks[-1]) == (axis.low, axis.high)
    assert list(axis.ticks) == sorted(set(axis.ticks))
    assert 2 <= len(axis.ticks) <= 12


@given(st.lists(st.floats(1e-9, 1e3), min_size=1, max_size=9))
def test_logarithmic_axis_holds_all_values(values) -> None:
    """Every value is on a logarithmic axis."""
    axis = logarithmic(values)

    assert all(-0.01 <= axis.percent(value) <= 100.01 for value in values)


@pytest.mark.parametrize("values", [[], [NAN], [math.inf, NAN], [0.0], [5.0, 5.0]])
def test_axis_of_nothing(values) -> None:
    """There is an axis for no finite value and for a single one."""
    assert linear(values).low < linear(values).high
    assert whole(values).ticks
    assert logarithmic(values).low > 0


def test_ticks_of_shares_are_whole_percent() -> None:
    """Ticks of shares are whole percent, so that no two have the same text, and end at 100 %."""
    axis = linear([0.991, 0.999], text=lambda share: f"{share:.0%}", finest=0.01, most=1)

    assert [axis.text(tick) for tick in axis.ticks] == ["99%", "100%"]


# Curves


def losses(*series: Series, **options):
    x = whole(a for each in series for a, _ in each.points)
    return plot(
        "Loss",
        series,
        x=x,
        y=linear([b for each in series for _, b in each.points]),
        across="epoch",
        **options,
    )


TRAIN = Series("train", [(0, NAN), (1, 0.9), (2, 0.5)], "other")
VALID = Series("valid", [(0, 1.0), (1, 0.8), (2, 0.6)])


def test_plot() -> None:
    """A plot has a title, a description in words, a curve and dots for each series, and all its numbers."""
    page = parsed(losses(TRAIN, VALID, note="lower is better"))

    assert texts(page, "title")[0] == "Loss"
    assert texts(page, "desc") == ["Loss: train from 0.9 at epoch 1 to 0.5 at 2; valid from 1 at epoch 0 to 0.6 at 2."]
    assert texts(page, "th") == ["epoch", "train", "valid", "0", "1", "2"]
    assert texts(page, "td") == ["–", "1", "0.9", "0.8", "0.5", "0.6"]
    assert len([each for each in page.iter("path") if each.get("class") == "line"]) == 2
    assert len(list(page.iter("circle"))) == 5
    assert [each.text for each in page.iter("text") if each.get("class", "").startswith("name")] == [
        "valid",
        "train",
    ]


def test_gap() -> None:
    """A value that is not finite leaves a gap in the curve."""
    page = parsed(losses(Series("valid", [(0, 1.0), (1, 0.8), (2, NAN), (3, 0.4), (4, math.inf), (5, 0.3)])))

    (line,) = (each.get("d") for each in page.iter("path") if each.get("class") == "line")
    assert line.count("M") == 3
    assert texts(page, "td")[2] == "–"


@pytest.mark.parametrize("points", [[], [(1, NAN)], [(1, 0.5)], [(1, 0.5)] * 2, [(i, i % 7) for i in range(500)]])
def test_few_points_and_many(points) -> None:
    """Curves of no, one and five hundred points are drawn."""
    page = parsed(losses(Series("valid", points), VALID))

    assert len(list(page.iter("circle"))) < 50


def test_names_at_the_ends_do_not_overlap() -> None:
    """The names of curves that end at one point do not overlap."""
    page = parsed(losses(*(Series(f"c{i}", [(0, 0.0), (1, 0.5 + i / 1e3)]) for i in range(4))))

    places = sorted(float(each.get("y")[:-1]) for each in page.iter("text") if each.get("class", "").startswith("name"))
    assert min(np.diff(places)) >= 8.9
    assert places[-1] <= 100


def test_band_and_marks() -> None:
    """A band is drawn below its curve and listed in the table; marks and the vertical line have texts."""
    series = Series("accuracy", [(5, 0.7), (10, 0.8)], band=[(5, 0.6, 0.8), (10, 0.75, 0.85)])
    page = parsed(losses(series, marks=[Mark(10, 0.8, "80 %")], at=Mark(5, 0, "chosen")))

    assert [each.get("class") for each in page.iter("path")] == ["band", "line"]
    assert texts(page, "td")[0] == "0.7 (0.6 to 0.8)"
    assert [each.text for each in page.iter("text") if each.get("class") == "mark"] == ["chosen", "80 %"]


def test_texts_are_escaped() -> None:
    """Every text is escaped."""
    odd = "</svg><script>alert(1)</script>\"'&"
    page = parsed(losses(Series(odd, [(0, 1.0), (1, 2.0)]), Series("b", [(0, 1.0)]), note=odd))

    assert not list(page.iter("script"))
    assert odd in texts(page, "th")


# Bars


def test_intervals() -> None:
    """Each share is a dot on its interval, with a description; one that is nan has neither dot nor interval."""
    page = parsed(
        charts.intervals(
            [MeasuredShare("test", 0.9, 0.8, 0.95, "9 of 10"), MeasuredShare("valid", NAN, 0, 1, "no images")],
            guess=0.5,
        )
    )

    assert [each.get("cx") for each in page.iter("circle")] == ["90.0%"]
    assert [each.get("x1") for each in page.iter("line") if each.get("class") == "between"] == ["80.0%"]
    assert texts(page, "title") == ["test: 9 of 10", "valid: no images"]


def test_bars_and_stacks() -> None:
    """Bars are as long as their shares; each part of a stack starts where the previous one ends."""
    assert [each.get("width") for each in parsed(charts.meter(0.25, "x")).iter("rect")] == ["100%", "25.0%"]
    assert [each.get("width") for each in parsed(charts.bar(NAN)).iter("rect")] == ["100%", "0%"]
    pieces = list(parsed(charts.stack([("train", 6), ("valid", 2), ("test", 0)], 16)).iter("rect"))
    assert [(each.get("x"), each.get("width")) for each in pieces] == [
        ("0.00%", "37.50%"),
        ("37.50%", "12.50%"),
        ("50.00%", "0.00%"),
    ]
    assert parsed(charts.stack([("train", 0)], 0)) is not None


# Confusion


def test_confusion() -> None:
    """A confusion matrix is a table with the classes as headers; only nonzero counts are written and shaded."""
    page = parsed(charts.confusion(np.array([[9, 1], [0, 0]]), ("coral", "king"), caption="valid"))

    assert texts(page, "th")[1:] == ["coral", "king", "coral", "king"]
    assert texts(page, "td") == ["9", "1", "", ""]
    assert [each.get("class") for each in page.iter("td")] == ["r8", "w1", None, "same"]
    assert [each.get("title") for each in page.iter("td")][1] == "1 of 10 in coral predicted as king"


@pytest.mark.parametrize("count", [2, 3, 6, 14, 40, 41, 200])
def test_any_number_of_classes(count) -> None:
    """Of two hundred classes the thirty with the most mistakes are drawn, and every image is counted."""
    rng = np.random.default_rng(0)
    matrix = rng.integers(0, 3, (count, count)) + np.diag(rng.integers(5, 20, count))
    page = parsed(charts.confusion(matrix, [f"class {i}" for i in range(count)], caption="test"))

    shown = count if count <= 40 else 31
    assert len(list(page.iter("td"))) == shown**2
    assert sum(int(text) for text in texts(page, "td") if text) == matrix.sum()
    assert (f"{count - 30} others" in texts(page, "th")) == (count > 40)


def test_names_of_classes_are_escaped() -> None:
    """The names of classes are escaped."""
    odd = "<img src=x onerror=alert(1)>"
    page = parsed(charts.confusion(np.ones((2, 2), int), (odd, 'b" onclick="'), caption=odd))

    assert not list(page.iter("img"))
    assert odd in texts(page, "th")
    assert not [each for each in page.iter() if each.get("onclick")]
