"""A file of the cache: whole, or as if it had never been."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from harvest.files import disk

if TYPE_CHECKING:
    from pathlib import Path

_SUM = hashlib.sha256().digest_size


def read(path: Path | None, head: bytes) -> bytes:
    """Return what was written under a head; nothing where that is gone, damaged or of another kind."""
    try:
        data = path.read_bytes() if path and path.is_file() else b""
    except OSError:
        return b""
    body = data[len(head) + _SUM :]
    return body if data.startswith(head + hashlib.sha256(body).digest()) else b""


def write(path: Path, head: bytes, body: bytes) -> None:
    """Write a body for the next run."""
    with disk.named(path.parent):
        disk.make_folder(path.parent)
    disk.rewrite(path, head + hashlib.sha256(body).digest() + body)
