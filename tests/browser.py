"""Chromium, for tests that open pages in a browser; without it they are skipped."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from shutil import which
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def is_installed() -> bool:
    """Return whether Chromium and playwright are installed."""
    return CHROMIUM is not None and find_spec("playwright") is not None


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium without a window and without background requests."""
    if not is_installed():
        pytest.skip("Chromium or playwright is not installed")
    playwright = import_module("playwright.sync_api")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()
