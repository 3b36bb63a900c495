"""The page in Chromium on the real server: keys change the files, and undo changes them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.datasets import tree
from tests.review.conftest import open_page
from tests.review.reviews import TOKEN, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.review.reviews import Review


def test_keys_of_the_page_move_files(browser: Browser, review: Review, root: Path) -> None:
    """`x` moves the file of an image to dataset.rejected, Ctrl+Z moves it back, and no file is lost."""
    before = tree(root)
    rejected = root.with_name("dataset.rejected")
    with open_page(browser, f"{review.listener.url}?token={TOKEN}") as page:
        for count in range(1, 6):
            page.keyboard.press("x")
            wait_for(lambda count=count: len(tree(rejected)) == count)
        assert len(tree(root)) == len(before) - 5
        for count in range(4, -1, -1):
            page.keyboard.press("Control+z")
            wait_for(lambda count=count: len(tree(rejected)) == count)
    assert tree(root) == before
