"""The dialogs of the review page: the card of the first visit, the panel about an image, and the bar of the server."""

from __future__ import annotations

import pytest

from tests.review.conftest import open_page
from tests.review.fake_server import FakeDataset, serve
from tests.review.test_page_grid import press, state_of, wait_for

FORGET_CARD = "localStorage.removeItem('harvest-first-card')"


def test_the_first_card_closes_before_a_key_decides(browser, address, dataset):
    """While the card covers images no key decides; Enter closes it, and the browser remembers that."""
    with open_page(browser, address) as page:
        page.add_init_script(FORGET_CARD)
        page.reload()
        page.wait_for_selector("#first-card[open]")
        press(page, "x")
        assert dataset.log == []
        page.keyboard.press("Enter")
        wait_for(page, "!document.getElementById('first-card').open")
        assert dataset.log == []
        wait_for(page, "localStorage.getItem('harvest-first-card') !== null")
        press(page, "x")
        assert [body["action"] for body in dataset.log] == ["reject"]


def test_a_click_beside_a_dialog_closes_it(page):
    """Help and settings close when the page behind them is clicked, but not when they are."""
    page.click("[data-command=help]")
    page.click("#help", position={"x": 4, "y": 4})
    assert page.is_visible("#help")
    page.mouse.click(5, 5)
    assert not page.is_visible("#help")


def test_a_name_that_cannot_be_a_folder_is_no_class(page, dataset):
    """The picker offers no class for such a name and says why; Enter decides nothing and keeps the selection."""
    press(page, "Shift+ArrowRight", "m")
    page.fill("#picker-input", "../x")
    assert page.locator("#picker-list [role=option]").count() == 0
    assert "cannot contain" in page.inner_text("#picker-list")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert state_of(page, "selection.size") == 2
    assert dataset.log == []
    press(page, "m")
    page.fill("#picker-input", "new one")
    press(page, "Enter")
    assert [body["value"] for body in dataset.log] == ["new one"]


def test_the_panel_about_an_image_follows_the_arrows(page, dataset):
    """I opens the panel, an arrow shows the facts of the next image, no key decides, and I closes the panel."""
    first, second = state_of(page, "ids.slice(0, 2)")
    page.keyboard.press("i")
    wait_for(page, f"document.getElementById('facts').textContent.includes('bing-{first:012x}')")
    page.keyboard.press("ArrowRight")
    wait_for(page, f"document.getElementById('facts').textContent.includes('bing-{second:012x}')")
    press(page, "x")
    assert dataset.log == []
    page.keyboard.press("i")
    assert not page.is_visible("#information")
    assert state_of(page, "focus") == 1


def test_the_open_image_is_beside_the_panel(page):
    """In the loupe of a wide window the panel does not lie over the image."""
    page.keyboard.press("Space")
    page.keyboard.press("i")
    page.wait_for_selector("#facts dd")
    edges = "[document.querySelector('#loupe .picture').getBoundingClientRect().right, information.offsetLeft]"
    wait_for(page, f"(([picture, panel]) => picture <= panel)({edges})")


def test_decisions_are_sentences_with_the_time_of_the_reader(page):
    """The panel lists the latest decision first, in words; a time that is none is shown as it is."""
    page.route(
        "**/api/item/*",
        lambda route: route.fulfill(
            json={
                "decisions": [
                    {"at": "2026-11-28T12:05:46Z", "by": "page", "action": "rate", "to": None, "value": "5"},
                    {"at": "yesterday", "by": "files", "action": "move", "to": "king/a.jpg", "value": None},
                ],
            }
        ),
    )
    page.keyboard.press("i")
    page.wait_for_selector("#facts .line")
    latest, oldest = page.eval_on_selector_all("#facts .line", "lines => lines.map((line) => line.textContent)")
    assert latest == "yesterday · moved to king · in the folder"
    assert oldest.endswith(" · rated 5")
    assert "T" not in oldest


def test_W05_a_hostile_ledger_in_the_panel(page):
    """Markup, script addresses, odd types, endless texts and lists are short text in the panel, and all fit."""
    hostile = {
        "class": "\u202esnake" * 300,
        "title": "<img src=x onerror=alert(1)>" + "T" * 10_000,
        "author": {"a": {"b": 1}, "c": "<b>A</b>"},
        "page": "javascript:alert(1)",
        "licence": "CC BY",
        "licence_url": " data:text/html,<script>alert(1)</script>",
        "original_size": ["a", [1, 2]],
        "fetched": 1e300,
        "copies": [f"king/{number}.jpg" for number in range(3000)],
        "decisions": [{"at": None, "by": [], "action": "toString", "to": 7, "value": {}}],
    }
    page.route("**/api/item/*", lambda route: route.fulfill(json=hostile))
    page.keyboard.press("i")
    page.wait_for_selector("#facts .line")
    assert page.query_selector("#facts :is(a, img, b, script)") is None
    assert page.locator("#facts .line", has_text="and 2,980 more").count() == 1
    heights = page.eval_on_selector_all("#facts .line", "lines => lines.map((line) => line.offsetHeight)")
    assert max(heights) < 150
    assert page.evaluate("information.scrollWidth <= information.clientWidth")


def test_enter_keeps_the_selection_alone(page, dataset):
    """With a selection the button names its size, and Enter keeps these images and no other of the screen."""
    selected = state_of(page, "ids.slice(0, 3)")
    press(page, "Shift+ArrowRight", "Shift+ArrowRight")
    wait_for(page, "document.querySelector('#accept span').textContent === 'Keep these 3'")
    press(page, "Enter")
    assert [(body["action"], body["ids"]) for body in dataset.log] == [("keep", selected)]


def test_no_tile_moves_when_the_server_stops(browser):
    """The bar about a stopped server lies over the bar at the top: every image stays in its place."""
    with serve(FakeDataset()) as address:
        opened = open_page(browser, address)
        page = opened.__enter__()
    place = "document.querySelector('.tile').getBoundingClientRect().top"
    before = page.evaluate(place)
    page.evaluate("dispatchEvent(new Event('focus'))")
    wait_for(page, "!document.getElementById('server').hidden")
    assert page.evaluate(place) == before
    opened.__exit__(None, None, None)


def test_a_page_that_cannot_start_shows_only_why(browser, address):
    """Without an answer to its first question the page shows what to do, and no control that does nothing."""
    with open_page(browser, address) as page:
        page.route("**/api/state", lambda route: route.abort())
        page.reload()
        page.wait_for_selector("#failure:not([hidden])")
        assert "does not answer" in page.inner_text("#failure")
        visible = "[...document.querySelectorAll('button, select, input')].filter((each) => each.checkVisibility())"
        assert page.evaluate(f"{visible}.map(({{id}}) => id)") == ["retry"]


def test_what_the_server_says_is_shown(page):
    """What keeps the dataset from being read is in the bar, in the words of the server, until it is gone."""
    answer = {"error": "cannot read snakes.rejected: Not a directory", "hint": "Check the disk."}
    page.route("**/api/changes*", lambda route: route.fulfill(status=409, json=answer))
    page.evaluate("dispatchEvent(new Event('focus'))")
    wait_for(page, "!document.getElementById('server').hidden")
    assert page.inner_text("#server") == "cannot read snakes.rejected: Not a directory Check the disk."
    page.unroute("**/api/changes*")
    page.evaluate("dispatchEvent(new Event('focus'))")
    wait_for(page, "document.getElementById('server').hidden")


def test_a_detached_drive_is_announced(page, dataset):
    """When the server misses so many files that a drive may be detached, a bar says so and leaves the queues usable."""
    state = dataset.state() | {"missing": "212 of 233 images of coral_snake are gone"}
    reply = {"seq": state["seq"], "items": dataset.columns([]), "gone": [], "state": state}
    page.route("**/api/changes*", lambda route: route.fulfill(json=reply))
    page.evaluate("dispatchEvent(new Event('focus'))")
    wait_for(page, "!document.getElementById('server').hidden")
    assert page.inner_text("#server").startswith("212 of 233 images of coral_snake are gone. Nothing was recorded.")
    page.click("[data-queue=all]")


@pytest.mark.parametrize("width", [1440, 390])
def test_a_long_class_name_leaves_room_for_the_open_image(browser, dataset, address, width):
    """In the loupe a class name of 200 characters is cut: image, position and all buttons are on the screen."""
    dataset.items[1]["class"] = "a" * 200
    with open_page(browser, address, viewport={"width": width, "height": 844}) as page:
        press(page, *["ArrowRight"] * state_of(page, "ids.indexOf(1)"), "Space")
        page.wait_for_selector("#loupe .loaded")
        inside = (
            "all => all.filter(each => each.checkVisibility()).every(({offsetLeft, offsetWidth}) => offsetWidth && "
        )
        inside += "offsetLeft + offsetWidth <= innerWidth)"
        assert page.eval_on_selector_all("#loupe .position, #loupe .picture, #loupe button", inside)


def test_names_keep_their_direction(browser, dataset, address):
    """A class name that is written from right to left changes the order of nothing around it."""
    for item in dataset.items.values():
        item["class"] = "שלום"
    with open_page(browser, address) as page:
        page.click("[data-class='שלום']")
        wait_for(page, "document.getElementById('status').textContent.startsWith('\u2068שלום\u2069 · ')")
