"""Take the screenshots of the review page for the documentation: `python tests/bench/review_screenshots.py DATASET`.

DATASET is a copy of the dataset of `harvest demo`; the script adds smaller copies of some images, so that there are
groups, and decides about every image at the end.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.browser import chromium  # noqa: E402 - the tests are beside this folder
from tests.review.conftest import STARTED  # noqa: E402
from tests.review.reviews import TOKEN, Review, wait_for  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OUT = ROOT / "docs" / "review"
COPIES = 7
COLOURS = 256  # of the PNG; the page is mostly grey
SKIP_CARD = "localStorage.setItem('harvest-first-card', '1')"


def add_copies(root: Path) -> None:
    """Add smaller copies of some images to their folders."""
    for number, path in enumerate(sorted(root.glob("*/sample-*.jpg"))[::45][:COPIES]):
        image = Image.open(path)
        width, height = image.size
        box = (width // 40, height // 50, width - width // 30, height - height // 40)
        image.crop(box).resize((width * 3 // 4, height * 3 // 4)).save(path.parent / f"copy{number}.jpg", quality=70)


def open_page(browser: Browser, review: Review, scheme: str) -> Page:
    """Open the page in a window of a laptop."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.add_init_script(SKIP_CARD)
    page.goto(f"http://127.0.0.1:{review.port}/?token={TOKEN}")
    page.wait_for_selector(STARTED)
    return page


def save(page: Page, name: str) -> None:
    """Save a screenshot with few colours: the file is a quarter of what the browser writes."""
    page.wait_for_timeout(800)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize((1200, 750), Image.Resampling.LANCZOS)
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(OUT / f"{name}.png", optimize=True)


def take(browser: Browser, review: Review, scheme: str) -> None:
    """Take grid, loupe and groups."""
    page = open_page(browser, review, scheme)
    for key in ("ArrowRight", "x", "ArrowDown", "x", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    save(page, f"grid-{scheme}")
    page.keyboard.press("Escape")
    page.keyboard.press("Space")
    save(page, f"loupe-{scheme}")
    page.keyboard.press("Space")
    page.click("[data-queue=duplicates]")
    page.wait_for_selector(".member.focused")
    save(page, f"groups-{scheme}")
    page.context.close()


def take_done(browser: Browser, review: Review) -> None:
    """Keep everything, and take the done screen in both schemes."""
    page = open_page(browser, review, "light")
    page.keyboard.press("Control+a")
    page.keyboard.press("k")
    page.wait_for_timeout(2000)
    page.click("[data-queue=unreviewed]")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        save(page, f"done-{scheme}")
    page.context.close()


def main(root: Path) -> None:
    """Take all screenshots."""
    OUT.mkdir(exist_ok=True)
    add_copies(root)
    with Review(root) as review, chromium() as browser:
        wait_for(lambda: review.get("/api/changes", since=0)["state"]["queues"]["suspects"] > 0)
        for scheme in ("light", "dark"):
            take(browser, review, scheme)
        take_done(browser, review)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
