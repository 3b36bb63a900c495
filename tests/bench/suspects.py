"""The share of good photographs that are suspected, and of planted bad images that are not.

    python -m tests.bench.suspects PHOTOS…

Each argument is a tree of class folders. The limits were chosen on one half of its files; the other one is measured.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from PIL import Image

from harvest.dataset import Dataset
from harvest.review.find_suspects_without_model import find_suspects
from harvest.review.suspicion_order import order_by_suspicion
from tests.bad_images import KINDS

GOOD, BAD, FIRST = 360, 40, 80


def half(photos: Path, odd: int) -> list[Path]:
    """Return every second image, in an order that does not depend on the class."""
    files = sorted(photos.glob("*/*"))
    random.Random(5).shuffle(files)
    return files[odd::2]


def suspects_of(root: Path) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the reasons by file name, and all names in the order of suspicion."""
    with Dataset.open(root, create=True) as dataset:
        reasons = find_suspects(dataset)
        rows = dataset.review_rows()
    names = {row.id: row.name for row in rows}
    ordered = [row.name for row in order_by_suspicion(rows, reasons)]
    return {names[number]: why for number, why in reasons.items()}, ordered


def measure_good(photos: Path, odd: int, folder: Path) -> None:
    files = half(photos, odd)
    for file in files:
        (folder / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / file.parent.name)
    reasons, _ = suspects_of(folder)
    counts = Counter(reason for why in reasons.values() for reason in why)
    part = "measured" if odd else "chosen on"
    print(f"{photos.name} ({part}): {len(reasons)} of {len(files)} suspected, {dict(counts)}")


def measure_bad(photos: Path, folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    (folder / "class").mkdir(parents=True)
    good = (half(photos, 1) + half(photos, 0))[:GOOD]
    for number, file in enumerate(good):
        shutil.copy(file, folder / "class" / f"good{number}.jpg")
    for number in range(BAD):
        kind = list(KINDS)[number % len(KINDS)]
        image = KINDS[kind][0](Image.open(rng.choice(good)).convert("RGB"), rng)
        image.save(folder / "class" / f"bad-{kind}{number}.jpg", quality=90)
    _, ordered = suspects_of(folder)
    found = sum(name.startswith("bad") for name in ordered[:FIRST])
    print(f"{photos.name}: {found} of {BAD} planted in the first {FIRST} of {len(ordered)}")


def main() -> None:
    for photos in map(Path, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as folder:
            for odd in (0, 1):
                measure_good(photos, odd, Path(folder) / f"good{odd}")
            for seed in (1, 2):
                measure_bad(photos, Path(folder) / f"bad{seed}", seed)


if __name__ == "__main__":
    main()
