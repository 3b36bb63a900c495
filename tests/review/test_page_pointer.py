"""A review without a keyboard: by mouse alone, and by touch alone on a phone."""

from __future__ import annotations

import time

import pytest

from tests.review.conftest import open_page
from tests.review.reviews import wait_for as wait_until
from tests.review.test_page_grid import open_queue, settle, state_of, wait_for

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def phone(browser, address):
    with open_page(browser, address, **PHONE) as page:
        yield page


def centre(page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).first.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def swipe(page, x: float, y: float) -> None:
    """Move a finger from the centre of the open image."""
    start = centre(page, "#loupe .stage")
    touch = page.context.new_cdp_session(page).send
    points = [(start[0] + x * step / 4, start[1] + y * step / 4) for step in (0, 1, 2, 3, 4, 4)]
    for number, (left, top) in enumerate(points):
        kind = "touchMove" if number else "touchStart"
        # Slowly, by the times of the events: after a fast swipe Chromium swallows the next tap.
        when = time.time() - (len(points) - number) / 5
        touch("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": left, "y": top}], "timestamp": when})
    touch("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def hold(page, selector: str) -> None:
    """Hold a finger on a tile until it is selected."""
    x, y = centre(page, selector)
    touch = page.context.new_cdp_session(page).send
    touch("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    wait_for(page, "document.querySelector('.tile[aria-selected=true]')")
    touch("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_review_by_mouse_alone(page, dataset):
    """The cross rejects, a click on it restores; buttons move, rate nothing by accident, keep screens and undo."""
    first, second, third = state_of(page, "ids.slice(0, 3)")
    page.hover(f"#tile-{first}")
    page.click("#cross")
    settle(page)
    assert dataset.items[first]["state"] == "rejected"
    page.click("#cross")
    settle(page)
    assert dataset.items[first]["state"] == "kept"

    page.click(f"#tile-{second}")
    page.click("#actions [data-command=reject]")
    page.click(f"#tile-{third}")
    page.click("#actions [data-command=pick]")
    page.click("#picker-list [role=option] >> nth=1")
    settle(page)
    assert dataset.items[second]["state"] == "rejected"
    assert dataset.items[third]["class"] == "king_snake"

    page.dblclick(".tile[aria-posinset='8']")
    page.click("#loupe [data-command=keep]")
    page.click("#loupe [data-command=close]")
    page.click("#undo")
    settle(page)
    for _ in range(12):
        if page.is_visible("#accept"):
            page.click("#accept")
            settle(page)
    page.wait_for_selector(".done")
    assert all(item["reviewed"] for item in dataset.items.values())

    page.click("[data-queue=duplicates]")
    page.click(".group.current .member >> nth=1")
    page.click("#accept")
    settle(page)
    assert dataset.log[-1]["action"] == "settle"
    assert len(dataset.log[-1]["keep"]) == 2  # the proposal, and the one that was clicked


def test_a_review_by_touch_alone(phone, dataset):
    """A tap opens; swipes reject, keep and move; holding selects; the button keeps the screen; groups by taps."""
    first, second, third = state_of(phone, "ids.slice(0, 3)")
    phone.tap(f"#tile-{first}")
    phone.wait_for_selector("#loupe .loaded")
    swipe(phone, -160, 0)
    wait_until(lambda: len(dataset.log) == 1)
    swipe(phone, 160, 0)
    wait_until(lambda: len(dataset.log) == 2)
    assert [(body["action"], body["ids"]) for body in dataset.log] == [("reject", [first]), ("keep", [second])]
    swipe(phone, 30, -10)  # too short for a decision
    swipe(phone, 0, -160)
    phone.tap("#picker-list [role=option] >> nth=1")
    wait_until(lambda: len(dataset.log) == 3)
    assert dataset.log[-1] | {"since": 0} == {"since": 0, "action": "move", "ids": [third], "value": "king_snake"}
    phone.tap("#loupe [data-command=close]")

    hold(phone, ".tile[aria-posinset='8']")
    phone.tap(".tile[aria-posinset='9']")
    phone.tap("#actions [data-command=reject]")
    wait_until(lambda: len(dataset.log) == 4)
    assert len(dataset.log[-1]["ids"]) == 2
    phone.tap("#accept")
    wait_until(lambda: len(dataset.log) == 5)
    assert dataset.log[-1]["action"] == "keep"

    phone.tap("[data-queue=conflicts]")
    phone.tap("#conflict-classes button >> nth=0")
    wait_until(lambda: len(dataset.log) == 6)
    assert dataset.log[-1]["action"] == "settle"
    phone.tap("#rail-button")
    phone.tap("[data-class=king_snake]")
    wait_for(phone, "!document.body.classList.contains('rail-open')")
    phone.tap("[data-queue=all]")
    wait_until(lambda: set(state_of(phone, "ids.map((id) => store.items.get(id).class)")) == {"king_snake"})
    wait_for(phone, "document.querySelector('.tile.loaded')")


def test_help_on_a_phone_explains_gestures(phone):
    """Where there is no keyboard the help lists gestures, and no key is shown anywhere."""
    phone.tap("[data-command=help]")
    assert "Swipe" in phone.inner_text("#help")
    assert phone.eval_on_selector_all("kbd", "keys => keys.filter((key) => key.checkVisibility()).length") == 0


def test_groups_fit_two_images_beside_each_other_on_a_phone(phone):
    """Both images of a pair are entirely on the screen."""
    phone.tap("[data-queue=duplicates]")
    phone.wait_for_selector(".member.focused")
    ends = phone.eval_on_selector_all(
        ".group.current .member", "all => all.slice(0, 2).map((each) => each.getBoundingClientRect().right)"
    )
    assert max(ends) <= 390


def test_all_queues_are_in_sight_on_a_phone(phone):
    """The names of all queues are entirely on the screen, also with large counts."""
    phone.evaluate("document.querySelectorAll('#queues .count').forEach((each) => { each.textContent = '123,456'; })")
    inside = (
        "all => all.every(({offsetLeft, offsetWidth}) => offsetLeft >= 0 && offsetLeft + offsetWidth <= innerWidth)"
    )
    assert phone.eval_on_selector_all("#queues button", inside)


def test_a_finger_moves_through_a_large_group(phone):
    """A part of the third image shows that there is more, and a finger brings it onto the screen."""
    phone.tap("[data-queue=duplicates]")
    phone.wait_for_selector(".member.focused")
    third = "document.querySelectorAll('.group.current .member')[2].getBoundingClientRect()"
    assert phone.evaluate(f"{third}.left < innerWidth - 16")
    x, y = centre(phone, ".group.current .member")
    touch = phone.context.new_cdp_session(phone).send
    for left in range(200, -60, -20):
        kind = "touchStart" if left == 200 else "touchMove"
        touch("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x + left, "y": y}]})
    touch("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wait_for(phone, f"{third}.right <= innerWidth")


def test_each_class_of_a_conflict_has_a_whole_button_in_a_narrow_window(browser, dataset, address):
    """The buttons of five long class names are all on the screen; other buttons are shown entirely or not at all."""
    group = next(group for group in dataset.groups if group["kind"] == "conflict")
    group["ids"] = [61, 62, 63, 64, 65]
    for number in group["ids"]:
        dataset.items[number]["class"] = f"{number} is a class with a long name"
    with open_page(browser, address, viewport={"width": 900, "height": 700}) as page:
        page.click("[data-queue=conflicts]")
        page.wait_for_selector(".member.focused")
        ends = "all => all.map((each) => each.getBoundingClientRect()).map(({right, bottom}) => [right, bottom])"
        buttons = page.eval_on_selector_all("#conflict-classes button", ends)
        assert len(buttons) == 5
        assert all(right <= 900 and bottom <= 700 for right, bottom in buttons)
        open_queue(page, "unreviewed")
        row = page.locator("#actions").bounding_box()
        for right, bottom in page.eval_on_selector_all("#actions button", ends):
            assert right <= row["x"] + row["width"] or bottom > row["y"] + row["height"]


def test_the_bar_of_queues_begins_with_a_name_on_a_phone_held_sideways(browser, address):
    """The queue that the page opens with needs no scrolling, so the first queue is entirely in sight."""
    with open_page(browser, address, **PHONE | {"viewport": {"width": 844, "height": 390}}) as page:
        assert page.evaluate("document.getElementById('queues').scrollLeft") == 0
