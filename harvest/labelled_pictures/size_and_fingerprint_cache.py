"""Decode each image once and cache its size and fingerprint by content.

Decoding 600 photographs takes 1.4 s of one core, hashing them 0.1 s, so a file whose content the cache or the ledger
knows is only hashed.
"""

from __future__ import annotations

import hashlib
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, Self

from harvest.duplicates.fingerprint import PACKED
from harvest.errors import StorageError
from harvest.images import inspect_image, limit_large_decodes, memory_needed
from harvest.images.detect_format import detect_format
from harvest.labelled_pictures import damage_safe_cache
from harvest.models import Fingerprint, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_FILE = "pictures.bin"
_HEAD = b"harvest pictures 2\n"  # change the number when fingerprints or sizes are computed differently
_RECORD = struct.Struct(f"<32sII{PACKED.itemsize}s")  # content, width, height, fingerprint

LONGEST_SIDE = (1 << 32) - 1  # pixels that a record can hold
_LARGEST = 256 << 20  # bytes of a file: more than an image of 50 megapixels has
_THREADS = min(8, os.cpu_count() or 1)
_BATCH = 256  # maximum number of futures at a time


class DecodedFile(NamedTuple):
    """An image that decodes: the SHA-256 of its content, its upright size and its fingerprint."""

    content: str
    size: tuple[int, int]
    fingerprint: Fingerprint


class DecodeCache:
    """Decodes images, except those whose content is in the cache file, or `known` from the ledger."""

    def __init__(
        self, folder: Path | None, say: Callable[[str], None], known: Mapping[str, DecodedFile] | None = None
    ) -> None:
        self._known = known or {}
        self._path = folder / _FILE if folder else None
        self._say = say
        self._new: dict[str, DecodedFile] = {}
        records = damage_safe_cache.read_cache(self._path, _HEAD)
        self._records = b"" if len(records) % _RECORD.size else records
        self._at = {self._records[start : start + 32]: start for start in range(0, len(self._records), _RECORD.size)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Save the results, also when interrupted."""
        self.save()

    def inspect(self, paths: Sequence[Path], tick: Callable[[int, int], None]) -> Iterator[DecodedFile | str]:
        """Yield the decoded file or the reason why it is skipped for each path, in order."""
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="decode") as pool:
            for start in range(0, len(paths), _BATCH):
                batch = paths[start : start + _BATCH]
                for done, result in enumerate(pool.map(self._inspect_file, batch), start + 1):
                    if isinstance(result, DecodedFile) and not self._is_stored(result.content):
                        self._new[result.content] = result
                    tick(done, len(paths))
                    yield result

    def _is_stored(self, content: str) -> bool:
        return content in self._known or bytes.fromhex(content) in self._at

    def _inspect_file(self, path: Path) -> DecodedFile | str:
        try:
            size = path.stat().st_size
            if size > _LARGEST:
                return f"it has {size >> 20:,} MB; the limit is {_LARGEST >> 20}"
            with limit_large_decodes(size):
                return self._fingerprint(path.read_bytes())
        except FileNotFoundError:
            return "it was deleted while the folders were read"
        except OSError as error:
            return f"it cannot be read: {error.strerror or error}"
        except MemoryError:
            return "decoding it needs more memory than is available"

    def _fingerprint(self, data: bytes) -> DecodedFile | str:
        if not data:
            return "it is empty"
        digest = hashlib.sha256(data)
        if (known := self._known.get(digest.hexdigest())) is not None and isinstance(detect_format(data), str):
            return known
        start = self._at.get(digest.digest())
        if start is not None:
            _, width, height, fingerprint = _RECORD.unpack_from(self._records, start)
            return DecodedFile(digest.hexdigest(), (width, height), Fingerprint(fingerprint))
        with limit_large_decodes(memory_needed(data)):
            inspected = inspect_image(data)
        if isinstance(inspected, Refusal):
            return inspected.detail or str(inspected.verdict)
        return DecodedFile(digest.hexdigest(), (inspected.width, inspected.height), inspected.fingerprint)

    def save(self) -> None:
        """Write the new results for the next run; a failure is reported, not raised."""
        if not self._path or not self._new:
            return
        body = self._records + b"".join(
            _RECORD.pack(bytes.fromhex(file.content), *file.size, file.fingerprint.data) for file in self._new.values()
        )
        try:
            damage_safe_cache.write_cache(self._path, _HEAD, body)
        except StorageError as error:
            self._say(f"the results cannot be cached, so the next run decodes every image again: {error.message}")
