"""Class folders for retrain.py of TensorFlow, which splits the images itself, by a hash of their names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harvest.export.exporter import FolderExporter
from harvest.export.what_format_cannot_hold import find_merged_classes, find_other_types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.export.records import ExportDataset, ExportImage

_MARK = "_nohash_"  # retrain.py hashes the path up to here: equal beginnings are in the same split
_NOT_IN_LABELS = re.compile(r"[^a-z0-9]+")
_WILDCARDS = re.compile(r"[\[\]*?\\]")  # retrain.py lists a folder by a pattern made from its name
IMAGES = "images"


class RetrainFolder(FolderExporter):
    """The layout `images/CLASS/GROUP_nohash_NAME`: images of one class and group are in the same split.

    retrain.py hashes the path with its class folder, so a group whose images are in several classes can be in
    several of its splits. Its splits are not those of the dataset either; ATTRIBUTION.csv has these.
    """

    title = "class folders, for retrain.py of TensorFlow"
    reads = "python retrain.py --image_dir OUT/images"
    advice = "retrain.py splits the images itself, by class: a group with images of several classes can be divided."

    def image_path(self, image: ExportImage) -> str:
        """Return the path of an image; equal groups begin equally."""
        return f"{IMAGES}/{image.class_name}/group{image.group:07d}{_MARK}{image.file_name}"

    def data_files(self, split: str) -> str:  # noqa: ARG002 - of the protocol
        """Return nothing: `datasets` does not read this format, since its folders are not the splits."""
        return ""

    def find_problems(self, dataset: ExportDataset) -> Iterator[str]:
        """Yield the class names that retrain.py cannot read, and the images that it skips."""
        yield from super().find_problems(dataset)
        yield from find_other_types(dataset.images, ("jpg",), "retrain.py")
        yield from find_merged_classes(dataset.classes, make_label, "retrain.py")
        for name in dataset.classes:
            if not make_label(name).strip():
                yield f"retrain.py reads only a-z and 0-9 of class names, and {name!r} has none. Rename its folder."
            if found := _WILDCARDS.search(name):
                yield f"retrain.py finds no image in {name!r}, because of its {found[0]!r}. Rename its folder."
            if _MARK in name:
                yield f"retrain.py would put all images of {name!r} into one split, because of {_MARK!r}. Rename it."


def make_label(class_name: str) -> str:
    """Return the label that retrain.py makes of the name of a class folder.

    >>> make_label("Coral_Snake (adult)")
    'coral snake adult '
    """
    return _NOT_IN_LABELS.sub(" ", class_name.lower())
