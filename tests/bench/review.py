"""Measure the review page on 50,000 images in Chromium, and print each goal with what was measured.

    python tests/bench/review.py [images] [--dataset FOLDER]

The floor of most rows is the same page on 1,000 images, in the same run: what grows with the dataset is the page's
fault, the rest is that of the machine. `--dataset` keeps the dataset in a folder and uses it again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench.review_dataset import build  # noqa: E402 - the tests are beside this folder
from tests.browser import chromium  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

SMALL = 1000
PRESSES, BURST, BATCH = 100, 600, 500

# Records, in milliseconds since the navigation, when the first and when every visible thumbnail is shown.
WATCH_TILES = """
localStorage.setItem('harvest-first-card', '1');
window.seen = {};
(function look() {
  const bottom = document.getElementById('grid')?.getBoundingClientRect().bottom;
  const tiles = [...document.querySelectorAll('.tile:not([hidden])')].filter(
    (tile) => tile.getBoundingClientRect().top < bottom);
  const loaded = tiles.filter((tile) => tile.classList.contains('loaded'));
  if (loaded.length) window.seen.first ??= performance.now();
  if (tiles.length && loaded.length === tiles.length) window.seen.full = performance.now();
  if (!window.seen.full) requestAnimationFrame(look);
})();
"""
# Scrolls at a speed, and returns the milliseconds of each frame and those until every visible tile has its thumbnail.
SCROLL = """
([speed, seconds]) => new Promise((resolve) => {
  const box = document.getElementById('grid'), frames = [];
  const start = performance.now();
  let last = start;
  requestAnimationFrame(function step(now) {
    frames.push(now - last);
    last = now;
    if (now - start < 1000 * seconds) {
      if (speed) box.scrollTop = (speed * (now - start)) / 1000;
      return requestAnimationFrame(step);
    }
    const stopped = performance.now();
    (function wait() {
      const { top, bottom } = box.getBoundingClientRect();
      const visible = [...box.querySelectorAll('.tile:not([hidden])')].filter((tile) => {
        const place = tile.getBoundingClientRect();
        return place.bottom > top && place.top < bottom;
      });
      const isDone = visible.every((tile) => tile.classList.contains('loaded'));
      const loaded = performance.now() - stopped;
      if (isDone || loaded > 10000) resolve({ frames: frames.slice(2), loaded });
      else requestAnimationFrame(wait);
    })();
  });
})
"""
OBSERVE_KEYS = """
() => {
  window.keys = [];
  const options = { type: 'event', durationThreshold: 16 };
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) if (each.name === 'keydown') window.keys.push(each.duration);
  }).observe(options);
}
"""
# The least that scrolling costs in this browser on this machine: a long page without an image.
EMPTY = '<div id="grid" style="position:absolute;inset:0;overflow:auto"><div style="height:1000000px"></div></div>'
# Presses a key as fast as the page takes it, and returns the decisions a second until all are answered.
PRESS_FAST = """
async (count) => {
  const { whenSent } = await import('/static/outbox.js');
  const start = performance.now();
  for (let pressed = 0; pressed < count; pressed += 1) {
    document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'x', bubbles: true, cancelable: true }));
    await new Promise((next) => setTimeout(next));
  }
  await whenSent();
  return (1000 * count) / (performance.now() - start);
}
"""
SENT = "async () => { await (await import('/static/outbox.js')).whenSent(); }"
REJECT_MANY = """
async (count) => {
  const [{ decide }, { store }, { whenSent }] = await Promise.all(
    ['decisions', 'store', 'outbox'].map((name) => import(`/static/${name}.js`)));
  decide('reject', store.ids.slice(-count));
  await whenSent();
}
"""
UNDO = """
async () => {
  const [{ undo }, { whenSent }] = await Promise.all(
    ['decisions', 'outbox'].map((name) => import(`/static/${name}.js`)));
  const start = performance.now();
  undo();
  await whenSent();
  return performance.now() - start;
}
"""


@contextmanager
def running_review(root: Path) -> Iterator[tuple[str, float, int]]:
    """Start the real command; give the link, the seconds until it was printed, and the process."""
    begun = time.perf_counter()
    words = [sys.executable, "-m", "harvest", "review", str(root), "--no-browser", "--port", "0"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        link = next(word for word in process.stdout.readline().split() if word.startswith("http://"))
        try:
            yield link, time.perf_counter() - begun, process.pid
        finally:
            process.kill()  # else a failure waits for the end of a server that has none


def percentile(values: list[float], share: float) -> float:
    """Return the value that a share of all does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def open_grid(browser: Browser, link: str) -> Page:
    """Open the page in a window of a laptop, and wait until the screen is full."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(120_000)
    page.add_init_script(WATCH_TILES)
    page.goto(link)
    while not page.evaluate("window.seen.full"):
        page.wait_for_timeout(50)
    return page


def measure_page(browser: Browser, link: str) -> dict[str, float]:
    """Return what the browser shows, in milliseconds unless the name says otherwise."""
    page = open_grid(browser, link)
    seen = {"first thumbnail": page.evaluate("window.seen.first"), "full screen": page.evaluate("window.seen.full")}
    seen["elements"] = page.evaluate("document.getElementsByTagName('*').length")
    seen["heap, MB"] = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
    seen["empty page at 6,000 px/s, p95"] = percentile(scroll_empty_page(browser), 0.95)
    steady, fling = page.evaluate(SCROLL, [6000, 4]), page.evaluate(SCROLL, [30_000, 2])
    seen |= {"frame at 6,000 px/s, p95": percentile(steady["frames"], 0.95), "the longest": max(steady["frames"])}
    seen["frames a second at 30,000 px/s"] = 1000 * len(fling["frames"]) / sum(fling["frames"])
    seen["thumbnails after it stops"] = fling["loaded"]
    seen |= measure_decisions(page)
    page.context.close()
    return seen


def scroll_empty_page(browser: Browser) -> list[float]:
    """Return the milliseconds of each frame of an empty page."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_content(EMPTY)
    frames: list[float] = page.evaluate(SCROLL, [6000, 2])["frames"]
    page.context.close()
    return frames


def measure_decisions(page: Page) -> dict[str, float]:
    """Press keys at the speed of a person and as fast as possible, and undo a large rejection."""
    page.evaluate("document.getElementById('grid').scrollTop = 0")
    page.evaluate(OBSERVE_KEYS)
    for _ in range(PRESSES):
        page.keyboard.press("x")
        page.wait_for_timeout(30)
    page.evaluate(SENT)
    # The browser reports no event below 16 ms.
    durations = page.evaluate("window.keys")
    durations += [16.0] * (PRESSES - len(durations))
    burst = min(BURST, page.evaluate("import('/static/store.js').then(({ store }) => store.ids.length)") // 4)
    rate = page.evaluate(PRESS_FAST, burst)
    page.evaluate(REJECT_MANY, BATCH)
    return {
        "key to paint, p95": percentile(durations, 0.95),
        "decisions a second": rate,
        f"undo of {BATCH} rejections": page.evaluate(UNDO),
    }


def measure_polls(link: str, root: Path) -> dict[str, float]:
    """Return the milliseconds of a poll: with no change, and while a class folder changes."""
    base, _, token = link.partition("?token=")
    with httpx.Client(base_url=base, trust_env=False, timeout=120) as client:
        client.get("/", params={"token": token})
        since = client.get("/api/changes", params={"since": 0}).json()["seq"]
        folder = next(path for path in sorted(root.iterdir()) if path.is_dir())
        quiet, busy = [], []
        for number in range(5):
            quiet.append(_milliseconds(client, since))
            os.utime(folder, ns=(number, number))
            busy.append(_milliseconds(client, since))
    return {"poll, nothing changed": min(quiet), "poll, one folder changed": min(busy)}


def _milliseconds(client: httpx.Client, since: int) -> float:
    begun = time.perf_counter()
    client.get("/api/changes", params={"since": since}).raise_for_status()
    return 1000 * (time.perf_counter() - begun)


def memory(process: int) -> float:
    """Return the megabytes of a process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1000


def measure(browser: Browser, root: Path) -> dict[str, Any]:
    """Return everything about one dataset; the decisions stay, which changes nothing for the next run."""
    with running_review(root) as (link, seconds, process):
        seen = {"printed link": 1000 * seconds} | measure_page(browser, link) | measure_polls(link, root)
        return seen | {"server, MB": memory(process)}


GOALS = {
    "printed link": "≤ 2,000",
    "first thumbnail": "≤ 500",
    "full screen": "≤ 1,000",
    "elements": "≤ 1,500",
    "heap, MB": "≤ 60",
    "frame at 6,000 px/s, p95": "≤ 20",
    "the longest": "≤ 50",
    "frames a second at 30,000 px/s": "≥ 55",
    "thumbnails after it stops": "≤ 600",
    "key to paint, p95": "≤ 50",
    "decisions a second": "≥ 50",
    f"undo of {BATCH} rejections": "≤ 300",
}


def main(count: int, kept: Path | None) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as temporary:
        settings = {f"XDG_{kind}_HOME": f"{temporary}/{kind}" for kind in ("CACHE", "CONFIG", "DATA", "STATE")}
        os.environ.update(settings)
        large, small = (kept or Path(temporary)) / "dataset", Path(temporary) / "small" / "dataset"
        if not large.exists():
            build(large, count)
        build(small, SMALL)
        with chromium() as browser:
            floor, seen = measure(browser, small), measure(browser, large)
    print(f"{'ms, or as named':<34}{'goal':>10}{f'{count:,}':>10}{f'{SMALL:,}':>10}{'ratio':>8}")
    for name, value in seen.items():
        ratio = f"{value / floor[name]:.1f}x" if floor[name] >= 1 else ""
        print(f"{name:<34}{GOALS.get(name, ''):>10}{value:>10,.0f}{floor[name]:>10,.0f}{ratio:>8}")
    print_load()


def print_load() -> None:
    """Print how busy the machine is: most of the times depend on it."""
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("images", type=int, nargs="?", default=50_000)
    parser.add_argument("--dataset", type=Path)
    arguments = parser.parse_args()
    main(arguments.images, arguments.dataset)
