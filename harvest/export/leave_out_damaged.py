"""Leave out the images whose bytes in a shard are not those that the ledger has, before an export counts its images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.errors import StorageError
from harvest.export.place_image import read_image
from harvest.files.damaged_shard_images import DamagedShardImages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harvest.export.records import ExportImage


def leave_out_damaged(
    images: Sequence[ExportImage], tick: Callable[[int, int], None] | None
) -> tuple[list[ExportImage], DamagedShardImages]:
    """Return the images that are files or intact in their shard, and the others; those in shards are read."""
    damaged = DamagedShardImages()
    in_shards = sorted(
        (image for image in images if image.shard is not None), key=lambda image: (image.shard, image.offset)
    )
    for number, image in enumerate(in_shards, 1):
        try:
            read_image(image)
        except StorageError:
            damaged.add(image.shard or 0, f"{image.class_name}/{image.file_name}")
        if tick:
            tick(number, len(in_shards))
    if not damaged:
        return list(images), damaged
    return [image for image in images if f"{image.class_name}/{image.file_name}" not in damaged], damaged
