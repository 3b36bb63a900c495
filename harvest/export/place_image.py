"""Bring an image into an export: as a hard link, a copy or bytes, and always with the recorded content."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from harvest.errors import StorageError
from harvest.files import disk

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.export.records import ExportImage

_AGAIN = "Nothing was exported. Run the same command again."


def place_image(image: ExportImage, target: Path) -> None:
    """Make a hard link to an image, or a copy on another disk or from a shard, and its folder.

    Links are not followed. A file whose content is not the recorded one raises `StorageError`.
    """
    if image.offset is not None:
        data = read_image(image)
        with disk.write_errors_named(target):
            disk.make_folder(target.parent)
            disk.write(target, data)
        return
    with disk.write_errors_named(target):
        disk.make_folder(target.parent)
        if os.path.lexists(target):
            raise FileExistsError(17, "a file of this name exists", str(target))
        try:
            disk.link(image.path, target, flush=False)
        except OSError as error:
            if not os.path.isfile(image.path):  # noqa: PTH113 - pathlib raises on long names
                raise _unreadable(image, error) from error
            raise
    try:
        with disk.open_to_read(target) as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(image, error) from error
    _check_content(image, content)


def read_image(image: ExportImage) -> bytes:
    """Return the bytes of an image, under the same conditions."""
    try:
        data = read_start(image, -1)
    except OSError as error:
        raise _unreadable(image, error) from error
    _check_content(image, hashlib.sha256(data).hexdigest())
    return data


def read_start(image: ExportImage, most: int) -> bytes:
    """Return at most so many of the first bytes of an image, or all with -1; raise `OSError` if it cannot be read."""
    with disk.open_to_read(image.path) as file:
        if image.offset is None:
            return file.read(most)
        file.seek(image.offset)
        return file.read(image.bytes if most < 0 else min(most, image.bytes))


def _check_content(image: ExportImage, content: str) -> None:
    if content != image.content:
        raise StorageError(f"{image.path} changed while it was exported.", _AGAIN)


def _unreadable(image: ExportImage, error: OSError) -> StorageError:
    if not os.path.lexists(image.path):
        return StorageError(f"{image.path} was deleted while the dataset was exported.", _AGAIN)
    if disk.is_link(image.path):
        return StorageError(f"{image.path} was replaced by a link, which is not followed.", _AGAIN)
    return StorageError(f"cannot read {image.path}: {error.strerror or error}", "Nothing was exported. Check the disk.")
