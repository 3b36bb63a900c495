"""The one limit on the pixels that a decode, a resize or a crop may allocate."""

from __future__ import annotations

from harvest.images.headers import MOST_PIXELS
from harvest.models import Refusal
from harvest.verdicts import Verdict

# The largest image that is decoded, with transparency. A resize or a crop has no reason to make a larger one.
MAX_BYTES = MOST_PIXELS * 4


class AllocationTooLarge(Exception):
    """An image operation asks for more memory than `MAX_BYTES`; `refusal` is the verdict on its image."""

    @property
    def refusal(self) -> Refusal:
        """The same as a verdict."""
        return Refusal(Verdict.TOO_MANY_PIXELS, str(self))


def check_allocation(width: float, height: float, channels: int = 3) -> None:
    """Raise `AllocationTooLarge` if an 8-bit image of this size is larger than any image may be.

    Call it before a decode, a resize or a crop whose size follows from a file.

    >>> check_allocation(10_000, 5_000, 4)
    >>> check_allocation(256, 16_777_216)
    Traceback (most recent call last):
    harvest.images.allocation.AllocationTooLarge: 256 x 16777216 pixels take 12,885 MB; the limit is 200
    """
    size = width * height * channels
    if size > MAX_BYTES:
        pixels = f"{width:.0f} x {height:.0f} pixels"
        raise AllocationTooLarge(f"{pixels} take {size / 1e6:,.0f} MB; the limit is {MAX_BYTES / 1e6:.0f}")
