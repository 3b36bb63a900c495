"""The shards of a dataset: tar files of images in the WebDataset form, directly in its folder.

A shard is written at its end alone. While it is written its name ends in `.part`; a process that was killed may leave
an incomplete sample behind the length in the ledger, which the next writer overwrites.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from harvest.files import disk
from harvest.files.tar_members import END

if TYPE_CHECKING:
    from pathlib import Path


class ShardPlace(NamedTuple):
    """Where the bytes of an image are: the number of a shard, and the offset and length of the image in it."""

    shard: int
    offset: int
    length: int


def name_shard(number: int) -> str:
    """Return the file name of a complete shard."""
    return f"shard-{number:06d}.tar"


class Shards:
    """The shards in the folder of one dataset."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, number: int) -> Path | None:
        """Return the path of a shard, under whichever of its two names it has, or `None` if it is missing."""
        complete, part = self._paths(number)
        # The first name again: another process may have renamed the file in between.
        return next((path for path in (complete, part, complete) if path.is_file()), None)

    def is_taken(self, number: int) -> bool:
        """Return whether anything has a name of a shard, also a folder or a broken link."""
        return any(os.path.lexists(path) for path in self._paths(number))

    def _paths(self, number: int) -> tuple[Path, Path]:
        complete = self._root / name_shard(number)
        return complete, complete.with_name(f"{complete.name}.part")

    def size(self, number: int) -> int:
        """Return the size of a shard's file in bytes; 0 if it is missing."""
        while (path := self.path(number)) is not None:
            with disk.read_errors_named(path), suppress(FileNotFoundError):  # renamed since
                return path.lstat().st_size
        return 0

    def read(self, place: ShardPlace, content: str) -> bytes | None:
        """Return the bytes of an image, or `None` if the shard does not have those with the SHA-256 `content`."""
        while (path := self.path(place.shard)) is not None:
            with disk.read_errors_named(path), suppress(FileNotFoundError), disk.open_to_read(path) as file:
                file.seek(place.offset)
                data = file.read(place.length)
                return data if hashlib.sha256(data).hexdigest() == content else None
        return None

    def append(self, number: int, length: int, data: bytes) -> None:
        """Write data behind the first `length` bytes of a shard, in place of whatever is there, and flush it."""
        complete, part = self._paths(number)
        with disk.write_errors_named(part):
            if complete.exists():
                disk.replace(complete, part)
            is_new = not part.exists()
            disk.write_at(part, length, data)
            if is_new:
                disk.sync_folder(self._root)

    def finish(self, number: int, length: int) -> None:
        """End a shard and give it its name without `.part`; do nothing if it is complete or missing."""
        complete, part = self._paths(number)
        if not part.is_file():
            return
        with disk.write_errors_named(part):
            disk.write_at(part, length, END)
            disk.replace(part, complete)
            disk.sync_folder(self._root)
