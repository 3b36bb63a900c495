"""WebDataset: tar files of samples, with an index for random access by `wids`.

A sample is three members with one key: `00000012.jpg`, `00000012.cls` (the number of its class) and `00000012.json`
(its metadata). Keys are running numbers: readers end a key at the first dot, and `wids` reads only names that fit
into the plain header of a tar file.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from harvest.export.json_text import encode_json
from harvest.export.place_image import read_image
from harvest.export.what_format_cannot_hold import detect_type, find_mixed_types, find_other_types
from harvest.files import disk
from harvest.files.tar_members import END, encode_member

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harvest.export.exporter import Progress
    from harvest.export.records import ExportDataset, ExportImage

_SHARD_IMAGES = 1000
_SHARD_BYTES = 256 << 20
_WIDS_KIND = "wids-shard-index-v1"
CLASSES = "classes.json"


class WebDataset:
    """The files SPLIT-000000.tar and so on, and SPLIT.json, the index of each split.

    The images of a split are in the order of their hashes: a reader that shuffles a few thousand of them at a time
    then meets every class from the beginning.
    """

    title = "tar files of samples with an index, for webdataset, wids and Hugging Face"
    reads = "webdataset.WebDataset(sorted(glob.glob('OUT/train-*.tar'))).decode('pil').to_tuple('jpg', 'cls')"
    advice = ""
    packages: tuple[str, ...] = ()

    def image_path(self, image: ExportImage) -> None:
        """Return `None`: the images are in tar files."""

    def data_files(self, split: str) -> str:
        """Return the tar files of a split."""
        return f"{split}-*.tar"

    def find_problems(self, dataset: ExportDataset) -> Iterator[str]:
        """Yield images that some reader does not decode: all samples must have the same members."""
        yield from find_other_types(dataset.images, ("jpg", "png"), "wids")
        yield from find_mixed_types(dataset.images, "WebDataset needs the same members in every sample")

    def write(self, dataset: ExportDataset, folder: Path, progress: Progress) -> None:
        """Write the tar files of each split, its index, and the names of the classes in their order."""
        done = 0
        for split in dataset.splits:
            shards = []
            first = 0
            for number, images in enumerate(_divide(dataset.of_split(split))):
                path = folder / f"{split}-{number:06d}.tar"
                shards.append(_write_shard(path, dataset, images, first))
                first += len(images)
                done += len(images)
                progress(done)
            index = {"__kind__": _WIDS_KIND, "wids_version": 1, "shardlist": shards}
            disk.write(folder / f"{split}.json", encode_json(index))
        disk.write(folder / CLASSES, encode_json(list(dataset.classes)))


def _divide(images: Sequence[ExportImage]) -> Iterator[list[ExportImage]]:
    """Yield the images of each tar file."""
    shard: list[ExportImage] = []
    size = 0
    for image in sorted(images, key=lambda each: (each.content, each.file_name)):
        if shard and (len(shard) == _SHARD_IMAGES or size + image.bytes > _SHARD_BYTES):
            yield shard
            shard, size = [], 0
        shard.append(image)
        size += image.bytes
    if shard:
        yield shard


def _write_shard(path: Path, dataset: ExportDataset, images: Sequence[ExportImage], first: int) -> dict[str, Any]:
    """Write one tar file and return its entry in the index."""
    with disk.write_errors_named(path), path.open("xb") as file:
        for key, image in enumerate(images, first):
            file.write(encode_member(f"{key:08d}.{detect_type(image)}", read_image(image)))
            file.write(encode_member(f"{key:08d}.cls", str(dataset.labels[image.class_name]).encode()))
            facts = {"class": image.class_name, **image.metadata()}
            file.write(encode_member(f"{key:08d}.json", encode_json(facts)))
        file.write(END)
        size = file.tell()
    with path.open("rb") as written:
        digest = hashlib.file_digest(written, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return {"url": path.name, "md5sum": digest, "nsamples": len(images), "filesize": size}
