"""The grid of the review page, by keyboard and mouse, in Chromium."""

from __future__ import annotations

import pytest

from tests.review.conftest import STARTED, open_page
from tests.review.fake_server import CLASSES, FakeDataset, serve
from tests.review.reviews import wait_for as wait_until

# 15,000 pixels a second, for 40,000 pixels.
FLING = """
new Promise((resolve) => {
  const box = document.getElementById('grid'), start = performance.now();
  requestAnimationFrame(function step(now) {
    box.scrollTop = 15 * (now - start);
    if (box.scrollTop < 40000) requestAnimationFrame(step);
    else resolve();
  });
})
"""


def settle(page) -> None:
    """Wait until every decision was sent."""
    page.evaluate(
        """import('/static/outbox.js').then(async ({outbox}) => {
            while (outbox.waiting.length) await new Promise((next) => setTimeout(next, 10));
        })"""
    )


def wait_for(page, condition: str) -> None:
    """Wait until an expression is true; the policy of the page forbids the `wait_for_function` of a string."""
    loop = (
        f"for (let tries = 0; tries < 1500; tries += 1) {{ if ({condition}) return true;"
        " await new Promise((n) => setTimeout(n, 20)); } return false;"
    )
    assert page.evaluate(f"(async () => {{ {loop} }})()"), condition  # in one call: a moment later it may be false


def open_queue(page, queue: str) -> None:
    """Open a queue and wait for its images: until they arrive, those of the queue before it stay on the screen."""
    page.click(f"[data-queue={queue}]")
    wait_for(page, "!(await import('/static/store.js')).store.isLoading")
    page.wait_for_selector(STARTED)


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
    settle(page)


def state_of(page, name: str):
    return page.evaluate(f"import('/static/store.js').then(({{store}}) => store.{name})")


def test_x_rejects_at_once_and_again_restores(page, dataset):
    """X marks the focused image as rejected on its tile and on the server; a second X takes it back."""
    first = state_of(page, "ids[0]")

    press(page, "Shift+X")
    assert dataset.items[first]["state"] == "rejected"
    assert page.get_attribute(f"#tile-{first}", "data-mark") == "rejected"

    press(page, "Shift+X")
    assert dataset.items[first]["state"] == "kept"


def test_enter_keeps_the_unmarked_of_the_screen_and_goes_on(page, dataset):
    """Enter keeps all on the screen but the rejected ones as one step; then they leave Unreviewed."""
    shown = page.evaluate("import('/static/grid.js').then((grid) => grid.idsOnScreen())")
    press(page, "x", "x")
    assert state_of(page, "ids.length") == 440  # nothing moves while the screen is looked at

    press(page, "Enter")

    assert dataset.log[-1]["action"] == "keep"
    assert dataset.log[-1]["ids"] == shown[2:]
    assert state_of(page, "ids.length") == 440 - len(shown)
    assert page.evaluate("document.getElementById('grid').scrollTop") == 0


def test_a_decision_about_the_last_tile_stays_on_the_screen(page):
    """X on the last tile of a screen with undecided ones scrolls nothing: Enter keeps the others. Else it goes on."""
    last = "import('/static/grid.js').then((grid) => grid.screenRange()[1])"
    end = page.evaluate(last)
    page.evaluate(f"import('/static/store.js').then(({{setFocus}}) => setFocus({end}))")
    press(page, "x")
    assert (state_of(page, "focus"), page.evaluate(last)) == (end, end)

    page.evaluate("import('/static/store.js').then(({setFocus}) => setFocus(0))")
    press(page, *["k"] * end, "Shift+K", "k")
    assert state_of(page, "focus") == end + 1
    assert page.evaluate(last) > end


def test_a_screen_of_1440_by_900_holds_42_tiles(page):
    """Tiles of size M are 42 a screen beside the rail."""
    assert len(page.evaluate("import('/static/grid.js').then((grid) => grid.idsOnScreen())")) == 42


def test_a_decision_advances_and_shift_stays(page):
    """K goes to the next image, Shift+K stays."""
    press(page, "k")
    assert state_of(page, "focus") == 1
    press(page, "Shift+K")
    assert state_of(page, "focus") == 1


def test_digits_move_to_a_class_and_shift_rates(page, dataset):
    """2 moves to the second class, Shift+7 rates 7, Shift+0 clears the rating."""
    first, second = state_of(page, "ids.slice(0, 2)")

    press(page, "2", "Shift+Digit7")

    assert dataset.items[first]["class"] == CLASSES[1]
    assert dataset.items[second]["rating"] == 7
    press(page, "Shift+Digit0")
    assert dataset.items[second]["rating"] == 0


def test_selection_by_shift_control_drag_and_escape(page, dataset):
    """Shift+arrows, Ctrl+click, a drag and Ctrl+A select; one key decides about all; Escape selects none."""
    press(page, "Shift+ArrowRight", "Shift+ArrowRight")
    assert len(state_of(page, "ids.filter((id) => store.selection.has(id))")) == 3
    page.click(".tile[aria-posinset='6']", modifiers=["Control"])
    assert state_of(page, "selection.size") == 4
    press(page, "x")
    assert len(dataset.log[-1]["ids"]) == 4
    assert state_of(page, "selection.size") == 0

    page.mouse.move(250, 70)
    page.mouse.down()
    page.mouse.move(640, 300, steps=4)
    page.mouse.up()
    assert state_of(page, "selection.size") >= 4
    page.keyboard.press("Control+a")
    assert state_of(page, "selection.size") == 440
    page.keyboard.press("Escape")
    assert state_of(page, "selection.size") == 0


def test_undo_and_redo_name_what_they_do(page, dataset):
    """Ctrl+Z takes one step back and Ctrl+Shift+Z repeats it; the button names the step."""
    first = state_of(page, "ids[0]")
    press(page, "x")
    wait_for(page, "document.querySelector('#undo .name').textContent.startsWith('reject 1')")

    press(page, "Control+z")
    assert dataset.items[first]["state"] == "kept"
    wait_for(page, f"document.getElementById('tile-{first}').dataset.mark === ''")
    press(page, "Control+Shift+Z")
    assert dataset.items[first]["state"] == "rejected"


@pytest.mark.parametrize("queue", ["unreviewed", "suspects", "all"])
def test_undo_goes_back_to_the_image(page, queue):
    """The focus is on the image that an undo restores; images that Enter has taken away are in their places again."""
    open_queue(page, queue)
    before = state_of(page, "ids")
    press(page, "Enter", "u")
    wait_for(page, "document.getElementById('grid').scrollTop === 0")
    assert state_of(page, "ids") == before
    assert state_of(page, "focus") == 0

    press(page, "ArrowRight", "ArrowRight", "x", "ArrowDown", "u")
    assert state_of(page, "focus") == 2
    press(page, "ArrowRight", "Y")
    assert state_of(page, "focus") == 2


def test_the_class_picker_moves_to_a_new_class(page, dataset):
    """M, a new name and Enter move the image to that class."""
    first = state_of(page, "ids[0]")

    page.keyboard.press("m")
    page.keyboard.type("milk_snake")
    press(page, "Enter")

    assert dataset.items[first]["class"] == "milk_snake"
    page.wait_for_selector("#classes button[data-class=milk_snake]")


def test_typing_in_the_search_decides_nothing(page, dataset):
    """Letters and digits in the search field are text, and the list shows what matches."""
    page.keyboard.press("/")
    page.keyboard.type("x12")
    page.wait_for_selector("#empty h2")
    page.click("#empty button")
    page.wait_for_selector(STARTED)

    assert dataset.log == []
    assert state_of(page, "ids.length") == 440


def test_letters_can_be_switched_off_and_remapped(page, dataset):
    """Without letter keys X does nothing but Delete rejects; another key can reject."""
    page.click("[data-command=settings]")
    page.click("#letters")
    page.keyboard.press("Escape")
    page.focus("#grid")
    press(page, "x", "Delete")
    assert [body["action"] for body in dataset.log] == ["reject"]

    page.click("[data-command=settings]")
    page.click("#letters")
    page.click("#key-list li:nth-child(2) button")
    page.keyboard.press("q")
    page.keyboard.press("Escape")
    page.focus("#grid")
    press(page, "x", "q")
    assert [body["action"] for body in dataset.log] == ["reject", "reject"]

    wait_until(lambda: dataset.preferences["letters"] and dataset.preferences["keys"])
    page.reload()
    page.wait_for_selector(STARTED)
    press(page, "q")
    assert [body["action"] for body in dataset.log] == ["reject"] * 3


def test_digits_can_rate(page, dataset):
    """With digits that rate, 7 rates and Shift+2 moves to the second class; in groups 2 is still the class."""
    dataset.preferences["digits"] = "ratings"
    page.reload()
    page.wait_for_selector(STARTED)
    first, second = state_of(page, "ids.slice(0, 2)")
    press(page, "7", "ArrowRight", "Shift+Digit2")
    assert dataset.items[first]["rating"] == 7
    assert dataset.items[second]["class"] == CLASSES[1]

    page.click("[data-queue=conflicts]")
    page.wait_for_selector(".member.focused")
    press(page, "2")
    assert dataset.log[-1]["action"] == "settle"


def test_arrows_in_the_loupe_and_space_closes_it(page, dataset):
    """Space opens the loupe, arrows step, X rejects and goes on, Space closes it; the grid has followed."""
    ids = state_of(page, "ids.slice(0, 3)")

    press(page, "Space", "ArrowRight", "x")
    page.wait_for_selector("#loupe .stage.loaded")
    assert dataset.items[ids[1]]["state"] == "rejected"
    press(page, "Space")

    assert state_of(page, "focus") == 2
    assert not page.evaluate("document.getElementById('loupe').open")


def test_refused_decisions_come_back(page, dataset):
    """An image that the server could not change shows its old state, and the reason is said."""
    first, second = state_of(page, "ids.slice(0, 2)")
    dataset.fail[first] = "coral_snake is read-only"
    press(page, "x")
    wait_for(page, f"document.getElementById('tile-{first}').dataset.mark === ''")
    assert "read-only" in page.inner_text("#notice")

    dataset.status = 409
    press(page, "x")
    wait_for(page, f"document.getElementById('tile-{second}').dataset.mark === ''")
    assert "read-only" in page.inner_text("#notice")


def test_W05_names_are_text(page):
    """A class with markup in its name is shown as text: no element of it exists and no script runs."""
    assert "<img" in page.inner_text("#classes")
    assert page.query_selector("#classes img") is None

    page.keyboard.press("i")
    page.wait_for_selector("#facts dd")
    assert page.query_selector("#facts b") is None
    assert page.eval_on_selector_all("#facts a", "links => links.map(({protocol}) => protocol)") == ["https:"] * 2


def test_the_thumbnails_on_the_screen_come_first(browser):
    """Those on the screen are requested from its top, before the spare ones; a fling requests none until it ends."""
    asked: list[int] = []
    with serve(FakeDataset(5000)) as address:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.on(
            "request", lambda sent: "/thumb/" in sent.url and asked.append(int(sent.url.split("/")[-1].split("-")[0]))
        )
        page.goto(address)
        page.wait_for_selector(STARTED)
        wait_for(page, "[...document.querySelectorAll('.tile')].every((tile) => tile.classList.contains('loaded'))")
        shown = page.evaluate("import('/static/grid.js').then((grid) => grid.idsOnScreen())")
        assert asked[: len(shown)] == shown

        asked.clear()
        page.evaluate(FLING)
        wait_for(page, "[...document.querySelectorAll('.tile:not([hidden])')].every((tile) => tile.matches('.loaded'))")
        assert len(asked) < 200  # of the 2,000 that went by
        context.close()


def test_a_tile_forgets_its_image_before_it_shows_another(page):
    """A tile that is used again has no old thumbnail, and its number and place are those of the new image."""
    page.evaluate("document.getElementById('grid').scrollTop = 3000")
    wait_for(page, "[...document.querySelectorAll('.tile:not([hidden])')].every((tile) => tile.matches('.loaded'))")
    assert page.evaluate(
        """[...document.querySelectorAll('.tile:not([hidden])')].every((tile) =>
            tile.firstChild.src.includes(`/thumb/${tile.dataset.id}-`) && tile.id === `tile-${tile.dataset.id}`)"""
    )


@pytest.mark.parametrize("size", ["S", "M", "L"])
def test_W08_few_nodes_for_many_images(browser, size):
    """50,000 images need at most 1,500 DOM nodes at any scroll position, and the focused tile exists."""
    with serve(FakeDataset(50_000)) as address, open_page(browser, address) as page:
        page.click(f"[data-size={size}]")
        for position in (0, 60_000, 1_000_000):
            page.evaluate(f"document.getElementById('grid').scrollTop = {position}")
            page.wait_for_timeout(150)
            assert page.evaluate("document.querySelectorAll('*').length") <= 1500
            active = page.get_attribute("#grid", "aria-activedescendant")
            assert page.evaluate(f"Boolean(document.getElementById('{active}'))")
