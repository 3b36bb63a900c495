"""A dataset, a review of it, and the page of a fake dataset in Chromium."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import chromium
from tests.datasets import copied
from tests.review.fake_server import FakeDataset, serve
from tests.review.reviews import Review

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

# Images are shown before the keys and buttons are connected.
STARTED = ":root:has(#queues [aria-current]) .tile.loaded"
SKIP_CARD = "localStorage.setItem('harvest-first-card', '1')"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a dataset of 25 kings and 10 corals, with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return copied(tmp_path / "dataset", king=range(25), coral=range(100, 110))


@pytest.fixture
def review(root: Path) -> Iterator[Review]:
    """Return a running review of the dataset."""
    with Review(root) as review:
        yield review


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def dataset() -> FakeDataset:
    return FakeDataset()


@pytest.fixture
def address(dataset: FakeDataset) -> Iterator[str]:
    with serve(dataset) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """Open the page with the grid of unreviewed images; every error of the page fails the test."""
    with open_page(browser, address) as page:
        yield page


@contextmanager
def open_page(browser: Browser, address: str, link: str = "", **options: Any) -> Iterator[Page]:
    """Open a page in a fresh profile; check at the end that it raised no error and asked no other origin."""
    context = browser.new_context(**({"viewport": {"width": 1440, "height": 900}} | options))
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if "Content Security" in said.text else None)
    page.on(
        "request",
        lambda sent: sent.url.startswith(address.partition("?")[0]) or problems.append(f"left the origin: {sent.url}"),
    )
    page.add_init_script(SKIP_CARD)
    page.goto(address + link)
    page.wait_for_selector(STARTED)
    yield page
    context.close()
    assert problems == []
