"""Parquet files with the images in them, as Hugging Face `datasets` reads and writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harvest.export.parquet_schema import build_schema, metadata_columns, write_table
from harvest.export.place_image import read_image
from harvest.files import disk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harvest.export.exporter import Progress
    from harvest.export.records import ExportDataset, ExportImage

_SHARD = 500_000_000  # bytes of images in one file, as `datasets` chooses
_ROW_GROUP = 100  # images that a reader loads at a time


class HuggingFaceParquet:
    """`data/train-00000-of-00001.parquet` and so on; licences and sources are columns."""

    title = "Parquet with the images in it, for Hugging Face datasets"
    reads = 'datasets.load_dataset("OUT")'
    advice = ""
    packages = ("pyarrow",)

    def image_path(self, image: ExportImage) -> str | None:
        """Return `None`: the images are inside the Parquet files."""

    def data_files(self, split: str) -> str:
        """Return the files of a split."""
        return f"data/{split}-*"

    def find_problems(self, dataset: ExportDataset) -> Iterator[str]:  # noqa: ARG002 - of the protocol
        """Yield nothing: any class name can be a label."""
        yield from ()

    def write(self, dataset: ExportDataset, folder: Path, progress: Progress) -> None:
        """Write the files of each split."""
        schema = build_schema(dataset, "image")
        done = 0
        disk.make_folder(folder / "data")
        for split in dataset.splits:
            shards = _divide(dataset.of_split(split))
            for number, images in enumerate(shards):
                path = folder / "data" / f"{split}-{number:05d}-of-{len(shards):05d}.parquet"
                write_table(path, schema, _read_batches(dataset, images, schema, progress, done))
                done += len(images)


def _divide(images: Sequence[ExportImage]) -> list[list[ExportImage]]:
    """Divide images into files of about equal size."""
    count = 1 + sum(image.bytes for image in images) // _SHARD
    size = -(-len(images) // count)
    return [list(images[start : start + size]) for start in range(0, len(images), size)]


def _read_batches(
    dataset: ExportDataset, images: Sequence[ExportImage], schema: Any, progress: Progress, done: int
) -> Iterator[Any]:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    for start in range(0, len(images), _ROW_GROUP):
        batch = images[start : start + _ROW_GROUP]
        files = [{"bytes": read_image(image), "path": image.file_name} for image in batch]
        yield pa.table({"image": files, **metadata_columns(dataset, batch)}, schema=schema)
        progress(done + start + len(batch))
