"""Every key of the table on the help page does what it says, without a mouse."""

from __future__ import annotations

from tests.review.conftest import SKIP_CARD
from tests.review.fake_server import CLASSES, FakeDataset, serve
from tests.review.reviews import wait_for as wait_until
from tests.review.test_page_grid import press, state_of, wait_for

FOCUSED = "document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))"


def sent(dataset) -> list[tuple[str, int]]:
    """Return the actions that arrived since the last call, with the number of images."""
    log = [(body["action"], len(body["ids"])) for body in dataset.log]
    dataset.log.clear()
    return log


def test_keys_of_the_grid(page, dataset):
    """Moves, decisions, ratings, selections, sizes, classes, dialogs and the search work by key."""
    press(page, "x", "d", "Delete", "Backspace")
    assert sent(dataset) == [("reject", 1)] * 4
    press(page, "k", "p", "3", "Shift+9", "Shift+0", "u", "y")
    assert sent(dataset) == [("keep", 1), ("keep", 1), ("move", 1), ("rate", 1), ("rate", 1)]
    press(page, "m")
    page.keyboard.type("king")
    press(page, "Enter")
    assert sent(dataset) == [("move", 1)]

    page.keyboard.press("End")
    assert state_of(page, "focus") == 439
    page.keyboard.press("Home")
    page.keyboard.press("PageDown")
    assert state_of(page, "focus") == 42
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowDown")
    assert state_of(page, "focus") == 7
    page.keyboard.press("Shift+ArrowDown")
    assert state_of(page, "selection.size") == 8
    page.keyboard.press("Escape")
    page.keyboard.press("Control+a")
    assert state_of(page, "selection.size") == 440
    page.keyboard.press("Escape")

    for key, size in (("+", "L"), ("-", "M"), ("-", "S"), ("=", "M")):
        page.keyboard.press(key)
        assert page.get_attribute(f"[data-size={size}]", "aria-pressed") == "true"
    page.keyboard.press("c")
    assert page.get_attribute("#crop", "aria-pressed") == "true"
    page.keyboard.press("]")
    wait_for(page, f"document.querySelector('[data-class={CLASSES[0]}]').getAttribute('aria-current') === 'true'")
    page.keyboard.press("[")
    wait_for(page, "document.querySelector('[data-class=\"\"]').getAttribute('aria-current') === 'true'")
    page.keyboard.press("/")
    page.keyboard.type("1")  # no class, but a text that some images have
    page.keyboard.press("Escape")
    wait_for(page, FOCUSED)
    assert sent(dataset) == []


def test_the_class_can_be_changed_while_another_one_loads(page, dataset):
    """`]` and `[` work before the images of the last class have come, and only those of the last one are shown."""
    with dataset.lock:  # no answer comes
        for key in "]][":
            page.keyboard.press(key)
        assert state_of(page, "isLoading")
        assert state_of(page, "class") == CLASSES[0]
    shown = page.evaluate(
        """import('/static/store.js').then(async ({store}) => {
            while (store.isLoading) await new Promise((next) => setTimeout(next, 10));
            return [...store.items.values()].map((item) => item.class);
        })"""
    )
    assert set(shown) == {CLASSES[0]}


def test_keys_of_the_loupe(page, dataset):
    """In the loupe keys decide and go on, with Shift they stay; moves, ratings, zoom and the dialogs work by key."""
    page.keyboard.press("Space")
    press(page, "x", "Enter", "p", "Shift+K", "2", "Shift+5")
    assert sent(dataset) == [("reject", 1), ("keep", 1), ("keep", 1), ("keep", 1), ("move", 1), ("rate", 1)]
    assert state_of(page, "focus") == 4
    page.keyboard.press("End")
    assert state_of(page, "focus") == 439
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert state_of(page, "focus") == 0
    page.keyboard.press("z")
    assert page.get_attribute("#loupe-zoom", "aria-pressed") == "true"
    for key, dialog in (("i", "information"), ("?", "help"), ("m", "picker")):
        page.keyboard.press(key)
        assert page.is_visible(f"#{dialog}")
        page.keyboard.press("Escape")
    assert page.is_visible("#loupe")
    page.keyboard.press("Escape")
    assert not page.is_visible("#loupe")
    assert page.evaluate("document.activeElement.id") == "grid"
    assert sent(dataset) == []


def test_keys_of_groups(page, dataset):
    """In groups arrows choose, F compares while it is held, and Space, I, M, digits, N, S and A work by key."""
    page.click("[data-queue=duplicates]")
    page.wait_for_selector(".member.focused")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(f"{FOCUSED}.dataset.mark") == "kept"
    page.keyboard.down("f")
    assert page.is_visible("#flicker")
    page.keyboard.up("f")
    assert not page.is_visible("#flicker")
    for key, dialog in (("i", "information"), ("?", "help"), ("Space", "loupe")):
        page.keyboard.press(key)
        assert page.is_visible(f"#{dialog}")
        page.keyboard.press("Escape")
    press(page, "s", "n", "a", "m")
    page.keyboard.type("king")
    press(page, "Enter", "1")
    actions = [action for action, _ in sent(dataset)]
    assert [action for action in actions if action != "move"] == ["reject", "distinct", "settle", "settle"]
    page.keyboard.press("End")
    assert page.evaluate(f"Boolean({FOCUSED})")


def test_the_last_choice_of_the_settings_is_saved_last(page, dataset):
    """A second change of the settings is sent after the answer to the first: they cannot arrive in another order."""
    held = []
    page.route("**/api/preferences", lambda route: held.append(route))  # noqa: PLW0108 - playwright marks it
    page.click("[data-command=settings]")
    page.click("#letters")
    page.select_option("#digits", "ratings")
    page.wait_for_timeout(100)
    assert len(held) == 1

    held[0].continue_()
    wait_until(lambda: page.wait_for_timeout(20) or len(held) == 2)
    held[1].continue_()
    wait_until(lambda: page.wait_for_timeout(20) or dataset.preferences["digits"] == "ratings")
    assert dataset.preferences == {"keys": {}, "letters": False, "digits": "ratings"}


def test_keys_pressed_while_the_page_starts_are_not_lost(browser):
    """X pressed before the counts have arrived rejects the first image once they are there."""
    dataset = FakeDataset()
    with serve(dataset) as address:
        context = browser.new_context()
        page = context.new_page()
        page.add_init_script(SKIP_CARD)
        held = []
        page.route("**/api/state", lambda route: held.append(route))  # noqa: PLW0108 - playwright marks it
        page.goto(address)
        page.wait_for_selector(".tile.loaded")
        page.keyboard.press("x")
        assert dataset.log == []

        held[0].continue_()
        wait_for(page, "document.querySelector('.tile[data-mark=rejected]')")
        press(page)
        assert sent(dataset) == [("reject", 1)]
        context.close()
