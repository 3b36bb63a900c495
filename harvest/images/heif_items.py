"""Read the items of an ISO file (AVIF, HEIC): the kind and the bytes of each. Nothing is decoded.

An ambiguous file is refused, because the decoder might read it differently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvest.images import containers
from harvest.images.containers import BrokenContainer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.images.containers import Block

_MAX_EXTENTS = 10_000
_FILE, _IDAT = 0, 1  # where the bytes of an item are (its construction method)


class Item(NamedTuple):
    """One item: an image, a tile, a thumbnail, metadata."""

    kind: bytes  # "av01", "hvc1", "grid", "Exif" …
    data: bytes


def items(body: bytes) -> Iterator[Item]:
    """Yield the items of a file; raise `BrokenContainer` if their lists are damaged or ambiguous."""
    meta = _only(containers.boxes(body), b"meta")
    if meta is None:
        return
    boxes = list(containers.boxes(body, meta.content + 4, meta.end))
    info, location, idat = (_only(boxes, kind) for kind in (b"iinf", b"iloc", b"idat"))
    if info is None or location is None:
        return
    idat_data = body[idat.content : idat.end] if idat else b""
    kinds = dict(_kinds(body, info))
    bytes_left = 2 * len(body)  # overlapping items could turn a small file into a large amount of data
    for number, method, extents in _locations(body, location):
        if number not in kinds:
            continue
        if method not in (_FILE, _IDAT):
            raise BrokenContainer("an item consists of other items")
        source = body if method == _FILE else idat_data
        pieces = [source[start : start + length] for start, length in extents]
        bytes_left -= sum(map(len, pieces))
        if bytes_left < 0:
            raise BrokenContainer("its items overlap")
        yield Item(kinds[number], b"".join(pieces))


def properties(body: bytes, kind: bytes) -> list[bytes]:
    """Return the contents of all properties of one kind, whichever items they belong to."""
    meta = _only(containers.boxes(body), b"meta")
    found = []
    for outer in containers.boxes(body, meta.content + 4, meta.end) if meta else ():
        for inner in containers.boxes(body, outer.content, outer.end) if outer.kind == b"iprp" else ():
            if inner.kind == b"ipco":
                parts = containers.boxes(body, inner.content, inner.end)
                found += [body[part.content : part.end] for part in parts if part.kind == kind]
    return found


def _only(parts: Iterator[Block] | list[Block], kind: bytes) -> Block | None:
    found = [part for part in parts if part.kind == kind]
    if len(found) > 1:
        raise BrokenContainer(f"it has {len(found)} boxes {kind.decode('ascii')}")
    return found[0] if found else None


def _kinds(body: bytes, info: Block) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the kind of each item."""
    count_size = 2 if body[info.content] == 0 else 4
    for part in containers.boxes(body, info.content + 4 + count_size, info.end):
        if part.kind != b"infe":
            continue
        fields = _Fields(body[part.content : part.end])
        version = fields.number(1)
        if version not in (2, 3):
            raise BrokenContainer(f"an item of version {version}")
        fields.number(3)
        number = fields.number(2 if version == 2 else 4)  # noqa: PLR2004 - the version
        fields.number(2)
        yield number, fields.take(4)


def _locations(body: bytes, location: Block) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Yield for each item its number, its construction method, and the offset and length of each extent."""
    fields = _Fields(body[location.content : location.end])
    version = fields.number(4) >> 24
    sizes = fields.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version >= 2 else 2  # noqa: PLR2004 - the version
    seen: set[int] = set()
    extents = 0
    for _ in range(fields.number(wide)):
        number = fields.number(wide)
        method = fields.number(2) & 15 if version else _FILE
        if number in seen:
            raise BrokenContainer("an item has two locations")
        seen.add(number)
        fields.number(2)
        base = fields.number(base_size)
        pieces = []
        count = fields.number(2)
        extents += count
        if extents > _MAX_EXTENTS:
            raise BrokenContainer(f"more than {_MAX_EXTENTS} extents of items")
        for _ in range(count):
            fields.number(index_size if version else 0)
            offset, length = base + fields.number(offset_size), fields.number(length_size)
            pieces.append((offset, length or len(body)))
        yield number, method, pieces


class _Fields:
    """Reads fields of any number of bytes, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        data = self._data[self._at : self._at + size]
        if len(data) < size:
            raise BrokenContainer("it ends within a list of its items")
        self._at += size
        return data

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")
