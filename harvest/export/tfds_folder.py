"""Folders for `tfds.ImageFolder` of TensorFlow Datasets, and for Keras: a split folder with class folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.export.exporter import FolderExporter
from harvest.export.format_limits import find_other_types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.export.records import ExportDataset


class TensorFlowFolder(FolderExporter):
    """The layout `train/CLASS/NAME`; every other folder of the export has no folders in it, so it is no split."""

    title = "train, validation and test folders, for TensorFlow Datasets and Keras"
    reads = "tfds.ImageFolder('OUT').as_dataset(split='train')"

    def find_problems(self, dataset: ExportDataset) -> Iterator[str]:
        """Yield the images that `tfds.ImageFolder` skips: it reads .jpg, .jpeg and .png only."""
        yield from super().find_problems(dataset)
        yield from find_other_types(dataset.images, ("jpg", "png"), "tfds.ImageFolder")
