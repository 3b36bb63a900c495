"""Which pictures of an album look the same, found once: of 50,000 it takes half a minute to know."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from harvest.duplicates import index
from harvest.errors import StorageError
from harvest.training.pictures import cache_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from harvest.training.pictures.decode_cache import DecodedFile

_HEAD = b"harvest twins 1\n"  # another number when twins are told in another way
_PAIR = np.dtype("<i8")


def find_duplicate_pairs(sights: Sequence[DecodedFile], folder: Path | None) -> NDArray[np.int64]:
    """Return pairs of places of pictures that look the same; `folder` remembers those of the last album."""
    path = folder / "twins.bin" if folder else None
    head = _HEAD + hashlib.sha256("".join(sight.content for sight in sights).encode()).digest()
    body = cache_file.read_cache(path, head)
    if body:
        return np.frombuffer(body[1:], _PAIR).reshape(-1, 2).astype(np.int64)
    pairs = index.find_duplicates([sight.fingerprint for sight in sights])
    if path:
        with suppress(StorageError):  # which has been said of the looks, and finding twins takes less
            cache_file.write_cache(path, head, b"\n" + pairs.astype(_PAIR).tobytes())
    return pairs
