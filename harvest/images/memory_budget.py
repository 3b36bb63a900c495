"""What decoding a picture takes, known from its header: huge ones share a budget, all others never wait."""

from __future__ import annotations

from harvest.images import headers
from harvest.images.allocation import AllocationTooLarge, check_allocation
from harvest.images.decode import decode_scale
from harvest.models import Refusal

__all__ = ["AllocationTooLarge", "check_allocation", "memory_needed"]

# Bytes a pixel at the worst, measured as growth of the process at 20 megapixels: with transparency a picture
# is there twice, stored and on white; WebP's decoder keeps two canvases of its own.
_A_PIXEL = {"PNG": 10.0, "GIF": 9.5, "BMP": 9.5, "WEBP": 17.5, "AVIF": 12.0, "HEIF": 12.0}
_JPEG = {1: 1.5, 3: 4.5, 4: 8.5}  # by components; CMYK is there once more as RGB
_COEFFICIENT = 2  # bytes each that a JPEG in passes keeps of every sample, however small it is decoded


def memory_needed(body: bytes, side: int = 0) -> int:
    """Tell how many bytes `develop` may take for a body, at the recipe's `side`, besides the body itself.

    A 50-MP PNG takes 500 MB, a JPEG of that size at 500 pixels 4. What is refused by its header takes none.
    """
    header = headers.read_header(body)
    if isinstance(header, Refusal):
        return 0
    if header.format != "JPEG":
        return len(body) + int(header.pixels * _A_PIXEL[header.format])
    decoded = header.pixels * _JPEG.get(header.planes, 8.5) / decode_scale(header, side) ** 2
    kept = header.pixels * header.planes * _COEFFICIENT if header.in_passes else 0
    return len(body) + int(decoded) + kept
