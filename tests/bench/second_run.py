"""Measure a second run with nothing new over 50,000 images, and each of its steps.

    python tests/bench/second_run.py [pictures]

The floor is scandir and stat of the same files, in the same run. Placing the images is measured too, and
compared with writing the same files, flushed one by one.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))
from harvest.dataset import LIMIT_REACHED, Dataset, Placement
from harvest.duplicates.fingerprint import PACKED
from harvest.duplicates.index import DuplicateIndex
from harvest.models import Fingerprint, Picture, Query, Task
from tests.datasets import a_hit

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES, BATCH, SIZE = 10, 100, 40_000
GOAL = 2.0  # seconds for the whole command


def picture(number: int, filling: bytes) -> Picture:
    """Return what the pipeline would hand over; nothing here is ever decoded."""
    data = b"%d" % number + filling
    body, pixels = (hashlib.sha256(b"%s %d" % (what, number)).hexdigest() for what in (b"body", b"pixels"))
    content, look = hashlib.sha256(data).hexdigest(), Fingerprint(os.urandom(PACKED.itemsize))
    return Picture(data, content, body, pixels, look, 500, 400, 2000, 1600, "JPEG")


def fill(root: Path, count: int) -> float:
    """Place the images, and return the seconds that it took."""
    filling, spent = os.urandom(SIZE), 0.0
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        for class_name in (f"class_{number}" for number in range(CLASSES)):
            search = dataset.begin_search(Query(class_name, class_name), "BING", count)
            first = int(class_name[-1]) * count // CLASSES
            for start in range(first, first + count // CLASSES, BATCH):
                hits = [a_hit(number, title=f"Picture {number}") for number in range(start, start + BATCH)]
                tasks = [way for way in dataset.record_hits(search.id, class_name, hits) if isinstance(way, Task)]
                placements = [Placement(task, picture(task.hit.rank, filling)) for task in tasks]
                begun = time.perf_counter()
                dataset.place(placements)
                spent += time.perf_counter() - begun
            dataset.finish_search(search.id, LIMIT_REACHED, count)
    return spent


def bare(folder: Path, count: int) -> float:
    """Write as many files without a ledger, each flushed, and return the seconds."""
    folder.mkdir()
    filling, begun = os.urandom(SIZE), time.perf_counter()
    for number in range(count):
        with (folder / f"{number}.jpg").open("wb") as file:
            file.write(filling)
            file.flush()
            os.fsync(file.fileno())
    return time.perf_counter() - begun


def walk(root: Path) -> int:
    """Stat every file, as reconciling must."""
    total = 0
    for folder in os.scandir(root):
        if folder.is_dir():
            total += sum(entry.stat(follow_symlinks=False).st_size for entry in os.scandir(folder))
    return total


def command(root: Path) -> None:
    """Run the whole command again, with every search finished."""
    rows = "".join(f"class_{number},class_{number}\n" for number in range(CLASSES))
    (root.parent / "queries.csv").write_text(f"class,query\n{rows}")
    words = [sys.executable, "-m", "harvest", "-c", "BING", "-q", "-m", "1", "-o", str(root), "queries.csv"]
    subprocess.run(words, cwd=root.parent, check=True, capture_output=True)


def best(function: Callable[[], object]) -> float:
    """Return the shortest of three calls, in seconds."""
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return min(times)


def main(count: int) -> None:
    """Fill a dataset, and print what it costs to find it unchanged."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "dataset"
        placing, writing = fill(root, count), bare(Path(temporary) / "bare", count // 10) * 10
        print(f"{count:,} images of {SIZE // 1000} kB in {CLASSES} classes")
        print(f"  placed                 {count / placing:8,.0f} a second")
        print(f"  plain flushed writes   {count / writing:8,.0f} a second")
        floor = best(lambda: walk(root))
        print(f"  scandir and stat       {floor:8.2f} s   the floor")
        with Dataset.open(root) as dataset:
            steps = {
                "reconcile": dataset.reconcile,
                "known pictures": lambda: list(dataset.list_present()),
                "duplicate index": lambda: DuplicateIndex(
                    [(one.id, one.fingerprint) for one in dataset.list_present() if one.fingerprint]
                ),
            }
            for name, step in steps.items():
                print(f"  {name:<22} {best(step):8.2f} s")
        whole = best(lambda: command(root))
        print(f"  the whole command      {whole:8.2f} s   {whole / floor:.1f}x the floor; goal {GOAL} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
