"""Read images from the shards of a dataset, each compared with the hash that the ledger has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.files.damaged_shard_images import DamagedShardImages
from harvest.files.ledger_names_to_paths import Area
from harvest.files.shard_files import ShardPlace

if TYPE_CHECKING:
    from harvest.files.ledger_names_to_paths import FileKey
    from harvest.files.shard_files import Shards
    from harvest.ledger.picture_table import PictureRow, PictureTable


class ShardReader:
    """Reads images by their class and name; `damaged` are those that were not as they were written."""

    def __init__(self, pictures: PictureTable, shards: Shards) -> None:
        self._pictures = pictures
        self._shards = shards
        self.damaged = DamagedShardImages()

    def has(self, spot: FileKey) -> bool:
        """Return whether the ledger has an image in a shard."""
        return self._find(spot) is not None

    def read(self, spot: FileKey, most: int) -> bytes | None:
        """Return the bytes of an image, or `None` if it is not in a shard, damaged, or larger than `most` bytes."""
        row = self._find(spot)
        if row is None or row.size is None or row.size > most:
            return None
        data = read_intact(self._shards, row)
        if data is None:
            self.damaged.add(row.shard or 0, f"{row.class_name}/{row.name}")
        return data

    def _find(self, spot: FileKey) -> PictureRow | None:
        return self._pictures.find_in_shards(spot.class_name, spot.name, is_rejected=spot.area is Area.REJECTED)


def read_intact(shards: Shards, row: PictureRow) -> bytes | None:
    """Return the bytes of an image in a shard, or `None` if they are not those that were written."""
    if row.shard is None or row.shard_offset is None or row.size is None:
        return None
    return shards.read(ShardPlace(row.shard, row.shard_offset, row.size), row.content)
