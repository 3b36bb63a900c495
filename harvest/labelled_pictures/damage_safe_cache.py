"""Read and write a cache file; a damaged one is treated as missing."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from harvest.files import disk

if TYPE_CHECKING:
    from pathlib import Path

_SUM = hashlib.sha256().digest_size


def read_cache(path: Path | None, head: bytes) -> bytes:
    """Return the body written with this header; empty if the file is missing, damaged or of another kind."""
    try:
        data = path.read_bytes() if path and path.is_file() else b""
    except OSError:
        return b""
    body = data[len(head) + _SUM :]
    return body if data.startswith(head + hashlib.sha256(body).digest()) else b""


def write_cache(path: Path, head: bytes, body: bytes) -> None:
    """Write a body with its header and checksum, creating the folder."""
    with disk.write_errors_named(path.parent):
        disk.make_folder(path.parent)
    disk.write_atomically(path, head + hashlib.sha256(body).digest() + body)
