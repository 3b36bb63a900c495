"""Decode an image at a small size, with the same checks and limits as for a download."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.images import headers
from harvest.images.decode import decode
from harvest.images.memory_budget import limit_large_decodes, memory_needed
from harvest.models import Refusal

if TYPE_CHECKING:
    from PIL import Image


def decode_small(body: bytes, side: int) -> Image.Image | Refusal:
    """Return an image with a longest side of at most `side` pixels, or why it cannot be decoded."""
    header = headers.read_header(body)
    if isinstance(header, Refusal):
        return header
    with limit_large_decodes(memory_needed(body, side)):
        decoded = decode(body, header, side)
        return decoded if isinstance(decoded, Refusal) else decoded.resized(side)
