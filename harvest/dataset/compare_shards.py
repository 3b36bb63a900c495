"""Find the images that are gone with a shard that was deleted or shortened, or whose bytes in it are damaged."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, NamedTuple

from harvest.counts_as_text import count
from harvest.dataset.read_shards import read_intact
from harvest.errors import StorageError
from harvest.files.shard_files import name_shard
from harvest.ledger import shard_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from harvest.files.shard_files import Shards
    from harvest.ledger.database import Ledger
    from harvest.ledger.picture_table import PictureTable

_SHOWN = 3


class LostImages(NamedTuple):
    """The images that one shard should contain, and does not; `damaged` if others are in their place."""

    shard: int
    pictures: Sequence[int]
    damaged: bool = False


def find_lost_images(ledger: Ledger, shards: Shards) -> list[LostImages]:
    """Return the images of each shard whose file is missing or too short; only the sizes of files are read."""
    lost = []
    for number, length in shard_table.list_shards(ledger):
        size = shards.size(number)
        if size < length and (pictures := shard_table.list_beyond(ledger, number, size)):
            lost.append(LostImages(number, pictures))
    return lost


def find_damaged_images(
    pictures: PictureTable, shards: Shards, lost: Sequence[LostImages], tick: Callable[[int, int], None]
) -> list[LostImages]:
    """Return the images whose bytes in a shard have another hash, besides those that are lost; all are read."""
    known = {picture for each in lost for picture in each.pictures}
    rows = [row for row in pictures.list_in_shards() if row.id not in known]
    damaged: dict[int, list[int]] = {}
    for number, row in enumerate(rows, 1):
        try:
            is_intact = read_intact(shards, row) is not None
        except StorageError:  # the disk cannot read this part
            is_intact = False
        if not is_intact:
            damaged.setdefault(row.shard or 0, []).append(row.id)
        tick(number, len(rows))
    return [LostImages(shard, pictures, damaged=True) for shard, pictures in damaged.items()]


def how_to_repair(root: Path) -> str:
    """Return what a person can do about damaged shards."""
    name = shlex.quote(os.fspath(root))
    return (
        f"Bring the shard back from a backup. Without one, this rejects its damaged images: harvest status {name}"
        f" --check-shards --accept-missing. After harvest restore {name} --last, the next run downloads them again."
    )


def describe_lost_images(lost: Sequence[LostImages]) -> str:
    """Return how many images are gone or damaged, by shard, as `Changes.missing_files` has it.

    >>> describe_lost_images([LostImages(3, range(1200)), LostImages(4, [7])])
    'images in shards (1,200 from shard-000003.tar, 1 from shard-000004.tar) are gone'
    >>> describe_lost_images([LostImages(3, [1]), LostImages(4, [7], damaged=True)])
    'images in shards (1 from shard-000003.tar) are gone, and images in shards (1 in shard-000004.tar) are damaged'
    """
    gone = _list_shards([each for each in lost if not each.damaged], "from")
    damaged = _list_shards([each for each in lost if each.damaged], "in")
    parts = [f"images in shards ({gone}) are gone"] if gone else []
    parts += [f"images in shards ({damaged}) are damaged"] if damaged else []
    return ", and ".join(parts)


def _list_shards(lost: Sequence[LostImages], preposition: str) -> str:
    each = [f"{len(pictures):,} {preposition} {name_shard(shard)}" for shard, pictures, _ in lost[:_SHOWN]]
    more = len(lost) - _SHOWN
    return ", ".join(each) + (f" and {count(more, 'more shard')}" if more > 0 else "")
