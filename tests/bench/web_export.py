"""Measure the web page of `harvest train --export web` without a network, in Chromium, against `harvest predict`.

    python tests/bench/web_export.py [RUN]

Without RUN, a head on lite0 is trained on the flowers of ../shared/data by the real command; onnxruntime-web comes from
the user's cache, or by npm. A static server on loopback serves the folder web/ once and stops; then the page is opened
again and classifies 200 images that are spread over the classes: with which labels, and after which time is the first
answer there? The time of the first answer starts before the page is opened, and ends with the label of the first image.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from harvest.models import Refusal
from harvest.training.predictor import Predictor
from tests.browser import chromium, is_installed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from playwright.sync_api import BrowserContext, Page

ROOT = Path(__file__).parents[2]
FLOWERS = ROOT.parent / "shared" / "data" / "flowers"
IMAGES, CARDS = 200, 50  # to classify, and at a time: the page shows 60
ROUNDS = 5  # of the first answer
PATIENCE = 600_000  # milliseconds


def train(folder: Path) -> Path:
    """Train in a process of its own; return the run."""
    run = folder / "run"
    line = [sys.executable, "-m", "harvest", "train", str(FLOWERS), "--epochs", "0", "--export", "web"]
    subprocess.run([*line, "--out", str(run), "--cache", str(folder / "cache")], cwd=ROOT, check=True)
    return run


def load_once(context: BrowserContext, web: Path) -> str:
    """Serve the folder, open the page until it keeps its files, and stop the server; return the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(web)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/"
    page = context.new_page()
    try:
        page.goto(url)
        page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    page.close()
    return url


class Quiet(SimpleHTTPRequestHandler):
    """A static server without a log."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def open_page(context: BrowserContext, url: str) -> Page:
    """Open the page without its server, and wait until it accepts images."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(url)
    page.locator("#files:enabled").wait_for()
    return page


def classify(page: Page, paths: Sequence[Path]) -> list[str]:
    """Return the top label of each image; an empty text where there is none."""
    page.evaluate("document.getElementById('cards').replaceChildren()")
    page.set_input_files("#files", [str(path) for path in paths])
    page.locator(f".card:nth-child({len(paths)})").wait_for()
    page.locator(".card:not(.bad):not(:has(.ranks li))").first.wait_for(state="detached")
    cards = page.locator(".card").all()
    return [each.locator(".label").first.inner_text() if each.locator(".label").count() else "" for each in cards]


def first_answer(context: BrowserContext, url: str, path: Path) -> tuple[float, float]:
    """Open the page and classify an image; return the seconds it took, by the clock and of CPU."""
    began, used = time.perf_counter(), cpu_seconds(context)
    page = open_page(context, url)
    classify(page, [path])
    seconds = time.perf_counter() - began, cpu_seconds(context) - used
    page.close()
    return seconds


def cpu_seconds(context: BrowserContext) -> float:
    """Return the CPU time of all processes of the browser."""
    assert context.browser
    session = context.browser.new_browser_cdp_session()
    try:
        return sum(each["cpuTime"] for each in session.send("SystemInfo.getProcessInfo")["processInfo"])
    finally:
        session.detach()


def share(found: Iterable[str], expected: Iterable[str]) -> str:
    """Return how many are equal."""
    equal = [one == other for one, other in zip(found, expected, strict=True)]
    return f"{sum(equal)} of {len(equal)}, {sum(equal) / len(equal):.1%}"


def held_out(run: Path) -> list[Path]:
    """Return the validation and test images, and training images to make them `IMAGES`, evenly from all classes."""
    with (run / "splits.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    chosen = [row for row in rows if row["part"] != "train"][:IMAGES]
    others = [row for row in rows if row["part"] == "train"]
    more = np.linspace(0, len(others) - 1, IMAGES - len(chosen)).astype(int)
    return [FLOWERS / row["path"] for row in [*chosen, *(others[at] for at in more)]]


def compare(run: Path) -> None:
    """Print what the page answers, and what `predict` answers."""
    paths = held_out(run)
    answers = Predictor.open(run).predict(paths)
    predicted = ["" if isinstance(answer, Refusal) else answer[0].label for answer in answers]
    with chromium() as browser:
        context = browser.new_context()
        url = load_once(context, run / "web")
        times = [first_answer(context, url, paths[number]) for number in range(ROUNDS)]
        page = open_page(context, url)
        began = time.perf_counter()
        found = [label for at in range(0, len(paths), CARDS) for label in classify(page, paths[at : at + CARDS])]
        seconds = time.perf_counter() - began
    print(f"the same top label as predict: {share(found, predicted)}")
    right = [path.parent.name for path in paths]
    print(f"right: {share(found, right)} on the page, {share(predicted, right)} by predict")
    clock, cpu = (median(each) for each in zip(*times, strict=True))
    print(f"opened and first answer: {clock:.2f} s, {cpu:.2f} s of CPU; the median of {ROUNDS}")
    print(f"then {seconds / len(paths):.2f} s per image")
    files = sorted((run / "web").rglob("*.*"), key=lambda path: -path.stat().st_size)
    sizes = [path.stat().st_size / 1e6 for path in files]
    print(f"{sum(sizes):.1f} MB, of them {files[0].name} {sizes[0]:.1f} and {files[1].name} {sizes[1]:.1f}")


def main() -> None:
    """Measure the page of a run, or of a new one."""
    if not FLOWERS.exists() or not is_installed():
        sys.exit(f"the bench needs {FLOWERS}, Chromium and playwright")
    with tempfile.TemporaryDirectory(prefix="web-export-") as folder:
        compare(Path(sys.argv[1]) if len(sys.argv) > 1 else train(Path(folder)))


if __name__ == "__main__":
    main()
