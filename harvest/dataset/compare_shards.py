"""Find the images that are gone with a shard that was deleted or shortened."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvest.files.shard_files import name_shard
from harvest.ledger import shard_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harvest.files.shard_files import Shards
    from harvest.ledger.database import Ledger

_SHOWN = 3


class LostImages(NamedTuple):
    """The images that one shard should contain, and does not."""

    shard: int
    pictures: Sequence[int]


def find_lost_images(ledger: Ledger, shards: Shards) -> list[LostImages]:
    """Return the images of each shard whose file is missing or too short; only the sizes of files are read."""
    lost = []
    for number, length in shard_table.list_shards(ledger):
        size = shards.size(number)
        if size < length and (pictures := shard_table.list_beyond(ledger, number, size)):
            lost.append(LostImages(number, pictures))
    return lost


def describe_lost_images(lost: Sequence[LostImages]) -> str:
    """Return how many images are gone, by shard, as `Changes.missing_files` has it.

    >>> describe_lost_images([LostImages(3, range(1200)), LostImages(4, [7])])
    'images in shards (1,200 from shard-000003.tar, 1 from shard-000004.tar) are gone'
    """
    each = [f"{len(pictures):,} from {name_shard(shard)}" for shard, pictures in lost[:_SHOWN]]
    more = f" and {len(lost) - _SHOWN} more shards" if len(lost) > _SHOWN else ""
    return f"images in shards ({', '.join(each)}{more}) are gone"
