"""The review page and its server: changes from elsewhere, a server that stops, and two tabs."""

from __future__ import annotations

import re
from importlib.resources import files
from urllib.parse import urlsplit

from tests.review.conftest import STARTED, open_page
from tests.review.fake_server import FakeDataset, serve
from tests.review.reviews import wait_for as wait_until
from tests.review.test_page_grid import press, state_of, wait_for


def test_changes_from_elsewhere_appear(page, dataset):
    """Moved, deleted and new images appear without a reload, and no tile changes its place."""
    first, second = state_of(page, "ids.slice(0, 2)")
    with dataset.lock:
        dataset.items[first].update(state="rejected")
        del dataset.items[second]
        dataset.items[9000] = dataset.items[first] | {"id": 9000, "state": "kept"}
        dataset.reply(0, [first, second, 9000], [])

    wait_for(page, f"document.getElementById('tile-{first}').dataset.mark === 'rejected'")
    wait_for(page, f"document.getElementById('tile-{second}').dataset.mark === 'gone'")
    assert state_of(page, "ids[0]") == first
    assert state_of(page, "ids.at(-1)") == 9000


def test_decisions_wait_for_a_server_that_stopped(browser):
    """Without a server the bar counts what is unsent; the same decisions are sent once it is back."""
    dataset = FakeDataset()
    with serve(dataset) as address:
        opened = open_page(browser, address)
        page = opened.__enter__()
    page.keyboard.press("x")
    page.keyboard.press("k")
    wait_for(page, "document.getElementById('server').textContent.includes('2 decisions are not saved')")

    with serve(dataset, urlsplit(address).port):
        wait_for(page, "document.getElementById('server').hidden")
        wait_for(page, "sessionStorage.length === 0")
        press(page)  # wait for the answer
        assert [body["action"] for body in dataset.log] == ["reject", "keep"]
        opened.__exit__(None, None, None)


def test_a_server_that_does_not_answer_is_in_the_bar(page, dataset):
    """After some seconds without an answer the bar says so and counts; once it answers, each decision is made once."""
    page.clock.install()
    with dataset.lock:
        page.keyboard.press("x")
        page.keyboard.press("x")
        page.clock.fast_forward(6000)
        wait_for(page, "document.getElementById('server').textContent.includes('2 decisions are not saved yet')")
    press(page)
    wait_for(page, "document.getElementById('server').hidden")
    assert [body["action"] for body in dataset.log] == ["reject", "reject"]


def test_a_server_that_does_not_answer_gets_no_second_question(page, dataset):
    """While one question about changes is unanswered, none follows, however long it takes."""
    asked = []
    page.on("request", lambda sent: asked.append(sent.url) if "/api/changes" in sent.url else None)
    page.clock.install()
    with dataset.lock:
        wait_until(lambda: page.evaluate("dispatchEvent(new Event('focus'))") and len(asked) == 1)
        page.evaluate("for (let times = 0; times < 5; times += 1) dispatchEvent(new Event('focus'))")
        page.clock.fast_forward(60_000)
        wait_for(page, "document.getElementById('server').textContent.includes('has not answered')")
        assert len(asked) == 1
    wait_for(page, "document.getElementById('server').hidden")


def test_decisions_that_wait_are_sent_together(page, dataset):
    """What a person decides while an answer is awaited goes in one request, in order; an undo goes alone."""
    first = state_of(page, "ids.slice(0, 5)")
    with dataset.lock:
        for key in "xkxxux":
            page.keyboard.press(key)
    press(page)
    assert dataset.batches == [3]
    assert [body["ids"] for body in dataset.log] == [[number] for number in first]
    assert [dataset.items[number]["state"] for number in first] == ["rejected", "kept", "rejected", "kept", "rejected"]


def test_decisions_that_are_refused_together_are_sent_alone(page, dataset):
    """When the server refuses several decisions, each is sent by itself, and only the wrong one is taken back."""
    dataset.refuses_batches = True
    first = state_of(page, "ids.slice(0, 3)")
    dataset.fail[first[1]] = "Its file is missing."
    with dataset.lock:
        for key in "xxx":
            page.keyboard.press(key)
    press(page)
    assert dataset.batches == [2]
    assert [dataset.items[number]["state"] for number in first] == ["rejected", "kept", "rejected"]
    assert page.get_attribute(f"#tile-{first[1]}", "data-mark") == ""


def test_unsent_decisions_survive_a_reload(browser):
    """A reload of the tab sends what was not sent."""
    dataset = FakeDataset()
    with serve(dataset) as address:
        opened = open_page(browser, address)
        page = opened.__enter__()
    page.keyboard.press("x")
    wait_for(page, "!document.getElementById('server').hidden")
    with serve(dataset, urlsplit(address).port):
        page.reload()
        page.wait_for_selector(STARTED)
        wait_for(page, "sessionStorage.length === 0")
        assert [body["action"] for body in dataset.log] == ["reject"]
        opened.__exit__(None, None, None)


def test_W06_two_tabs_converge(browser):
    """A decision in one tab appears in the other, and the same decision twice is harmless."""
    dataset = FakeDataset()
    with serve(dataset) as address, open_page(browser, address) as one, open_page(browser, address) as two:
        first = state_of(one, "ids[0]")
        press(one, "x")
        press(two, "x")
        wait_for(two, f"document.getElementById('tile-{first}').dataset.mark === 'rejected'")

        assert dataset.items[first]["state"] == "rejected"


def test_no_key_is_dropped(page, dataset):
    """200 presses of X at full speed are 200 decisions, in the order of the grid."""
    ids = state_of(page, "ids.slice(0, 200)")
    for _ in ids:
        page.keyboard.press("x")
    press(page)

    assert [body["ids"] for body in dataset.log] == [[number] for number in ids]


def test_everything_reviewed_shows_the_done_screen(page, dataset):
    """Enter through all screens ends at the numbers of each class and the next command."""
    for _ in range(11):
        press(page, "Enter")
    page.wait_for_selector(".done")

    assert all(item["reviewed"] for item in dataset.items.values())
    assert "coral_snake" in page.inner_text(".numbers")
    assert page.inner_text(".command code") == "python train.py snakes"


def test_all_modules_are_requested_at_once():
    """index.html names every module, so that the browser does not find one after the other in the imports."""
    page = files("harvest.review") / "page"
    named = re.findall(r'(?:href|src)="/static/(\w+\.js)"', (page / "index.html").read_text("utf-8"))

    assert sorted(named) == sorted(file.name for file in page.iterdir() if file.name.endswith(".js"))
