"""Iterate over the parts of image files without decoding anything. Every iteration is limited.

The limits are here because the decoder has none. Measured with Pillow 13: 5 MB of tiny Exif segments take
4 s and grow with their square, 20 MB of GIF comments take 900 MB of memory, and 25 MB of empty progressive
scans would take three hours.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_SEGMENTS = 2_000  # a JPEG has about ten; a large ICC profile or XMP adds up to 255 each
_MOST_CHUNKS = 100_000  # a 25-MB PNG in the usual 8-kB chunks has 3,200
_MOST_BLOCKS = 10_000  # before a GIF's first frame: 2.5 MB of comments
_MOST_BOXES = 1_000

SOS = 0xDA
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})  # TEM, RST0-7, SOI
_EOI = 0xD9
_MARKER = re.compile(rb"\xff[\x01-\xfe]")


class BrokenContainer(ValueError):
    """The container is damaged, or not what its first bytes announce. The message says how."""


class Block(NamedTuple):
    """A segment, chunk or box: its kind, and the offsets of its start, its content and its end."""

    kind: bytes
    start: int
    content: int
    end: int


def segments(body: bytes) -> Iterator[Block]:
    """Yield the segments of a JPEG, up to and including the header of its first scan."""
    at = 2
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(body, at)
        if found is None or body[found.start() + 1] == _EOI:
            raise BrokenContainer("it ends before its first scan")
        start, kind = found.start(), body[found.start() + 1]
        at = start + 2
        if kind in _WITHOUT_LENGTH:
            continue
        length = int.from_bytes(body[at : at + 2], "big")
        if length < 2 or at + length > len(body):  # noqa: PLR2004 - the length counts its own two bytes
            raise BrokenContainer("it ends within its header")
        yield Block(bytes([kind]), start, at + 2, at + length)
        if kind == SOS:
            return
        at += length
    raise BrokenContainer(f"more than {_MOST_SEGMENTS} segments before the first scan")


def chunks(body: bytes) -> Iterator[Block]:
    """Yield the chunks of a PNG; those of an animation only up to its second frame.

    A chunk's `end` includes its checksum, the last four bytes.
    """
    at, data_seen = 8, False
    for _ in range(_MOST_CHUNKS):
        length = int.from_bytes(body[at : at + 4], "big")
        kind = body[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(body):
            raise BrokenContainer("it ends within a chunk")
        if data_seen and kind == b"fcTL":
            return
        yield Block(kind, at, at + 8, end)
        if kind == b"IEND":
            return
        data_seen = data_seen or kind == b"IDAT"
        at = end
    raise BrokenContainer(f"more than {_MOST_CHUNKS} chunks")


def gif_parts(body: bytes) -> Iterator[Block]:
    """Yield the header of a GIF with its palette, its extensions, and the descriptor of its first frame."""
    at = 13 + _palette_size(body, 10)
    yield Block(b"GIF", 0, 6, at)
    blocks = 0
    while True:
        start, kind = at, body[at : at + 1]
        if kind == b",":
            if start + 10 > len(body):
                raise BrokenContainer("it ends within its first frame")
            yield Block(kind, start, start + 1, start + 10)
            return
        if kind != b"!":
            raise BrokenContainer("it has no frame")
        at += 2
        while at < len(body) and body[at]:
            at += 1 + body[at]
            blocks += 1
            if blocks > _MOST_BLOCKS:
                raise BrokenContainer(f"more than {_MOST_BLOCKS} blocks before the first frame")
        at += 1
        yield Block(body[start : start + 2], start, start + 2, min(at, len(body)))


def _palette_size(body: bytes, at: int) -> int:
    """Return the size in bytes of the palette that the flags at offset `at` announce."""
    flags = body[at] if at < len(body) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def boxes(body: bytes, start: int = 0, end: int | None = None) -> Iterator[Block]:
    """Yield the boxes of an ISO file (AVIF, HEIC) that lie between two offsets."""
    at, end = start, len(body) if end is None else end
    for _ in range(_MOST_BOXES):
        if at + 8 > end:
            return
        size, content = int.from_bytes(body[at : at + 4], "big"), at + 8
        if size == 1:
            size, content = int.from_bytes(body[at + 8 : at + 16], "big"), at + 16
        elif size == 0:
            size = end - at
        if at + size > end or at + size < content:
            raise BrokenContainer("it ends within a box")
        yield Block(body[at + 4 : at + 8], at, content, at + size)
        at += size
    raise BrokenContainer(f"more than {_MOST_BOXES} boxes")
