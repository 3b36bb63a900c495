"""`Dataset.review()`: the page in a frame of a notebook on this machine, and in no other frame."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import httpx

from harvest import Dataset
from tests.datasets import tree

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser


def test_a_notebook_shows_the_page_in_a_frame(browser: Browser, root: Path) -> None:
    """A page on another port of localhost shows the review in its IFrame, where a key decides about an image."""
    with Dataset.open(root) as dataset:
        review = dataset.review(port=0)
        html = review._repr_html_().encode()

        class Notebook(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(html)

            def log_message(self, *_: object) -> None:
                pass

        notebook = HTTPServer(("127.0.0.1", 0), Notebook)
        threading.Thread(target=notebook.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            page = browser.new_page()
            page.goto(f"http://localhost:{notebook.server_port}/")
            frame = page.frame_locator("iframe")
            frame.locator(".tile.loaded").first.wait_for()
            frame.locator("#first-card-close").click()
            frame.locator("#grid").press("x")
            frame.locator(".tile[data-mark=rejected]").first.wait_for()
            page.close()
        finally:
            notebook.shutdown()
            notebook.server_close()
            review.close()
    assert len(tree(root.with_name("dataset.rejected"))) == 1


def test_a_review_can_be_closed_and_opened_in_a_terminal(root: Path) -> None:
    """The text of a review has its link; frames are for this machine only; after `close` nothing listens."""
    with Dataset.open(root) as dataset:
        review = dataset.review(port=0)
        assert repr(review) == f"Review of dataset: {review.url}"
        with httpx.Client(trust_env=False, follow_redirects=True) as client:
            address = review.url.replace("localhost", "127.0.0.1")
            policy = client.get(address).headers["Content-Security-Policy"]
            assert "frame-ancestors http://localhost:* http://127.0.0.1:*" in policy
            review.close()
            try:
                client.get(address)
            except httpx.ConnectError:
                return
    raise AssertionError("the server still answers")
