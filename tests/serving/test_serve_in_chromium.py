"""The page of the service as Chromium shows it: pictures chosen, dropped, pasted, named, and answers."""

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
    from playwright.sync_api import Browser, Page

BLUE = encoded(Image.new("RGB", (30, 40), (10, 30, 200)), "PNG")
EVIL = '"><img src=x onerror=alert(1)>'


class Evil(Colours):
    """Has labels and a name that try to be more than text."""

    name = f"<script>alert(1)</script>/{EVIL}"
    labels = ("blue", EVIL, "<b>red</b>")


@pytest.fixture(scope="module")
def service():
    with Service(bodies=lambda: ImageClient(allow_private=True)) as service:
        yield service


@pytest.fixture
def look(chromium: Browser, service: Service):
    """Open the page, and fail if it asks anybody else for anything, or complains."""
    strange: list[str] = []
    opened: list[Page] = []

    def look(at: Service = service, **options) -> Page:
        page = chromium.new_context(**options).new_page()
        opened.append(page)
        ours = (at.door.url, f"blob:{at.door.url}")
        page.on("request", lambda request: request.url.startswith(ours) or strange.append(request.url))
        page.on("console", lambda said: "Failed to load resource" in said.text or strange.append(said.text))
        page.on("pageerror", lambda error: strange.append(str(error)))
        page.on("dialog", lambda dialog: (strange.append(dialog.message), dialog.dismiss()))
        page.goto(at.door.url)
        page.locator("#about", has_text=re.compile(r"\w")).wait_for()
        return page

    yield look
    for page in opened:
        page.context.close()
    assert not strange


def choose(page: Page, *bodies: bytes) -> None:
    """Choose files."""
    files = [{"name": f"{number}.png", "mimeType": "image/png", "buffer": body} for number, body in enumerate(bodies)]
    page.set_input_files("#files", files)


def ranked(page: Page, card: int = 0) -> list[str]:
    """Return what a card tells, as a person reads it."""
    row = page.locator(".card").nth(card).locator(".ranks li")
    row.first.wait_for()
    return [" ".join(text.split()) for text in row.all_inner_texts()]


def test_a_picture_is_shown_with_its_labels(look):
    """A chosen picture is shown beside its labels, the best first, with bars as long as they are probable."""
    page = look()
    choose(page, RED)

    assert ranked(page) == ["red 82.7%", "green 12.8%", "blue 4.5%"]
    assert page.locator(".card img").is_visible()
    assert page.locator(".card figcaption").inner_text() == "0.png"
    page.wait_for_timeout(700)
    shares = page.eval_on_selector_all(".track", "all => all.map(t => t.firstChild.offsetWidth / t.offsetWidth)")
    assert shares == pytest.approx([0.827, 0.128, 0.045], abs=0.01)


def test_several_at_once_each_get_their_card(look):
    """Of several pictures each gets a card, in the order chosen; later ones come on top."""
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
    """A picture dropped anywhere on the page, or pasted, is answered as a chosen one."""
    page = look()
    page.evaluate("picture => { window.picture = picture }", base64.b64encode(BLUE).decode())

    page.evaluate(TRANSFER, [kind, "b.png"])

    assert ranked(page)[0].startswith("blue")


def test_a_picture_can_be_named_by_its_address(look):
    """An address is fetched by the service, never by the page."""
    page = look()
    with HostileServer({"/a.png": answer(BLUE)}) as far:
        page.fill("#url", f"{far.url}/a.png")
        page.press("#url", "Enter")

        assert ranked(page)[0].startswith("blue")
        assert page.input_value("#url") == ""


def test_what_goes_wrong_is_said_on_its_card(look):
    """What is no picture, and an address that gives none, say so in words where the answer would be."""
    page = look()
    choose(page, b"<!doctype html>")
    page.get_by_text("This is no picture: a web page.").wait_for()
    page.fill("#url", "ftp://a.example/")
    page.press("#url", "Enter")
    page.get_by_text("This is no web address of a picture.").wait_for()

    assert page.locator(".card.bad").count() == 2
    assert not page.locator(".card img:visible").count()
    assert not page.locator(".card .frame:visible").count()


def test_what_is_too_large_is_not_sent(look, service):
    """A file over the bound is told so at once, and not sent at all."""
    page = look()
    seen = service.judge.seen
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(26 * 2 ** 20)], "large.png"));
            document.dispatchEvent(new DragEvent("drop", { dataTransfer: data }));
        }"""
    )

    page.get_by_text("This file is too large: the limit is 25 MB.").wait_for()
    assert service.judge.seen == seen


def test_a_service_that_is_gone_is_said(look):
    """When the service has ended the page says so."""
    with Service() as service:
        page = look(service)
    choose(page, RED)

    page.get_by_text("The service does not answer. Is it still running?").wait_for()


def test_W05_text_from_outside_stays_text(look):
    """Labels, names and errors that are HTML are shown as they are written, and do nothing."""
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
    """On a telephone and on a screen, in light and in dark, nothing sticks out and all can be read."""
    page = look(viewport={"width": width, "height": 800}, color_scheme=scheme)
    choose(page, RED, BLUE)
    ranked(page, 1)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    style = "getComputedStyle(document.body)"
    ink, ground = page.evaluate(f"[{style}.color, {style}.backgroundColor].map(c => c.match(/\\d+/g)[1])")
    assert abs(int(ink) - int(ground)) > 180


def test_it_can_be_used_by_the_keyboard(look):
    """Everything is reached by Tab, and shows that it is."""
    page = look()
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))

    assert reached == ["files", "url", "Fetch"]


def test_it_works_without_a_script(chromium, service):
    """Without JavaScript the form sends the picture and shows the plain answer."""
    page = chromium.new_context(java_script_enabled=False).new_page()
    page.goto(service.door.url)
    choose(page, RED)
    page.get_by_role("button", name="Classify").click()
    page.wait_for_url("**/classify")

    assert '"label":"red"' in page.inner_text("body")
    page.context.close()
