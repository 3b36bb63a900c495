"""Unpack stored fingerprints, and convert those of the earlier version, which had fewer hashes and a smaller thumbnail.

Fingerprints of images on disk are computed again. Those of images that are gone, most of them rejected, can only be
converted: they find copies that were not cropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from harvest.duplicates.fingerprint import CONTENT, PACKED, SIDE, WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harvest.models import Fingerprint

    Fingerprints = NDArray[np.void]  # of `PACKED`

_EARLIER = np.dtype([("hashes", "<u8", 12), ("frame", "u1", 4), ("luma", "u1", (16, 16)), ("chroma", "u1", (2, 8, 8))])
_EARLIER_WHOLE, _EARLIER_INSIDE = 0, 1
_SAME_PARTS = {1: 2, 2: 3, 3: 4, 14: 7}  # hashes of `PARTS`, and the earlier ones of the same parts


def is_current(fingerprint: Fingerprint) -> bool:
    """Return whether a fingerprint was computed by this version."""
    return len(fingerprint.data) == PACKED.itemsize


def unpack(fingerprints: Sequence[Fingerprint]) -> Fingerprints:
    """Return fingerprints as records of `PACKED`; raise `ValueError` for one of unknown length."""
    current = [each.data if is_current(each) else _convert(each.data) for each in fingerprints]
    return np.frombuffer(b"".join(current), PACKED)


def _convert(data: bytes) -> bytes:
    if len(data) != _EARLIER.itemsize:
        raise ValueError(f"a fingerprint has {PACKED.itemsize} bytes, not {len(data)}")
    earlier = np.frombuffer(data, _EARLIER)[0]
    packed = np.zeros((), PACKED)
    hashes = np.full(CONTENT + 1, earlier["hashes"][_EARLIER_INSIDE])
    hashes[WHOLE] = earlier["hashes"][_EARLIER_WHOLE]
    for part, same in _SAME_PARTS.items():
        hashes[part] = earlier["hashes"][same]
    packed["hashes"] = hashes
    packed["frame"] = packed["bars"] = earlier["frame"]
    packed["detail"] = len(earlier["luma"])
    packed["luma"] = _enlarge(earlier["luma"], earlier["frame"], SIDE)
    packed["chroma"] = [_enlarge(channel, earlier["frame"], 8) for channel in earlier["chroma"]]
    return packed.tobytes()


def _enlarge(channel: NDArray[np.uint8], frame: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the part inside the frame, with more pixels."""
    left, top, right, bottom = np.minimum(frame / 255, 0.45) * len(channel)
    box = (left, top, len(channel) - right, len(channel) - bottom)
    return np.asarray(Image.fromarray(channel).resize((side, side), Image.Resampling.BILINEAR, box))
