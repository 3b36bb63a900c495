"""Write images into shards, so that a kill at any moment loses nothing and doubles nothing.

The ledger has the length of each shard. Samples are written behind it and flushed; then one transaction records the
images, their verdicts and the new length. What a kill leaves behind the recorded length is overwritten.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harvest.dataset.read_shards import read_intact
from harvest.files.shard_files import ShardPlace
from harvest.files.tar_members import BLOCK, END, encode_member, padded_size
from harvest.ledger import shard_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harvest.files.shard_files import Shards
    from harvest.ledger.database import Ledger
    from harvest.ledger.picture_table import PictureRow
    from harvest.models import Picture, Task

DEFAULT_SIZE = 256 << 20  # bytes of a shard


class ShardSample(NamedTuple):
    """An image and its metadata, as they are in a shard: two members with one key."""

    metadata: bytes
    image: bytes

    @property
    def size(self) -> int:
        """The number of bytes that it takes in a shard, whatever its key."""
        return padded_size(len(self.metadata)) + padded_size(len(self.image))

    def encode(self, name: str) -> bytes:
        """Return its members, with the key that the file name of the image gives."""
        key = name.removesuffix(".jpg")
        return encode_member(f"{key}.json", self.metadata) + encode_member(f"{key}.jpg", self.image)


class ShardWriter:
    """Writes samples at the end of the last shard of a dataset, and begins the next where it is full."""

    most = DEFAULT_SIZE  # bytes of a shard

    def __init__(self, ledger: Ledger, shards: Shards) -> None:
        self._ledger = ledger
        self._shards = shards

    def find_room(self, sizes: Sequence[int]) -> tuple[shard_table.ShardRow, int]:
        """Return a shard that is not full, and how many samples of these sizes it takes: one at least."""
        shard = shard_table.last_shard(self._ledger)
        if shard is None or not self._has_room(shard, sizes[0]):
            if shard is not None:
                self._shards.finish(*shard)
            shard = self._begin_shard(shard)
        taken, end = 0, shard.length
        while taken < len(sizes) and (not end or self._fits(end + sizes[taken])):
            end += sizes[taken]
            taken += 1
        return shard, taken

    def _has_room(self, shard: shard_table.ShardRow, size: int) -> bool:
        """Return whether a shard takes another sample; one that a person deleted or shortened does not."""
        has_room = not shard.length or self._fits(shard.length + size)
        return has_room and self._shards.size(shard.number) >= shard.length

    def _fits(self, length: int) -> bool:
        return length + len(END) <= self.most

    def _begin_shard(self, last: shard_table.ShardRow | None) -> shard_table.ShardRow:
        number = 0 if last is None else last.number + 1
        while self._shards.is_taken(number):  # not ours: the ledger would know it
            number += 1
        with self._ledger.transaction():
            shard_table.begin_shard(self._ledger, number)
        return shard_table.ShardRow(number, 0)

    def append(self, shard: shard_table.ShardRow, samples: Sequence[tuple[str, ShardSample]]) -> list[ShardPlace]:
        """Write samples with their names, in the transaction that records their images; return where each image is."""
        places, end = [], shard.length
        for _, sample in samples:
            end += sample.size
            start = end - padded_size(len(sample.image)) + BLOCK
            places.append(ShardPlace(shard.number, start, len(sample.image)))
        data = b"".join(sample.encode(name) for name, sample in samples)
        self._shards.append(shard.number, shard.length, data)
        shard_table.record_length(self._ledger, shard.number, end)
        return places

    def is_intact(self, row: PictureRow) -> bool:
        """Return whether the bytes of an image are those that were written."""
        return read_intact(self._shards, row) is not None

    def finish(self) -> None:
        """Make the last shard a complete tar file; a later run continues it until it is full."""
        shard = shard_table.last_shard(self._ledger)
        if shard is not None:
            self._shards.finish(*shard)


def make_sample(task: Task, picture: Picture) -> ShardSample:
    """Return the sample of a picture."""
    return ShardSample(json.dumps(_describe(task, picture)).encode(), picture.data)


def _describe(task: Task, picture: Picture) -> dict[str, Any]:
    """Return the metadata of a sample, under the names that exports use."""
    hit = task.hit
    return {
        "class": task.class_name,
        "width": picture.width,
        "height": picture.height,
        "sha256": picture.content,
        "provider": hit.provider,
        "image_url": hit.url,
        "page_url": hit.page or "",
        "title": hit.title or "",
        "author": hit.author or "",
        "author_url": hit.author_url or "",
        "license": hit.licence.spdx,
        "license_url": hit.licence.url or "",
        "license_evidence": hit.licence.evidence.value,
        "original_width": picture.original_width,
        "original_height": picture.original_height,
        "original_sha256": picture.body,
    }
