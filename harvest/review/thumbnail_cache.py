"""Thumbnails on demand, in a cache outside the dataset: files named by the content hash of the image.

The cache has a size limit. Several servers may use it: each counts only what it writes itself, lists the folder now and
then, and removes the oldest files. A thumbnail that another server has removed is made again.
"""

from __future__ import annotations

import os
import secrets
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from harvest.images.thumbnail import make_thumbnail
from harvest.models import Refusal
from harvest.settings_and_cache_files import cache_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MOST_BYTES = 1 << 30  # about 100,000 thumbnails
_CHECKS = 16  # the folder is listed whenever this part of the limit was written: 50,000 files take 0.3 s
_STAYS = 0.9  # of the limit, after the oldest files were removed


class ThumbnailCache:
    """Makes each thumbnail once; a cache that cannot be written is not an error."""

    def __init__(self, folder: Path | None = None, most: int = MOST_BYTES) -> None:
        self._folder = folder or cache_file("thumbnails")
        self._most = most
        self._lock = threading.Lock()
        # At random, so that many servers that write little each check the limit as often as one that writes much.
        self._unchecked = secrets.randbelow(most // _CHECKS)

    def get(self, content: str, read: Callable[[], bytes | None]) -> bytes | Refusal | None:
        """Return the thumbnail of an image with this content hash, which `read` reads if there is none yet."""
        path = self._folder / content[:2] / f"{content}.jpg"
        with suppress(OSError):
            return path.read_bytes()
        body = read()
        if body is None:
            return None
        made = make_thumbnail(body)
        if not isinstance(made, Refusal):
            self._write(path, made)
        return made

    def _write(self, path: Path, data: bytes) -> None:
        part = path.with_name(f".{path.stem}-{secrets.token_hex(4)}")
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_bytes(data)
            os.replace(part, path)  # noqa: PTH105 - a reader sees a whole thumbnail or none
            if self._is_check_due(len(data)):
                self._remove_oldest()

    def _is_check_due(self, written: int) -> bool:
        with self._lock:
            self._unchecked += written
            is_due = self._unchecked >= self._most // _CHECKS
            if is_due:
                self._unchecked = 0
        return is_due

    def _remove_oldest(self) -> None:
        """Remove the oldest files, also what a killed server left, if the cache is too large."""
        files = sorted(self._list_files())
        total = sum(size for _, size, _ in files)
        if total <= self._most:
            return
        for _, size, path in files:
            if total <= _STAYS * self._most:
                break
            total -= size  # also if another server was faster
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - `path` is a string, as there may be 100,000

    def _list_files(self) -> Iterator[tuple[int, int, str]]:
        """Yield the modification time, the size and the path of each file; one that disappears is left out."""
        with os.scandir(self._folder) as folders:
            for folder in folders:
                with suppress(OSError), os.scandir(folder) as entries:
                    for entry in entries:
                        with suppress(OSError):
                            about = entry.stat(follow_symlinks=False)
                            yield about.st_mtime_ns, about.st_size, entry.path
