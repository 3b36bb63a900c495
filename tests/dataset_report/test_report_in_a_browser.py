"""The report of a dataset as Chromium shows it: accessible, and nothing sticks out, on every screen."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from harvest.dataset_report import report
from tests.dataset_report import examples

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

axe = pytest.importorskip("axe_playwright_python.sync_playwright")

EXAMPLES = {
    "garden": examples.garden,
    "hostile": examples.hostile,
    "forty": examples.many_classes,
    "rejected": examples.all_rejected,
    "one": examples.one_class,
    "empty": examples.empty,
}


@pytest.fixture(scope="module")
def report_of(tmp_path_factory):
    """Return a function that makes the report of an example once."""

    @cache
    def make(name: str) -> Path:
        return report(EXAMPLES[name](tmp_path_factory.mktemp("example") / name))

    return make


@pytest.fixture
def look(browser_context: BrowserContext, report_of):
    """Return a function that opens a report; fail if the page asks for anything or says anything."""
    strange: list[str] = []
    page = browser_context.new_page()
    page.on("console", lambda message: strange.append(message.text))
    page.on("dialog", lambda dialog: (strange.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: request.url.startswith(("data:", "file:")) or strange.append(request.url))

    def look(name: str, width: int = 1440, scheme: str = "light") -> Page:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.goto(report_of(name).as_uri())
        return page

    yield look
    page.close()
    assert not strange


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_sticks_out(look, name) -> None:
    """At the width of a phone, a tablet and a screen nothing is wider than the page, and no text is too small."""
    for width in (390, 1024, 1440):
        page = look(name, width)

        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        assert page.evaluate(
            "[...document.querySelectorAll('p, td, th, li, span, small, a, b')]"
            ".every(each => parseFloat(getComputedStyle(each).fontSize) >= 10)"
        )
        assert page.evaluate("[...document.images].every(each => each.naturalWidth > 0)")


@pytest.mark.parametrize(("name", "scheme"), [("garden", "light"), ("garden", "dark"), ("empty", "dark")])
def test_axe_finds_nothing(look, name, scheme) -> None:
    """axe-core has no complaint, in light and in dark."""
    found = axe.Axe().run(look(name, scheme=scheme)).response["violations"]

    assert not found, [(each["id"], [node["html"][:200] for node in each["nodes"]][:3]) for each in found]


def test_print_is_light_and_complete(look) -> None:
    """On paper the page is light, without links to sections, and no part of a query file is hidden."""
    page = look("garden", 800, "dark")

    page.emulate_media(media="print")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert page.evaluate("(each => each.scrollHeight <= each.clientHeight + 1)(document.querySelector('pre'))")
    assert page.pdf().startswith(b"%PDF")


def test_a_credit_is_found_by_its_number(look) -> None:
    """The number under an image leads to its credit."""
    page = look("garden")

    page.locator("#kept .tag a").nth(20).click()

    assert page.evaluate("document.querySelector('.credits :target').id") == "c21"
