"""CSV tables in the form of Open Images: the images with their sources, their labels, and the names of the labels."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from harvest.export.attribution import OPEN_IMAGES_COLUMNS, OWN_COLUMNS, attribution_row
from harvest.export.exporter import FolderExporter
from harvest.files import disk
from harvest.files.check_names_and_cells import escape_formula

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from harvest.export.exporter import Progress
    from harvest.export.records import ExportDataset, ExportImage

IMAGES = "images.csv"
LABELS = "labels.csv"
CLASSES = "class-descriptions.csv"
# Programs for Open Images also read columns by their number, so its last two come before ours. Both are unknown.
_LAST_COLUMNS = ("Thumbnail300KURL", "Rotation")
_LABEL_COLUMNS = ("ImageID", "Source", "LabelName", "Confidence")
_CLASS_COLUMNS = ("LabelName", "DisplayName")
_SEEN_BY_A_PERSON, _NOT_SEEN = "verification", "machine"  # Open Images' words for where a label comes from
_CERTAIN = "1"


class OpenImagesCsv(FolderExporter):
    """The images in `train/CLASS/NAME`, and three tables whose first columns are those of Open Images.

    As in ATTRIBUTION.csv, a text that a spreadsheet would run as a formula begins with an apostrophe.
    """

    title = "CSV tables with the columns of Open Images, beside the image files"
    reads = "pandas.read_csv('OUT/images.csv').merge(pandas.read_csv('OUT/labels.csv'), on='ImageID')"

    def write(self, dataset: ExportDataset, folder: Path, progress: Progress) -> None:
        """Place the images and write the tables."""
        super().write(dataset, folder, progress)
        columns = (*OPEN_IMAGES_COLUMNS, *_LAST_COLUMNS, "Path", *OWN_COLUMNS)
        _write_table(folder / IMAGES, columns, (self._make_row(image) for image in dataset.images))
        labels = (
            (image.stem, _SEEN_BY_A_PERSON if image.is_reviewed else _NOT_SEEN, image.class_name, _CERTAIN)
            for image in dataset.images
        )
        _write_table(folder / LABELS, _LABEL_COLUMNS, labels)
        _write_table(folder / CLASSES, _CLASS_COLUMNS, ((name, name) for name in dataset.classes))

    def _make_row(self, image: ExportImage) -> Sequence[str]:
        row = attribution_row(image, self.image_path(image))
        common = len(OPEN_IMAGES_COLUMNS)
        return (*row[:common], *("" for _ in _LAST_COLUMNS), self.image_path(image) or "", *row[common:])


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(columns)
    table.writerows([escape_formula(value) for value in row] for row in rows)
    disk.write(path, out.getvalue().encode("utf-8", "replace"))
