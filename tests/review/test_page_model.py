"""What a training run adds to the page, in Chromium on the real server: orders, similar images, confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.review.conftest import STARTED, open_page
from tests.review.reviews import TOKEN
from tests.review.test_model_orders import KINGS, ODD, ids_of, open_review, write_features, write_run
from tests.review.test_page_files import check
from tests.review.test_page_grid import press, state_of, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.review.reviews import Review


@pytest.fixture
def trained(root: Path) -> Iterator[Review]:
    """Return a review of a dataset with a run and the features of all images."""
    write_run(root)
    write_features(root)
    with open_review(root) as review:
        yield review


@pytest.fixture
def page(browser: Browser, trained: Review) -> Iterator[Page]:
    with open_page(browser, trained.listener.url, f"?token={TOKEN}") as page:
        yield page


def test_the_order_of_loss_shows_what_the_model_says(page: Page, trained: Review) -> None:
    """The image with the highest loss is the first, and its tile shows the prediction; A takes it."""
    page.select_option("#order", "loss")
    first = ids_of(trained, 3)[0]
    wait_for(page, f"document.querySelector('.tile[aria-posinset=\"1\"]')?.id === 'tile-{first}'")
    assert page.inner_text(f"#tile-{first} .badge") == "model: coral 90%"
    assert "model: coral" in page.get_attribute(f"#tile-{first}", "aria-label")
    page.focus("#grid")
    press(page, "a")
    wait_for(page, f"document.querySelector('#tile-{first}').getAttribute('aria-label').includes('coral, BING, kept')")


def test_a_cell_of_the_confusion_matrix_shows_its_images(page: Page) -> None:
    """V opens the matrix; the arrows go to a cell and Enter shows its images; the filter can be cleared."""
    page.keyboard.press("v")
    page.wait_for_selector("#matrix button")
    check(page, "confusion matrix")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.ariaLabel") == "2 images of king, predicted as coral"
    page.keyboard.press("Enter")
    wait_for(page, "document.querySelector('.tile.focused:not([hidden])').ariaSetSize === '2'")
    assert state_of(page, "class") == "king"
    page.click("#clear-filters")
    wait_for(page, f"document.querySelector('.tile.focused:not([hidden])').ariaSetSize === '{len(KINGS)}'")


def test_similar_images_and_back(page: Page, trained: Review) -> None:
    """L shows all images by their similarity to the focused one, also from the loupe; Esc goes back."""
    page.select_option("#order", "odd")
    wait_for(page, f"document.querySelector('#tile-{ids_of(trained, ODD)[0]}').ariaPosInSet <= 2")
    page.focus("#grid")
    second = state_of(page, "ids[1]")
    press(page, "ArrowRight", "Space", "l")
    wait_for(page, f"document.querySelector('.tile[aria-posinset=\"1\"]')?.id === 'tile-{second}'")
    assert (state_of(page, "queue"), page.evaluate("document.getElementById('order').value")) == ("all", "similar")
    press(page, "Escape")
    wait_for(page, "document.getElementById('order').value === 'odd'")
    assert state_of(page, "queue") == "unreviewed"


def test_without_a_run_the_page_shows_the_command(browser: Browser, review: Review) -> None:
    """Without a run an order by features shows how to train one, and another order shows the images again."""
    with open_page(browser, review.listener.url, f"?token={TOKEN}") as page:
        page.select_option("#order", "odd")
        page.wait_for_selector("#empty .command")
        check(page, "order without a run")
        assert page.inner_text("#empty h2") == "There is no training run yet. This order needs one."
        assert page.inner_text("#empty code").startswith("harvest train ")
        page.select_option("#order", "name")
        page.wait_for_selector(STARTED)


def test_missing_features_can_be_computed(browser: Browser, root: Path) -> None:
    """Where features are missing, a button starts their computation, and its progress is shown."""
    write_run(root)
    with open_review(root) as review, open_page(browser, review.listener.url, f"?token={TOKEN}") as page:
        page.select_option("#order", "other")
        page.click("#empty button")
        wait_for(page, "/Computing|Loading|not computed/.test(document.querySelector('#empty h2').textContent)")
