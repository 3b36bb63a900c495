"""report.html as Chromium shows it, offline: on a telephone, on a screen, in light, in dark, on paper."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harvest.training.report import ReportData, write
from tests.training import report_examples as examples

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


@pytest.fixture
def snakes(run_of) -> Path:
    return run_of("snakes")


@pytest.fixture
def look(browser_context: BrowserContext, tmp_path: Path):
    """Return a function that opens a report, given as its data or as its run; fail if it does anything at all."""
    strange: list[str] = []
    opened: list[Page] = []

    def look(report: ReportData | Path, width: int = 1400, scheme: str = "light") -> Page:
        run = report if isinstance(report, Path) else written(report, tmp_path / "runs" / "1")
        page = browser_context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        opened.append(page)
        page.on("console", lambda message: strange.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: strange.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (strange.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: request.url.startswith("data:") or strange.append(request.url))
        page.goto((run / "report.html").as_uri())
        assert strange.pop(0).endswith("/report.html")
        return page

    yield look
    for page in opened:
        page.close()
    assert not strange


def written(data: ReportData, run: Path) -> Path:
    run.mkdir(parents=True, exist_ok=True)
    write(run, data)
    return run


TELLERS = {
    "snakes": examples.snakes_report,
    "forty": lambda tree: examples.snakes_report(tree, [f"Lampropeltis no. {i}" for i in range(40)], 10),
    "two hundred": lambda tree: examples.snakes_report(tree, [f"Micrurus no. {i}" for i in range(200)], 5),
    "hostile": examples.hostile,
    "diverged": lambda _: examples.diverged(),
    "nothing": lambda _: ReportData("nothing", ("a", "b")),
}
WIDTHS = (400, 1400)


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    """Return a function that writes the report of an example once, and returns its run."""

    @cache
    def run_of(name: str) -> Path:
        path = tmp_path_factory.mktemp("example")
        return written(TELLERS[name](path / "tree"), path / "runs" / "1")

    return run_of


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", TELLERS)
def test_layout_holds(look, run_of, name, width) -> None:
    """At the width of a telephone and of a screen nothing sticks out, and no text is too small to be read."""
    page = look(run_of(name), width)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(
        "[...document.querySelectorAll('p, td, th, text, li, span, a')]"
        ".every(each => parseFloat(getComputedStyle(each).fontSize) >= 10)"
    )
    assert page.evaluate("[...document.images].every(each => each.naturalWidth > 0)")


CUT = """
() => {
  document.querySelectorAll('details').forEach(each => each.open = true);
  return [...document.querySelectorAll('.scroll')].filter(each => each.scrollWidth > each.clientWidth)
    .map(each => each.querySelector('table').className);
}
"""


@pytest.mark.parametrize("width", [390, 1280])
def test_tables_fit(look, tmp_path: Path, width) -> None:
    """Classes, networks and parts are seen whole on a telephone and on a screen, with long names too."""
    names = ["scarlet_milk_snake_of_the_south", "coral snake", "king snake", "daisy", "tulips"]
    page = look(examples.snakes_report(tmp_path / "tree", names, 120), width)

    assert page.evaluate(CUT) == []
    assert page.locator("table.split td.number").last.inner_text() == "120"


def test_a_table_that_is_cut_says_so(look, tmp_path: Path) -> None:
    """A table with more columns than a telephone has room for can be moved, and a shade tells."""
    row = dict.fromkeys((f"metric {number}" for number in range(20)), 0.5)
    snakes = examples.snakes_report(tmp_path / "tree")
    page = look(replace(snakes, history=[{**each, **row} for each in snakes.history]), 390)

    assert page.evaluate(CUT) == [""]
    shades = page.locator(".scroll").first.evaluate("each => getComputedStyle(each).backgroundAttachment")
    assert shades == "local, local, scroll, scroll"


@pytest.mark.parametrize("width", WIDTHS)
def test_every_chart_is_drawn(look, snakes, width) -> None:
    """Losses, metrics, learning curve and finder are drawn at their full size, with lines on them."""
    page = look(snakes, width)

    titles = page.locator("figure.plot figcaption b").all_inner_texts()
    expected = ["Accuracy by probability", "Accuracy by number of training images", "Loss", "Accuracy"]
    assert titles == [*expected, "Loss by learning rate"]
    for box in page.evaluate(
        "[...document.querySelectorAll('figure.plot > svg, .spark, .interval svg')]"
        ".map(each => each.getBoundingClientRect()).map(box => [box.width, box.height])"
    ):
        assert box[0] > 120
        assert box[1] > 15
    for box in page.evaluate(
        "[...document.querySelectorAll('path.line')].map(each => each.getBoundingClientRect().width)"
    ):
        assert box > 100
    assert page.locator("table.matrix td").count() == 8  # of the saved network and the other one
    assert page.locator(".gallery img").count() > 8
    assert page.locator(".mixup img").count() == 8


def test_names_do_nothing(look, run_of) -> None:
    """Hovering over and clicking on what hostile names made does nothing."""
    page = look(run_of("hostile"))

    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    for number in range(0, page.locator(".name, .path").count(), 7):
        page.locator(".name, .path").nth(number).hover(force=True)
    assert page.locator("[onerror], [onload], [onmouseover], script").count() == 0
    assert page.evaluate("document.querySelectorAll('main').length") == 1


LUMINANCE = """
each => {
  const level = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = rgb => { const [r, g, b] = rgb.match(/[\\d.]+/g).map(Number);
                         return 0.2126 * level(r) + 0.7152 * level(g) + 0.0722 * level(b); };
  let ground = each;
  while (/, 0\\)$|transparent/.test(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
  const [a, b] = [light(getComputedStyle(each).color), light(getComputedStyle(ground).backgroundColor)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}
"""


TEXTS = (
    *("h1", "nav a", "th", "code", "summary", "figcaption", ".next li a"),
    *(".facts", ".figure", ".lead", ".answer", ".said.wrong", ".path", ".warning"),
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(look, snakes, scheme) -> None:
    """In light and in dark every kind of text stands out from its ground by 4.5 to 1."""
    page = look(snakes, 1400, scheme)

    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(251, 251, 249)") == (scheme == "light")
    for kind in TEXTS:
        assert page.locator(kind).first.evaluate(LUMINANCE) >= 4.5, kind


def test_accessible(look, snakes) -> None:
    """Drawings and images have names, no heading skips a level, tables have heads, links lead somewhere."""
    page = look(snakes)

    assert page.evaluate("[...document.querySelectorAll('svg[role=img]')].every(each => each.ariaLabel)")
    assert page.evaluate("[...document.images].every(each => each.alt || each.closest('[aria-hidden]'))")
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(each => +each.tagName[1])")
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    assert page.evaluate("[...document.querySelectorAll('table')].every(each => each.querySelector('th[scope]'))")
    assert page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].every(each => document.getElementById(each.hash.slice(1)))"
    )
    assert page.evaluate("document.documentElement.lang") == "en"


def test_print(look, snakes) -> None:
    """On paper the page is light, without its links to sections, and what is folded is unfolded."""
    page = look(snakes, 800, "dark")

    page.emulate_media(media="print")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert page.locator("details", has_text="What the metrics mean").locator("dl").is_visible()
    assert page.pdf().startswith(b"%PDF")
