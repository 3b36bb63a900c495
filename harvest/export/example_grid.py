"""The picture of the card: a row of small images for each of the largest classes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from harvest.export.place_image import read_image
from harvest.files import disk
from harvest.images.decode_small import decode_small
from harvest.models import Refusal

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.export.records import ExportDataset, ExportImage

FILE = "examples.jpg"
ROWS, COLUMNS = 8, 6
_SIDE, _GAP = 120, 4  # pixels
_LARGEST = 64 << 20  # bytes of a file


def choose_examples(dataset: ExportDataset) -> dict[str, list[ExportImage]]:
    """Return some images of each of the first classes, the same ones each time, from train where it has enough."""
    rows: dict[str, list[ExportImage]] = {name: [] for name in dataset.classes[:ROWS]}
    for image in sorted(dataset.images, key=lambda image: (image.split != "train", image.content)):
        row = rows.get(image.class_name)
        if row is not None and len(row) < COLUMNS and image.bytes <= _LARGEST:
            row.append(image)
    return rows


def write_example_grid(dataset: ExportDataset, folder: Path) -> None:
    """Draw the examples, one row per class, in the order of the card."""
    rows = choose_examples(dataset)
    step = _SIDE + _GAP
    sheet = Image.new("RGB", (COLUMNS * step + _GAP, len(rows) * step + _GAP), "white")
    for top, images in enumerate(rows.values()):
        for left, image in enumerate(images):
            small = decode_small(read_image(image), _SIDE)
            if not isinstance(small, Refusal):
                x = _GAP + left * step + (_SIDE - small.width) // 2
                y = _GAP + top * step + (_SIDE - small.height) // 2
                sheet.paste(small.convert("RGB"), (x, y))
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=85)
    disk.write(folder / FILE, file.getvalue())
