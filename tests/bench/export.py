"""Measure exports of a dataset of 10,000 images, in every format.

    python tests/bench/export.py [IMAGES] [FORMAT...]

The dataset is made of noise at the usual size, 299 pixels. Nothing is cached for the first export, as after a harvest;
the others use what it cached next to the dataset, as after a training. The last column is a ratio: to the time that
copying the files takes.
"""

from __future__ import annotations

import hashlib
import io
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))
from harvest import export_dataset
from harvest.dataset import Dataset, Placement
from harvest.duplicates.fingerprint import compute_fingerprint
from harvest.export.export_formats import FORMATS
from harvest.licences import Evidence, Licence
from harvest.models import Picture
from tests.datasets import a_hit, find

COUNT, CLASSES, BATCH, SIDE = 10_000, 10, 200, 299
LICENCE = Licence("CC-BY-2.0", "https://creativecommons.org/licenses/by/2.0/", Evidence.STATED)


def draw(number: int) -> Picture:
    """Return a picture that resembles no other."""
    noise = np.random.default_rng(number).integers(0, 256, (24, 24, 3), np.uint8)
    image = Image.fromarray(noise).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    data = out.getvalue()
    content = hashlib.sha256(data).hexdigest()
    look = compute_fingerprint(image.resize((64, 64)))
    return Picture(data, content, content[::-1], content[1:] + "0", look, SIDE, SIDE, 1200, 1200, "JPEG")


def make_dataset(root: Path, count: int) -> None:
    """Place pictures as a harvest does, with authors and licences."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        for start in range(0, count, BATCH):
            name = f"class_{start // BATCH % CLASSES}"
            numbers = range(start, min(count, start + BATCH))
            authors = [f"Author {random.Random(number).randrange(count // 3)}" for number in numbers]
            hits = [
                a_hit(number, "FLICKR", author=author, title=f"Photograph {number}", licence=LICENCE)
                for number, author in zip(numbers, authors, strict=True)
            ]
            tasks = find(dataset, hits, name, f"{name} {start}")
            dataset.place([Placement(task, draw(number)) for task, number in zip(tasks, numbers, strict=True)])


def measure(root: Path, out: Path, to: str) -> tuple[float, float, float]:
    """Return seconds, CPU seconds, and megabytes of the export."""
    began, cpu = time.perf_counter(), time.process_time()
    export_dataset(root, out, to=to)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    shutil.rmtree(out)
    return seconds, cpu, size / 1e6


def main() -> None:
    """Print the seconds of each format, and of copying the files."""
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    formats = [word for word in sys.argv[1:] if not word.isdigit()] or list(FORMATS)
    count = numbers[0] if numbers else COUNT
    with tempfile.TemporaryDirectory(prefix="bench-export-") as folder:
        root = Path(folder, "dataset")
        make_dataset(root, count)
        began = time.perf_counter()
        shutil.copytree(root, Path(folder, "copy"))
        floor = time.perf_counter() - began
        print(f"{count:,} images; copying them takes {floor:.1f} s")
        print(f"{'format':<22}{'seconds':>8}{'CPU':>8}{'MB':>8}{'copies':>9}")
        for number, to in enumerate([formats[0], *formats]):
            seconds, cpu, size = measure(root, Path(folder, "out"), to)
            title = f"{to} (nothing cached)" if number == 0 else to
            print(f"{title:<22}{seconds:>8.1f}{cpu:>8.1f}{size:>8,.0f}{seconds / floor:>8.1f}x", flush=True)


if __name__ == "__main__":
    main()
