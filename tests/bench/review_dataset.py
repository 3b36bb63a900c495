"""Build a large seeded dataset for the benches of the review page: few drawings, in many files with their own bytes."""

from __future__ import annotations

import hashlib
import io
import os
import random
from typing import TYPE_CHECKING
from unittest import mock

from PIL import Image, ImageDraw, ImageFilter

from harvest.dataset import LIMIT_REACHED, Dataset, Placement
from harvest.duplicates.fingerprint import PACKED
from harvest.models import Fingerprint, Picture, Query, Task
from tests.datasets import a_hit, sha

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CLASSES, DRAWINGS, BATCH = 10, 300, 250
SIZE = (500, 375)
SEED = 11


def draw(number: int) -> bytes:
    """Draw a picture with the size and the detail of a photograph: shapes over blurred noise."""
    dice = random.Random(f"{SEED} {number}")
    noise = Image.frombytes("RGB", (50, 38), dice.randbytes(50 * 38 * 3)).resize(SIZE, Image.Resampling.BICUBIC)
    image = noise.filter(ImageFilter.GaussianBlur(2))
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, width = dice.randrange(SIZE[0]), dice.randrange(SIZE[1]), dice.randrange(20, 160)
        pen.ellipse((x, y, x + width, y + width), fill=tuple(dice.randbytes(3)))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=75)
    return file.getvalue()


def add_comment(data: bytes, number: int) -> bytes:
    """Return a JPEG with a comment of its own behind its first marker, so that its hash differs."""
    text = b"%012d" % number
    return data[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + data[2:]


def build(root: Path, count: int) -> None:
    """Place `count` images in ten classes; the second of each batch is probably a copy of the first."""
    drawings = [draw(number) for number in range(min(count, DRAWINGS))]
    each = count // CLASSES
    unflushed = mock.patch.object(os, "fsync", return_value=None)  # placing is not what is measured
    with unflushed, Dataset.open(root, create=True, exclusive=True) as dataset:
        for class_number in range(CLASSES):
            name = f"class_{class_number}"
            search = dataset.begin_search(Query(f"{name} photo", name), "BING", each)
            for start in range(class_number * each, (class_number + 1) * each, BATCH):
                numbers = range(start, min(start + BATCH, (class_number + 1) * each))
                tasks = dataset.record_hits(search.id, name, [a_hit(number) for number in numbers])
                _place(dataset, [task for task in tasks if isinstance(task, Task)], drawings)
            dataset.finish_search(search.id, LIMIT_REACHED, each)


def _place(dataset: Dataset, tasks: Sequence[Task], drawings: Sequence[bytes]) -> None:
    placed = dataset.place([Placement(task, _picture(task.hit.rank, drawings)) for task in tasks[:1]])
    # The second image of a batch is probably a copy of the first.
    similar = tuple(known.id for known in placed)
    more = [Placement(task, _picture(task.hit.rank, drawings)) for task in tasks[1:]]
    dataset.place([Placement(each.task, each.picture, similar=similar) for each in more[:1]] + more[1:])


def _picture(number: int, drawings: Sequence[bytes]) -> Picture:
    data = add_comment(drawings[number % len(drawings)], number)
    body, pixels = (hashlib.sha256(b"%s %d" % (what, number)).hexdigest() for what in (b"body", b"pixels"))
    look = Fingerprint(random.Random(number).randbytes(PACKED.itemsize))
    return Picture(data, sha(data), body, pixels, look, *SIZE, 2000, 1500, "JPEG")
