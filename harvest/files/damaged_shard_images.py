"""The images whose bytes in a shard are not those that were written, by shard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.counts_as_text import count_images
from harvest.files.shard_files import name_shard

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN = 3


class DamagedShardImages:
    """Collects the damaged images that a command comes across; each counts once. Any thread may add one."""

    def __init__(self) -> None:
        self._by_shard: dict[int, dict[str, None]] = {}

    def add(self, shard: int, image: str) -> None:
        """Add an image by its class and name."""
        self._by_shard.setdefault(shard, {})[image] = None

    def __len__(self) -> int:
        return sum(map(len, self._by_shard.values()))

    def __contains__(self, image: str) -> bool:
        return any(image in images for images in self._by_shard.values())

    def describe(self) -> list[str]:
        r"""Return a sentence for each shard, with the first images of it.

        >>> damaged = DamagedShardImages()
        >>> for number in range(1200): damaged.add(3, f"king/{number}.jpg")
        >>> damaged.add(4, "king/a.jpg")
        >>> print("\n".join(damaged.describe()))
        shard-000003.tar is damaged in 1,200 images: king/0.jpg, king/1.jpg, king/2.jpg and 1,197 more
        shard-000004.tar is damaged in 1 image: king/a.jpg
        """
        return list(self._sentences())

    def _sentences(self) -> Iterator[str]:
        for shard, images in sorted(self._by_shard.items()):
            more = f" and {len(images) - _SHOWN:,} more" if len(images) > _SHOWN else ""
            shown = ", ".join([*images][:_SHOWN])
            yield f"{name_shard(shard)} is damaged in {count_images(len(images))}: {shown}{more}"
