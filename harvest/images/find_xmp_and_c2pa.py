"""Find the XMP and the Content Credentials (C2PA) of an image file, wherever its format puts them."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NamedTuple

from harvest.images import containers, heif_items
from harvest.images.containers import BrokenContainer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_XMP_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_IN_PNG = b"XML:com.adobe.xmp\0"
_XMP_IN_GIF = b"\x0bXMP DataXMP"
_C2PA_IN_ISO = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_PACKET_START, _PACKET_END = b"<x:xmpmeta", b"</x:xmpmeta>"
_LARGEST = 1 << 20  # bytes of XMP, or of Content Credentials, that are read; they rarely exceed 100 kB
_MOST_CHUNKS = 10_000  # of a WebP


class MetadataBlocks(NamedTuple):
    """The bytes of both; empty where the file has none."""

    xmp: bytes = b""
    c2pa: bytes = b""


def find_metadata(body: bytes, kind: str) -> MetadataBlocks:
    """Return the metadata of an image of a format, as Pillow names it; nothing from a file that is damaged there."""
    find = _FIND.get(kind)
    xmp = c2pa = b""
    try:
        for is_xmp, data in find(body) if find else ():
            if is_xmp:
                xmp = xmp or data[:_LARGEST]
            else:
                c2pa += data[: max(0, _LARGEST - len(c2pa))]
    except BrokenContainer:
        pass
    return MetadataBlocks(xmp, c2pa)


def _jpeg(body: bytes) -> Iterator[tuple[bool, bytes]]:
    seen: set[bytes] = set()
    for part in containers.segments(body):
        if part.kind == b"\xe1" and body.startswith(_XMP_IN_JPEG, part.content):
            yield True, body[part.content + len(_XMP_IN_JPEG) : part.end]
        elif part.kind == b"\xeb" and body.startswith(b"JP", part.content):
            # A box is spread over segments: "JP", its number, a sequence number, and in each the header of the box.
            number, start = body[part.content + 2 : part.content + 4], part.content + 8
            yield False, body[start + 8 if number in seen else start : part.end]
            seen.add(number)


def _png(body: bytes) -> Iterator[tuple[bool, bytes]]:
    for part in containers.chunks(body):
        if part.kind == b"caBX":
            yield False, body[part.content : part.end - 4]
        elif part.kind == b"iTXt" and body.startswith(_XMP_IN_PNG, part.content):
            flags, rest = part.content + len(_XMP_IN_PNG), part.content + len(_XMP_IN_PNG) + 2
            text = body[rest : part.end - 4].partition(b"\0")[2].partition(b"\0")[2]  # after the language and a keyword
            yield True, _decompress(text) if body[flags] else text


def _decompress(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _LARGEST)
    except zlib.error:
        return b""


def _webp(body: bytes) -> Iterator[tuple[bool, bytes]]:
    at = 12
    for _ in range(_MOST_CHUNKS):
        kind, size = body[at : at + 4], int.from_bytes(body[at + 4 : at + 8], "little")
        if len(kind) < len(b"XMP "):
            return
        if kind in (b"XMP ", b"C2PA"):
            yield kind == b"XMP ", body[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _gif(body: bytes) -> Iterator[tuple[bool, bytes]]:
    for part in containers.gif_parts(body):
        if part.kind == b"!\xff" and body.startswith(_XMP_IN_GIF, part.content):
            yield True, _cut_packet(body[part.content : part.end])


def _iso(body: bytes) -> Iterator[tuple[bool, bytes]]:
    for part in containers.boxes(body):
        if part.kind == b"uuid" and body.startswith(_C2PA_IN_ISO, part.content):
            # After the version: the purpose, which ends with a zero, and an offset of eight bytes.
            purpose, _, rest = body[part.content + 20 : part.end].partition(b"\0")
            if purpose == b"manifest":
                yield False, rest[8:]
    for item in heif_items.items(body):
        if item.kind == b"mime" and _PACKET_START in item.data:
            yield True, _cut_packet(item.data)


def _cut_packet(data: bytes) -> bytes:
    """Return the XMP between the bytes that a container puts around it."""
    start, end = data.find(_PACKET_START), data.find(_PACKET_END)
    return data[start : end + len(_PACKET_END)] if 0 <= start < end else b""


_FIND: dict[str, Callable[[bytes], Iterator[tuple[bool, bytes]]]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "GIF": _gif,
    "AVIF": _iso,
    "HEIF": _iso,
}
