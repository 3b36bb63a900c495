"""The review page on a real server and real folders: what a key does to the files, and the other way round."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.datasets import copied
from tests.review.conftest import STARTED, open_page
from tests.review.reviews import TOKEN, Review, running_process
from tests.review.reviews import wait_for as wait_until
from tests.review.test_page_grid import press, state_of, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

axe = pytest.importorskip("axe_playwright_python.sync_playwright")

LOOKS = {
    "wide": {},
    "narrow": {"viewport": {"width": 1024, "height": 768}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 393, "height": 851}, "has_touch": True, "is_mobile": True},
    "phone in the dark": {"viewport": {"width": 320, "height": 640}, "has_touch": True, "color_scheme": "dark"},
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    root = copied(tmp_path / "dataset", king=range(32), coral=range(100, 120))
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        pairs = [(1, 2), (3, 4), (5, 6)]
        ledger.executemany("INSERT INTO near_duplicate VALUES (?, ?, 1, '2026', NULL)", pairs)
    return root


@contextmanager
def open_review(browser: Browser, review: Review, **look: object) -> Iterator[Page]:
    with open_page(browser, f"http://127.0.0.1:{review.port}/", f"?token={TOKEN}", **look) as page:
        yield page


def list_files(root: Path) -> dict[str, bytes]:
    """Return every image of the class folders, by its path."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.glob("*/*.jpg")}


def test_undo_after_a_kill_brings_every_file_back(browser, root):
    """X, a screen kept by Enter, seven moved by a digit, a rating; the server is killed; four undos return all."""
    before = list_files(root)
    with (
        running_process(root) as (process, port),
        open_page(browser, f"http://127.0.0.1:{port}/", f"?token={TOKEN}") as page,
    ):
        press(page, "x", "Enter", *["Shift+ArrowRight"] * 6, "2", "Shift+5")
        assert len(list_files(root.with_name("dataset.rejected"))) == 1
        assert list_files(root).keys() != before.keys()
        assert state_of(page, "state.undo").startswith("rate 1 image")
        process.kill()

    with Review(root) as review, open_review(browser, review) as page:
        for _ in range(4):
            press(page, "Control+z")
        page.wait_for_function("() => document.getElementById('undo').disabled")
    assert list_files(root) == before


def test_changes_of_the_files_appear_without_a_reload(browser, root):
    """Deleted and moved files change tiles and counters of the open page; a file dragged back is restored."""
    with Review(root) as review, open_review(browser, review) as page:
        press(page, "x")
        wait_until(lambda: len(list_files(root.with_name("dataset.rejected"))) == 1)
        (back,) = root.with_name("dataset.rejected").glob("*/*.jpg")
        gone, moved = sorted((root / "king").glob("*.jpg"))[:2]
        gone.unlink()
        shutil.move(moved, root / "coral" / moved.name)
        shutil.move(back, root / back.parent.name / back.name)

        total = len(list_files(root))
        wait_for(page, f"document.querySelector('[data-queue=all] .count').textContent === '{total}'")
        corals = len(list((root / "coral").glob("*.jpg")))
        wait_for(page, f"document.querySelector('[data-class=coral] .left').textContent === '{corals}'")


def test_groups_are_settled_by_enter_and_never_asked_again(browser, root):
    """Enter keeps one of each pair; A keeps both; after a restart no group is left."""
    before = len(list_files(root))
    with Review(root) as review, open_review(browser, review) as page:
        page.click("[data-queue=duplicates]")
        page.wait_for_selector(".member.focused")
        press(page, "a", "Enter", "Enter")
        page.wait_for_selector("#empty h2")
    assert len(list_files(root)) == before - 2

    with Review(root) as review:
        assert review.get("/api/state")["queues"]["duplicates"] == 0


def test_all_is_done_by_keyboard_alone(browser, root):
    """From the first image to the done screen no mouse is needed, and the live region reads the decisions."""
    with Review(root) as review, open_review(browser, review) as page:
        assert page.evaluate("document.activeElement.id") == "grid"
        press(page, "ArrowRight", "x")
        page.wait_for_function("() => document.getElementById('live').textContent.startsWith('rejected, 2 of 52')")
        press(page, "Enter", "Enter")
        page.wait_for_selector(".done")

        assert page.inner_text(".command code").startswith("python train.py")
        assert state_of(page, "state.queues.unreviewed") == 0


def is_only_about_members(found: dict[str, Any]) -> bool:
    """Return whether a complaint is that no key scrolls the images of a group."""
    is_about_scrolling = found["id"] == "scrollable-region-focusable"
    return is_about_scrolling and all('class="members"' in node["html"] for node in found["nodes"])


def check(page: Page, view: str) -> None:
    found = axe.Axe().run(page).response["violations"]
    # A finger moves through a group; keys do so too, by the active descendant of the list of groups.
    found = [each for each in found if not is_only_about_members(each)]
    assert not found, (view, [(each["id"], [node["html"] for node in each["nodes"]]) for each in found])
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], view


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing(browser, root, look):
    """axe-core has no complaint about any view, wide, narrow and on a phone, light and dark; nothing overflows."""
    with Review(root) as review, open_review(browser, review, **LOOKS[look]) as page:
        press(page, "x", "k", "Shift+ArrowRight")
        check(page, "grid")
        press(page, "Space")
        page.wait_for_selector("#loupe .loaded")
        check(page, "loupe")
        press(page, "Space")
        for key, dialog in (("?", "help"), ("i", "information"), ("m", "picker"), ("v", "confusion")):
            press(page, key)
            page.wait_for_selector(f"#{dialog}[open]")
            check(page, dialog)
            page.keyboard.press("Escape")
        page.click("[data-command=settings]")
        check(page, "settings")
        page.keyboard.press("Escape")
        page.click("[data-queue=duplicates]")
        page.wait_for_selector(".member.focused")
        check(page, "groups")
        page.click("[data-queue=conflicts]")
        page.wait_for_selector("#empty h2")
        check(page, "empty")
        page.click("[data-queue=unreviewed]")
        page.wait_for_selector(STARTED)
        page.focus("#grid")
        press(page, "Control+a", "k")
        page.click("[data-queue=unreviewed]")
        page.wait_for_selector(".done")
        check(page, "done")


@pytest.mark.parametrize("look", ["wide", "phone in the dark"])
def test_axe_finds_nothing_in_rare_views(browser, address, dataset, look):
    """Nor has it about the first card, conflicts, suspects, an empty search, a stopped server, or a failed start."""
    with open_page(browser, address, **LOOKS[look]) as page:
        page.evaluate("document.getElementById('first-card').showModal()")
        check(page, "first card")
        page.keyboard.press("Escape")
        press(page, "x")
        for queue, shown in (
            ("conflicts", ".member.focused"),
            ("suspects", ".tile.loaded"),
            ("rejected", ".tile.loaded"),
        ):
            page.click(f"[data-queue={queue}]")
            page.wait_for_selector(shown)
            check(page, queue)
        page.fill("#filter-text", "no such text")
        page.wait_for_selector("#empty h2")
        check(page, "an empty search")
        state = dataset.state() | {"missing": "9 of 9 images are gone"}
        page.route("**/api/changes*", lambda route: route.fulfill(json=dataset.changes(0) | {"state": state}))
        page.evaluate("dispatchEvent(new Event('focus'))")
        page.wait_for_selector("#server:not([hidden])")
        check(page, "missing files")
        page.route("**/api/**", lambda route: route.abort())
        page.evaluate("dispatchEvent(new Event('focus'))")
        page.wait_for_selector("#server.over")
        check(page, "a stopped server")
        page.reload()
        page.wait_for_selector("#failure:not([hidden])")
        check(page, "a failed start")
