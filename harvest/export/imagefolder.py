"""Class folders in split folders, with one metadata file per split, for Hugging Face and other loaders of folders.

With a metadata file, `datasets` takes no labels from the folders, and a text file would give labels as texts of
guessed types. A Parquet file keeps the type of every column, and its schema makes the label a ClassLabel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.export.exporter import FolderExporter
from harvest.export.parquet_schema import build_schema, metadata_columns, write_table

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.export.exporter import Progress
    from harvest.export.records import ExportDataset


class ImageFolder(FolderExporter):
    """`train/CLASS/NAME.jpg` and `train/metadata.parquet`."""

    title = "class folders in train/, validation/ and test/, with metadata"
    reads = 'datasets.load_dataset("OUT")'
    packages = ("pyarrow",)

    def write(self, dataset: ExportDataset, folder: Path, progress: Progress) -> None:
        """Place the images, and write the metadata of each split."""
        import pyarrow as pa  # noqa: PLC0415 - an extra

        super().write(dataset, folder, progress)
        schema = build_schema(dataset, "file_name")
        for split in dataset.splits:
            images = dataset.of_split(split)
            names = [f"{image.class_name}/{image.file_name}" for image in images]
            columns = {"file_name": names, **metadata_columns(dataset, images)}
            write_table(folder / split / "metadata.parquet", schema, [pa.table(columns, schema=schema)])
