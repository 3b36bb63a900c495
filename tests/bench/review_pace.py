"""Simulate a person who reviews 300 photographs with the keys of the page in Chromium, and print images a minute.

    python -m tests.bench.review_pace PHOTOS [--errors SHARE]

PHOTOS has `flowers`, `clothing` and `kitchen`, each with class folders. Two classes of flowers get 20 % wrong images:
one half are other flowers, the other half clothing and kitchens. The person reviews a copy of this dataset in the grid
as it opens, in the grid with odd ones first, and image by image in the loupe, with one key for each as in `fcc`.

What is assumed of the person:

* A glance at a tile of the grid takes 0.12 s. Each tile that is entirely on the screen gets one, in reading order.
* Each tile that looks wrong costs 0.9 s more: the shortest way of arrow keys to it, and X.
* Each screen, and each change of the class, costs 0.4 s more, with Enter or ].
* One image at a time takes 60/73 s, with its key. `fcc` itself does not run: the loupe stands for it.
* The person knows a wrong image at sight. With `--errors`, the judgement of this share of the images is wrong, and of
  the same ones in every order.

By these times alone, the grid allows 200 images a minute.

Nobody waits for the seconds of the person: they are added up. What the page takes is measured, for every key until the
frame that shows its effect with all its thumbnails, or the image in the loupe; the person does nothing meanwhile.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvest.dataset import Dataset
from tests.bench.review import SENT, percentile, print_load, running_review
from tests.browser import chromium

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

GLANCE, MARK, SCREEN, ONE_IMAGE = 0.12, 0.9, 0.4, 60 / 73  # seconds of the person
CLASSES, SHARE, MOST = ("daisy", "roses"), 0.2, 0.9
UNTIL = f"minutes until {MOST:.0%} of the planted are rejected"
PRECISION = {"minutes": 1, UNTIL: 1}
SEED = 5
PATIENCE = 300  # seconds until the page knows the suspects

# After each key, `shown` is a promise of the milliseconds until the page shows the effect.
WATCH_KEYS = """
localStorage.setItem('harvest-first-card', '1');
addEventListener('keydown', (event) => {
  window.shown = new Promise((resolve) => {
    const afterFrame = () => requestAnimationFrame(() => setTimeout(look));
    const look = () => (window.seen.isComplete() ? resolve(performance.now() - event.timeStamp) : afterFrame());
    afterFrame();
  });
}, true);
"""
DEFINE_SEEN = """
async () => {
  const [{ store, focusedId }, grid, commands, loupe] = await Promise.all(
    ['store', 'grid', 'grid_commands', 'loupe'].map((name) => import(`/static/${name}.js`)));
  const isDrawn = (element) => element && /loaded|broken/.test(element.className);
  window.seen = {
    isComplete() {
      if (store.isLoading) return false;
      if (loupe.isLoupeOpen()) return isDrawn(document.querySelector('#loupe .stage'));
      return grid.idsOnScreen().every((id) => isDrawn(document.getElementById(`tile-${id}`)));
    },
    suspects: () => store.state?.queues.suspects,
    order: () => (store.isLoading ? '' : store.order),
    images: () => store.ids.length,
    left: () => store.ids.filter((id) => store.items.get(id).state === 'kept' && !store.items.get(id).reviewed).length,
    undecided: commands.undecidedOnScreen,
    focused: focusedId,
    place: (id) => [store.focus, store.ids.indexOf(id), grid.columnCount()],
  };
}
"""


@dataclass
class Person:
    """Presses keys on the page, and adds up the seconds of both."""

    page: Page
    wrong: set[int]  # images that look wrong to the person
    seconds: float = 0.0
    delays: list[float] = field(default_factory=list)  # milliseconds of the page, for each key
    found: list[tuple[int, float]] = field(default_factory=list)  # what was rejected, and when

    def now(self) -> float:
        """Return the seconds of the person and of the page until now."""
        return self.seconds + sum(self.delays) / 1000

    def press(self, key: str) -> None:
        """Press a key, and wait until the page shows what it does."""
        self.page.keyboard.press(key)
        self.delays.append(self.page.evaluate("window.shown"))

    def ask(self, what: str, *values: int) -> Any:
        """Return what is on the screen."""
        return self.page.evaluate(f"(values) => window.seen.{what}(...values)", values)

    def reject(self, image: int) -> None:
        """Reject the focused image, and remember when."""
        assert self.ask("focused") == image
        self.press("x")
        self.found.append((image, self.now()))


def sweep(person: Person) -> None:
    """Review a class in the grid: reject the wrong ones of each screen, and keep the rest with Enter.

    What the screen shows anew before Enter, because the focus moved it, is looked at too.
    """
    looked: set[int] = set()
    while person.ask("left"):
        fresh = [image for image in person.ask("undecided") if image not in looked]
        person.seconds += GLANCE * len(fresh)
        looked.update(fresh)
        for image in fresh:
            if image in person.wrong:
                person.seconds += MARK
                walk_to(person, image)
                person.reject(image)
        if looked.issuperset(person.ask("undecided")):
            person.seconds += SCREEN
            person.press("Enter")
            looked.clear()


def walk_to(person: Person, image: int) -> None:
    """Move the focus to a tile in as few keys as possible; past the end of a row the next one begins."""
    focus, index, columns = person.ask("place", image)
    down, right = index // columns - focus // columns, index % columns - focus % columns
    if abs(index - focus) <= abs(down) + abs(right):
        down, right = 0, index - focus
    for count, forward, back in ((right, "ArrowRight", "ArrowLeft"), (down, "ArrowDown", "ArrowUp")):
        for _ in range(abs(count)):
            person.press(forward if count > 0 else back)


def open_each(person: Person) -> None:
    """Review a class in the loupe: one key for each image."""
    person.press("Space")
    for _ in range(person.ask("images")):
        person.seconds += ONE_IMAGE
        image = person.ask("focused")
        if image in person.wrong:
            person.reject(image)
        else:
            person.press("k")
    person.press("Escape")


WAYS: dict[str, tuple[str, Callable[[Person], None]]] = {
    "grid, as it opens": ("suspicious", sweep),
    "grid, odd ones first": ("odd", sweep),
    "one by one, as in fcc": ("suspicious", open_each),
}


def plant(photos: Path, root: Path) -> set[str]:
    """Copy the photographs and the wrong ones under numbers that tell nothing; return the names of the wrong ones."""
    dice = random.Random(SEED)
    others = [path for path in sorted(photos.glob("flowers/*/*.jpg")) if path.parent.name not in CLASSES]
    foreign = sorted(photos.glob("clothing/*/*.jpg")) + sorted(photos.glob("kitchen/*/*.jpg"))
    good = {name: sorted(photos.glob(f"flowers/{name}/*.jpg")) for name in CLASSES}
    planted = {name: round(len(good[name]) * SHARE / (1 - SHARE)) for name in CLASSES}
    pools = [dice.sample(pool, sum(planted.values())) for pool in (others, foreign)]
    wrong: set[str] = set()
    for name in CLASSES:
        bad = [pools[number % 2].pop() for number in range(planted[name])]
        files = [*good[name], *bad]
        dice.shuffle(files)
        (root / name).mkdir(parents=True)
        for number, path in enumerate(files):
            copy = shutil.copy(path, root / name / f"{name}-{number:03}.jpg")
            wrong |= {Path(copy).name} if path in bad else set()
    return wrong


def run_harvest(*words: str) -> None:
    """Run a command to its end, and hide what it prints."""
    subprocess.run([sys.executable, "-m", "harvest", *words], check=True, capture_output=True)


def open_page(browser: Browser, link: str, order: str) -> Page:
    """Open the page once the suspects are known, in an order."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.add_init_script(WATCH_KEYS)
    page.goto(link)
    page.evaluate(DEFINE_SEEN)
    wait_until(page, "window.seen.suspects() > 0")
    page.reload()
    page.evaluate(DEFINE_SEEN)
    wait_until(page, "window.seen.isComplete()")
    page.select_option("#order", order)
    wait_until(page, f"window.seen.order() === '{order}' && window.seen.isComplete()")
    page.focus("#grid")
    return page


def wait_until(page: Page, condition: str) -> None:
    """Ask the page until a condition holds; its policy forbids the `wait_for_function` of Playwright."""
    end = time.monotonic() + PATIENCE
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


def review(browser: Browser, root: Path, planted: set[str], errors: float, way: str) -> dict[str, float]:
    """Review a dataset in one way; return the speed, and what is in the folders afterwards."""
    with Dataset.open(root) as dataset:
        names = {row.id: row.name for row in dataset.review_rows()}
    mistaken = {name for name in names.values() if random.Random(f"{SEED} {name}").random() < errors}
    order, judge = WAYS[way]
    with running_review(root) as (link, _, _):
        page = open_page(browser, link, order)
        person = Person(page, {image for image, name in names.items() if (name in planted) != (name in mistaken)})
        for _ in CLASSES:
            person.seconds += SCREEN
            person.press("]")
            judge(person)
        page.evaluate(SENT)
        page.context.close()
    rejected = {path.name for path in root.with_name(f"{root.name}.rejected").glob("*/*.jpg")}
    times = [when for image, when in person.found if names[image] in planted]
    return {
        "images a minute": 60 * len(names) / person.now(),
        "minutes": person.now() / 60,
        UNTIL: percentile(times, MOST) / 60,
        f"planted images rejected, of {len(planted)}": len(rejected & planted),
        f"good images rejected, of {len(names) - len(planted)}": len(rejected - planted),
        "keys": len(person.delays),
        "page, ms a key, median": statistics.median(person.delays),
        "page, ms a key, p95": percentile(person.delays, 0.95),
    }


def main(photos: Path, errors: float) -> None:
    """Build and train the dataset once, review a copy in each way, and print the table."""
    with tempfile.TemporaryDirectory() as temporary:
        os.environ.update({f"XDG_{kind}_HOME": f"{temporary}/{kind}" for kind in ("CACHE", "CONFIG", "DATA", "STATE")})
        first = Path(temporary) / "first"
        planted = plant(photos, first / "dataset")
        run_harvest("adopt", str(first / "dataset"))
        run_harvest("train", str(first / "dataset"), "--epochs", "0")
        seen = {}
        with chromium() as browser:
            for number, way in enumerate(WAYS):
                # Each way makes its own thumbnails.
                os.environ["XDG_CACHE_HOME"] = f"{temporary}/cache{number}"
                root = Path(shutil.copytree(first, Path(temporary) / f"way{number}")) / "dataset"
                seen[way] = review(browser, root, planted, errors, way)
    print_table(seen)


def print_table(seen: dict[str, dict[str, float]]) -> None:
    """Print a row for each number, the ratios to one by one, and the load of the machine."""
    print(f"{'':<46}", *(f"{way:>22}" for way in seen))
    speeds = [numbers["images a minute"] for numbers in seen.values()]
    for name in next(iter(seen.values())):
        print(f"{name:<46}", *(f"{numbers[name]:>22,.{PRECISION.get(name, 0)}f}" for numbers in seen.values()))
    print(f"{'images a minute / one by one':<46}", *(f"{speed / speeds[-1]:>21.2f}x" for speed in speeds))
    print_load()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", type=Path)
    parser.add_argument("--errors", type=float, default=0.0, help="share of the images that the person is wrong about")
    arguments = parser.parse_args()
    main(arguments.photos, arguments.errors)
