"""Folders for `tfds.ImageFolder` of TensorFlow Datasets, and for Keras: a split folder with class folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.export.exporter import FolderExporter
from harvest.export.what_format_cannot_hold import find_other_types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.export.records import ExportDataset


class TensorFlowFolder(FolderExporter):
    """The layout `train/CLASS/NAME`; other folders of the export have no folders in them, so they are not splits.

    Every split has a folder for every class: Keras numbers the classes by the folders of a split.
    """

    title = "train, validation and test folders, for TensorFlow Datasets and Keras"
    reads = "tfds.ImageFolder('OUT').as_dataset(split='train')"
    has_all_folders = True

    def find_problems(self, dataset: ExportDataset) -> Iterator[str]:
        """Yield the images that `tfds.ImageFolder` skips: it reads .jpg, .jpeg and .png only."""
        yield from super().find_problems(dataset)
        yield from find_other_types(dataset.images, ("jpg", "png"), "tfds.ImageFolder")
