"""The web page of the service in Chromium: images chosen, dropped, pasted or given by URL, and the results."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from harvest.web.image_client import ImageClient
from tests.pictures import encoded
from tests.serving.services import RED, Colours, Service
from tests.web_server import HostileServer, answer

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

BLUE = encoded(Image.new("RGB", (30, 40), (10, 30, 200)), "PNG")
EVIL = '"><img src=x onerror=alert(1)>'


class Evil(Colours):
    """A predictor whose name and labels contain HTML."""

    name = f"<script>alert(1)</script>/{EVIL}"
    labels = ("blue", EVIL, "<b>red</b>")


@pytest.fixture(scope="module")
def service():
    with Service(bodies=lambda: ImageClient(allow_private=True)) as service:
        yield service


@pytest.fixture
def look(browser_context: BrowserContext, service: Service):
    """Open the page; fail on requests to other servers, console messages, errors and dialogs."""
    strange: list[str] = []
    opened: list[Page] = []

    def look(at: Service = service, width: int = 1280, scheme: str = "light") -> Page:
        page = browser_context.new_page()
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        opened.append(page)
        ours = (at.listener.url, f"blob:{at.listener.url}")
        page.on("request", lambda request: request.url.startswith(ours) or strange.append(request.url))
        page.on("console", lambda message: "Failed to load resource" in message.text or strange.append(message.text))
        page.on("pageerror", lambda error: strange.append(str(error)))
        page.on("dialog", lambda dialog: (strange.append(dialog.message), dialog.dismiss()))
        page.goto(at.listener.url)
        page.locator("#about", has_text=re.compile(r"\w")).wait_for()
        return page

    yield look
    for page in opened:
        page.close()
    assert not strange


def choose(page: Page, *bodies: bytes) -> None:
    """Choose files in the form."""
    files = [{"name": f"{number}.png", "mimeType": "image/png", "buffer": body} for number, body in enumerate(bodies)]
    page.set_input_files("#files", files)


def ranked(page: Page, card: int = 0) -> list[str]:
    """Return the visible text of a card."""
    row = page.locator(".card").nth(card).locator(".ranks li")
    row.first.wait_for()
    return [" ".join(text.split()) for text in row.all_inner_texts()]


def test_a_picture_is_shown_with_its_labels(look):
    """A chosen image is shown with its labels, best first, and bars of their probabilities."""
    page = look()
    choose(page, RED)

    assert ranked(page) == ["red 82.7%", "green 12.8%", "blue 4.5%"]
    assert page.locator(".card .photo").is_visible()
    assert page.locator(".card figcaption").inner_text() == "0.png"
    page.wait_for_timeout(700)
    shares = page.eval_on_selector_all(".track", "all => all.map(t => t.firstChild.offsetWidth / t.offsetWidth)")
    assert shares == pytest.approx([0.827, 0.128, 0.045], abs=0.01)


def test_several_at_once_each_get_their_card(look):
    """Each of several images gets a card, in the order chosen; later images come on top."""
    page = look()
    choose(page, RED, BLUE)
    assert [ranked(page, card)[0].split()[0] for card in (0, 1)] == ["red", "blue"]

    choose(page, BLUE)

    page.locator(".ranks li").nth(8).wait_for()
    assert [ranked(page, card)[0].split()[0] for card in (0, 1, 2)] == ["blue", "red", "blue"]


TRANSFER = """([kind, name]) => {
    const bytes = Uint8Array.from(atob(window.picture), (c) => c.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type: "image/png" }));
    const how = { bubbles: true, cancelable: true };
    const event = kind === "paste"
        ? new ClipboardEvent(kind, { ...how, clipboardData: data })
        : new DragEvent(kind, { ...how, dataTransfer: data });
    document.querySelector("main").dispatchEvent(event);
}"""


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_can_be_dropped_and_pasted(look, kind):
    """An image dropped anywhere on the page, or pasted, is classified like a chosen one."""
    page = look()
    page.evaluate("picture => { window.picture = picture }", base64.b64encode(BLUE).decode())

    page.evaluate(TRANSFER, [kind, "b.png"])

    assert ranked(page)[0].startswith("blue")


def test_a_picture_can_be_named_by_its_address(look):
    """A URL is downloaded by the service, never by the page."""
    page = look()
    with HostileServer({"/a.png": answer(BLUE)}) as far:
        page.fill("#url", f"{far.url}/a.png")
        page.press("#url", "Enter")

        assert ranked(page)[0].startswith("blue")
        assert page.input_value("#url") == ""


def test_a_button_shows_what_decided(look):
    """The button of a card replaces the image by its explanation in words, and back; it asks the service once."""
    page = look()
    asked = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/explain") else None)
    choose(page, RED)
    button = page.get_by_role("button", name="Show what decided")

    button.click()
    page.locator(".card.explained .heat").wait_for()
    assert not page.locator(".photo").is_visible()
    assert button.get_attribute("aria-pressed") == "true"
    assert page.inner_text(".hint") == "The brighter a place, the more it speaks for red."
    button.click()
    page.locator(".photo").wait_for()
    assert not page.locator(".hint").is_visible()
    button.click()
    page.locator(".heat").wait_for()
    assert len(asked) == 1


def test_no_button_without_gradients(look):
    """A model that cannot explain its answers has no button."""
    silent = Colours()
    silent.can_explain = False
    with Service(silent) as service:
        page = look(service)
        choose(page, RED)
        ranked(page)

        assert not page.locator(".why").is_visible()


def test_an_error_is_shown_on_its_card(look):
    """A file that is not an image, and an invalid URL, show the error on their cards."""
    page = look()
    choose(page, b"<!doctype html>")
    page.get_by_text("This is not an image: a web page.").wait_for()
    page.fill("#url", "ftp://a.example/")
    page.press("#url", "Enter")
    page.get_by_text("This is not a valid http or https URL.").wait_for()

    assert page.locator(".card.bad").count() == 2
    assert not page.locator(".card img:visible").count()
    assert not page.locator(".card .frame:visible").count()


def test_what_is_too_large_is_not_sent(look, service):
    """A file above the limit shows an error at once, and is not sent."""
    page = look()
    seen = service.predictor.seen
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(26 * 2 ** 20)], "large.png"));
            document.dispatchEvent(new DragEvent("drop", { dataTransfer: data }));
        }"""
    )

    page.get_by_text("This file is too large: the limit is 25 MB.").wait_for()
    assert service.predictor.seen == seen


def test_a_stopped_service_is_reported(look):
    """When the service has stopped, the page says so."""
    with Service() as service:
        page = look(service)
    choose(page, RED)

    page.get_by_text("The service does not answer. Is it still running?").wait_for()


def test_W05_text_from_outside_stays_text(look):
    """Labels, names and errors that contain HTML are shown as text."""
    with Service(Evil()) as service:
        page = look(service)
        choose(page, RED)

        assert ranked(page)[0].startswith("<b>red</b>")
        assert page.inner_text("h1") == "<script>alert(1)<"
        assert EVIL in page.inner_text("body")
        assert page.evaluate("document.scripts.length") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 412, 1280])
def test_it_fits_any_screen(look, width, scheme):
    """On a phone and on a screen, in light and in dark, nothing overflows and all text is readable."""
    page = look(width=width, scheme=scheme)
    choose(page, RED, BLUE)
    ranked(page, 1)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    style = "getComputedStyle(document.body)"
    ink, ground = page.evaluate(f"[{style}.color, {style}.backgroundColor].map(c => c.match(/\\d+/g)[1])")
    assert abs(int(ink) - int(ground)) > 180


def test_it_can_be_used_by_the_keyboard(look):
    """Every control can be reached with Tab and shows its focus."""
    page = look()
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))

    assert reached == ["files", "url", "Fetch"]


def test_it_works_without_a_script(chromium, service):
    """Without JavaScript the form sends the image and shows the JSON response."""
    page = chromium.new_context(java_script_enabled=False).new_page()
    page.goto(service.listener.url)
    choose(page, RED)
    page.get_by_role("button", name="Classify").click()
    page.wait_for_url("**/classify")

    assert '"label":"red"' in page.inner_text("body")
    page.context.close()
