"""Records for the tests of formats, without a ledger: small images of several classes, splits and groups."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from harvest.default_callbacks import ignore_message
from harvest.export.records import SPLITS, ExportDataset, ExportImage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harvest.export.exporter import Exporter

FACTS: dict[str, Any] = {
    "provider": "FLICKR",
    "query": "coral snake",
    "title": 'A "coral", snake',
    "author": "Ada Schütz",
    "spdx": "CC-BY-4.0",
    "licence_url": "https://creativecommons.org/licenses/by/4.0/",
    "page_url": "https://flickr.com/photos/ada/1",
    "image_url": "https://live.staticflickr.com/1.jpg",
    "evidence": "stated",
}


class Sample(NamedTuple):
    """What every reader must find: the split, the class and the bytes of an image."""

    split: str
    class_name: str
    content: str


def make_records(folder: Path, names: Iterable[str] = ("coral snake", "king"), per_split: int = 3) -> ExportDataset:
    """Return images of each class in each split; the first two of a class and split are one group."""
    images, classes = [], tuple(sorted(names))
    for split in SPLITS:
        for class_name in classes:
            for number in range(per_split):
                index = len(images)
                image = make_image(folder, class_name, split, index)
                images.append(replace(image, group=index - 1 if number == 1 else index, is_reviewed=number == 0))
    return ExportDataset("my_snakes", classes, tuple(images))


def make_image(
    folder: Path, class_name: str, split: str, index: int, *, kind: str = "JPEG", suffix: str = "jpg"
) -> ExportImage:
    """Write an image and return its record."""
    size = 12
    out = io.BytesIO()
    Image.new("RGB", (size, size), (index * 7 % 256, index // 36, 90)).save(out, kind)
    path = folder / f"{class_name.replace('/', '_')}-{index}.{suffix}"
    path.write_bytes(out.getvalue())
    content = hashlib.sha256(out.getvalue()).hexdigest()
    name = f"flickr-{content[:12]}.{suffix}"
    return ExportImage(path, name, class_name, split, index, size, size, len(out.getvalue()), content, **FACTS)


def with_image(dataset: ExportDataset, **changes: Any) -> ExportDataset:
    """Return the dataset with its first image changed."""
    return replace(dataset, images=(replace(dataset.images[0], **changes), *dataset.images[1:]))


def write(exporter: Exporter, dataset: ExportDataset, folder: Path) -> Path:
    """Export to a folder, which has no problem."""
    assert list(exporter.find_problems(dataset)) == []
    folder.mkdir()
    exporter.write(dataset, folder, ignore_message)
    return folder


def list_samples(dataset: ExportDataset) -> list[Sample]:
    """Return what readers must find, sorted."""
    return sorted(Sample(image.split, image.class_name, image.content) for image in dataset.images)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
