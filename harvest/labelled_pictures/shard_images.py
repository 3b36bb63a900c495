"""The labelled images in the shards of a dataset, as its ledger lists them: none is decoded again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from harvest.dataset import ReadOnlyDataset
from harvest.duplicates.stored_fingerprints import unpack
from harvest.errors import StorageError
from harvest.labelled_pictures.image_reader import ImageInShard
from harvest.labelled_pictures.size_and_fingerprint_cache import LONGEST_SIDE, DecodedFile
from harvest.models import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harvest.ledger.training_data_and_splits import ShardImage


def read_shard_images(root: Path) -> Iterator[tuple[ShardImage, DecodedFile]]:
    """Yield the images in shards, by class and name; those of which the ledger has no size or fingerprint are left out.

    Without a ledger, or with one that cannot be read, there are none.
    """
    try:
        dataset = ReadOnlyDataset.open(root)
        if dataset is None:
            return
        with dataset:
            images = dataset.list_shard_images()
    except StorageError:  # reported with the facts of the ledger
        return
    for image in sorted(images, key=lambda each: (each.class_name, each.name)):
        if (decoded := _decoded_file(image)) is not None:
            yield image, decoded


def find_in_shards(root: Path) -> dict[str, ImageInShard]:
    """Return where the images in the shards of a dataset are, by their paths; without a usable ledger there are none.

    Unlike `read_shard_images`, this reads no fingerprints.
    """
    in_shards = {}
    with suppress(StorageError):
        dataset = ReadOnlyDataset.open(root)
        if dataset is not None:
            with dataset:
                for class_name, name, content, place in dataset.list_shard_places():
                    in_shards[f"{class_name}/{name}"] = ImageInShard(place, content)
    return in_shards


def _decoded_file(image: ShardImage) -> DecodedFile | None:
    width, height, data = image.width, image.height, image.fingerprint
    if not (isinstance(width, int) and isinstance(height, int) and isinstance(data, bytes)):
        return None
    if not (0 < width <= LONGEST_SIDE and 0 < height <= LONGEST_SIDE):
        return None
    try:
        fingerprint = Fingerprint(unpack([Fingerprint(data)]).tobytes())
    except ValueError:  # of unknown length
        return None
    return DecodedFile(image.content, (width, height), fingerprint)
