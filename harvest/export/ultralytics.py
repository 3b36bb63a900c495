"""Folders for Ultralytics YOLO classification, which CVAT also imports: train, val and test with class folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.counts_as_text import count
from harvest.export.exporter import FolderExporter
from harvest.export.what_format_cannot_hold import OTHER_FORMAT, find_other_types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.export.records import ExportDataset

_TYPES = ("jpg", "png", "webp", "avif", "bmp", "tiff")
_SMALLEST = 10  # pixels: Ultralytics takes smaller images for damaged ones and skips them
_IMAGENET = "n0"  # when the first class begins so, Ultralytics reads every class as an ImageNet code


class Ultralytics(FolderExporter):
    """The layout `train/CLASS/NAME`, with the validation images in `val`.

    Readers number the classes by the folders of each split. So every split has a folder for every class, even an
    empty one: else the numbers of two splits would differ.
    """

    title = "train, val and test folders, for Ultralytics YOLO and CVAT"
    reads = "YOLO('yolo11n-cls.pt').train(data='OUT')"
    has_all_folders = True
    split_folders = {"train": "train", "validation": "val", "test": "test"}  # noqa: RUF012 - constant

    def find_problems(self, dataset: ExportDataset) -> Iterator[str]:
        """Yield what Ultralytics skips, renames, or would split itself."""
        yield from super().find_problems(dataset)
        yield from find_other_types(dataset.images, _TYPES, "Ultralytics")
        small = [image for image in dataset.images if min(image.width, image.height) < _SMALLEST]
        if small:
            which = count(len(small), "image has", "images have")
            yield (
                f"{which} fewer than {_SMALLEST} pixels on a side, and Ultralytics would skip such images. Move them"
                f" out of the dataset, {OTHER_FORMAT}."
            )
        if dataset.classes[:1] and dataset.classes[0].startswith(_IMAGENET):
            yield (
                f"Ultralytics reads class names as ImageNet codes if the first, {dataset.classes[0]!r}, begins"
                f" with {_IMAGENET!r}. Rename its folder."
            )
        if "train" not in dataset.splits:
            yield "no image is in the training split, and Ultralytics would split the images itself. Change the split."
