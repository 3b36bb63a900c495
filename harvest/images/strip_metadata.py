"""Remove the metadata of an image, so that the decoder reads only the bytes of its pixels.

This removes thumbnails, texts, later frames and anything appended to the image, and so avoids the decoder's
metadata parsers, which have been attacked. The orientation and the colour profile are read first.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING, NamedTuple

from harvest.images import containers
from harvest.images.containers import BrokenContainer

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_PROFILE = 4 << 20  # press profiles are the largest, at most 2.7 MB
_JPEG_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xC0, 0xC1, 0xC2, 0xC9, 0xCA, 0xDA})
_EXIF = b"Exif\0\0"
_ICC = b"ICC_PROFILE\0"
_PNG_COLOUR_TYPE, _PNG_PALETTE = 25, 3  # the offset of the colour type in the file; the type of an image with a palette
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})


class StrippedImage(NamedTuple):
    """The bytes to decode, and the metadata that is used.

    `coded` is the SHA-256 of the coded pixels of a JPEG: it does not depend on its metadata.
    """

    data: bytes
    exif: bytes = b""
    icc: bytes = b""
    coded: bytes | None = None


def strip_metadata(body: bytes, kind: str) -> StrippedImage:
    """Return an image without its metadata; raise `BrokenContainer` if the container is damaged."""
    strip_one = _STRIP.get(kind)
    return strip_one(body) if strip_one else StrippedImage(body)


def _jpeg(body: bytes) -> StrippedImage:
    kept, exif, end = [b"\xff\xd8"], b"", 0
    profile: dict[int, bytes] = {}
    for part in containers.segments(body):
        content = body[part.content : part.end]
        if part.kind[0] in _JPEG_TABLES:
            kept.append(body[part.start : part.end])
            end = part.end
        elif part.kind == b"\xe0" and content.startswith(b"JFIF"):
            kept.append(body[part.start : part.end])
        elif part.kind == b"\xe1" and content.startswith(_EXIF):
            exif = exif or content[len(_EXIF) :]
        elif part.kind == b"\xe2" and content.startswith(_ICC) and len(content) > len(_ICC) + 2:
            profile[content[len(_ICC)]] = content[len(_ICC) + 2 :]
        elif part.kind == b"\xee" and content.startswith(b"Adobe"):
            kept.append(body[part.start : part.end])
    last = body.rfind(b"\xff\xd9", end)
    scans = memoryview(body)[end : last + 2 if last >= 0 else len(body)]
    coded = hashlib.sha256(b"".join(piece for piece in kept if not piece.startswith(b"\xff\xe0")))
    coded.update(scans)
    icc = b"".join(profile[number] for number in sorted(profile))
    return StrippedImage(b"".join((*kept, scans)), exif, icc, coded.digest())


def _png(body: bytes) -> StrippedImage:
    view, exif, icc = memoryview(body), b"", b""
    kept: list[bytes | memoryview] = [body[:8]]
    has_palette = body[_PNG_COLOUR_TYPE] != _PNG_PALETTE
    for part in containers.chunks(body):
        has_palette = has_palette or part.kind == b"PLTE"
        if part.kind == b"IDAT" and not has_palette:
            raise BrokenContainer("it has no palette")
        if part.kind in _PNG_KEPT:
            # Pillow does not check the checksum of pixels.
            if zlib.crc32(view[part.start + 4 : part.end - 4]) != int.from_bytes(view[part.end - 4 : part.end]):
                raise BrokenContainer(f"the checksum of its {part.kind.decode('ascii')} is wrong")
            kept.append(view[part.start : part.end])
        elif part.kind == b"eXIf":
            exif = body[part.content : part.end - 4]
        elif part.kind == b"iCCP":
            icc = _decompress_profile(body[part.content : part.end - 4].partition(b"\0")[2][1:])
    return StrippedImage(b"".join(kept), exif, icc)


def _decompress_profile(profile: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(profile, _MOST_PROFILE)
    except zlib.error:
        return b""


def _gif(body: bytes) -> StrippedImage:
    head, control, frame = b"", b"", 0
    for part in containers.gif_parts(body):
        if part.kind == b"GIF":
            head = body[: part.end]
        elif part.kind == b"!\xf9":  # the transparency of the next frame
            control = body[part.start : part.end]
        elif part.kind == b",":
            frame = part.start
    return StrippedImage(head + control + body[frame:])


def _iso(body: bytes) -> StrippedImage:
    """Hide the EXIF of an AVIF or HEIC by renaming its item: its properties give the orientation.

    Hide the tracks of an animation too: the decoder would prefer their frames, of any size, to the image.
    """
    pieces = []
    for part in containers.boxes(body):
        piece = body[part.start : part.end]
        if part.kind == b"meta":
            piece = piece.replace(b"Exif", b"skip")
        elif part.kind == b"ftyp":
            piece = piece.replace(b"avis", b"avif").replace(b"hevc", b"heic").replace(b"msf1", b"mif1")
        elif part.kind == b"moov":
            piece = piece.replace(b"moov", b"free", 1)
        pieces.append(piece)
    return StrippedImage(b"".join(pieces))


_STRIP: dict[str, Callable[[bytes], StrippedImage]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "AVIF": _iso,
    "HEIF": _iso,
}
