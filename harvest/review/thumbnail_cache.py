"""Thumbnails on demand, in a cache outside the dataset: files named by the content hash of the image."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from harvest.images.thumbnail import make_thumbnail
from harvest.models import Refusal
from harvest.settings_folder import cache_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class ThumbnailCache:
    """Makes each thumbnail once; a cache that cannot be written is not an error."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or cache_file("thumbnails")

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
