"""Read the images of a dataset by their paths: most are files, others are in shards."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from harvest.errors import StorageError
from harvest.files.shard_files import Shards

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harvest.files.shard_files import ShardPlace


class ImageInShard(NamedTuple):
    """Where an image is that has no file, and the SHA-256 of its bytes."""

    place: ShardPlace
    content: str


@dataclass(frozen=True, slots=True)
class ImageReader:
    """Reads images by their paths relative to the dataset folder, with slashes; it can be pickled."""

    root: Path
    in_shards: Mapping[str, ImageInShard] = field(default_factory=dict, repr=False)  # by path

    def file(self, path: str) -> Path:
        """Return the path of an image's file."""
        return self.root / path

    def read(self, path: str) -> bytes | None:
        """Return the bytes of an image, or `None` if it is missing, unreadable, or damaged in its shard."""
        if (found := self.in_shards.get(path)) is not None:
            with suppress(StorageError):
                return Shards(self.root).read(found.place, found.content)
            return None
        with suppress(OSError, ValueError):  # ValueError: a NUL in the path
            return self.file(path).read_bytes()
        return None
