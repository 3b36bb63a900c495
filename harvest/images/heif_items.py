"""The items of an ISO file (AVIF, HEIC): what kind each is, and its bytes. Nothing is decoded.

A file that two readers could read in two ways is refused, since the decoder is one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvest.images import containers
from harvest.images.containers import BrokenContainer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.images.containers import Block

_MAX_EXTENTS = 10_000
_FILE, _IDAT = 0, 1  # where an item's bytes lie: construction methods


class Item(NamedTuple):
    """One item: an image, a tile, a thumbnail, metadata."""

    kind: bytes  # "av01", "hvc1", "grid", "Exif" …
    data: bytes


def items(body: bytes) -> Iterator[Item]:
    """Yield the items of a file; raise `Broken` where the lists of them are damaged or ambiguous."""
    meta = _only(containers.boxes(body), b"meta")
    if meta is None:
        return
    boxes = list(containers.boxes(body, meta.content + 4, meta.end))
    info, location, idat = (_only(boxes, kind) for kind in (b"iinf", b"iloc", b"idat"))
    if info is None or location is None:
        return
    within = body[idat.content : idat.end] if idat else b""
    kinds = dict(_kinds(body, info))
    room = 2 * len(body)  # items that overlap could make much of a small file
    for number, method, extents in _locations(body, location):
        if number not in kinds:
            continue
        if method not in (_FILE, _IDAT):
            raise BrokenContainer("an item is made of other items")
        source = body if method == _FILE else within
        pieces = [source[start : start + length] for start, length in extents]
        room -= sum(map(len, pieces))
        if room < 0:
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
    """Yield number and kind of each item."""
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
    """Yield for each item its number, where its bytes lie, and offset and length of each piece."""
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
            raise BrokenContainer("an item lies in two places")
        seen.add(number)
        fields.number(2)
        base = fields.number(base_size)
        pieces = []
        count = fields.number(2)
        extents += count
        if extents > _MAX_EXTENTS:
            raise BrokenContainer(f"more than {_MAX_EXTENTS} pieces of items")
        for _ in range(count):
            fields.number(index_size if version else 0)
            offset, length = base + fields.number(offset_size), fields.number(length_size)
            pieces.append((offset, length or len(body)))
        yield number, method, pieces


class _Fields:
    """Reads numbers of so many bytes, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise BrokenContainer("it ends within a list of its items")
        self._at += size
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")
