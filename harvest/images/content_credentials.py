"""Read assertions of Content Credentials (C2PA): JUMBF boxes with CBOR or JSON in them.

No signature is checked: a forged assertion that is read here can only have an image refused or marked.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harvest.images import containers
from harvest.images.cbor import BrokenCbor, decode_cbor
from harvest.images.containers import BrokenContainer

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_DEPTH = 8  # store, manifest, assertions, assertion; an ingredient adds none
_MOST_BOXES = 5_000
_HEADER = 17  # bytes of a description before its label: a UUID, and the flags


class Assertion(NamedTuple):
    """One assertion: its label, such as `c2pa.actions.v2`, and its decoded content."""

    label: str
    data: dict[str, Any]


def read_assertions(store: bytes, prefixes: tuple[str, ...]) -> Iterator[Assertion]:
    """Yield the assertions whose label begins with one of the prefixes, as far as the store can be read."""
    reader = _Reader(store, prefixes)
    try:
        yield from reader.read(0, len(store), "", 0)
    except BrokenContainer:
        return


class _Reader:
    def __init__(self, store: bytes, prefixes: tuple[str, ...]) -> None:
        self._store = store
        self._prefixes = prefixes
        self._boxes = 0

    def read(self, start: int, end: int, label: str, depth: int) -> Iterator[Assertion]:
        """Yield the assertions between two offsets, which are within the box of a label."""
        for box in containers.boxes(self._store, start, end):
            self._boxes += 1
            if self._boxes > _MOST_BOXES or depth > _MOST_DEPTH:
                raise BrokenContainer("too many boxes, or nested too deeply")
            if box.kind == b"jumb":
                yield from self.read(box.content, box.end, "", depth + 1)
            elif box.kind == b"jumd":
                name = self._store[box.content + _HEADER : box.end].partition(b"\0")[0]
                label = name.decode("utf-8", "replace")
            elif box.kind in (b"cbor", b"json") and label.startswith(self._prefixes):
                data = _decode(box.kind, self._store[box.content : box.end])
                if isinstance(data, dict):
                    yield Assertion(label, data)


def _decode(kind: bytes, data: bytes) -> Any:
    try:
        return decode_cbor(data) if kind == b"cbor" else json.loads(data)
    except (BrokenCbor, ValueError, RecursionError):
        return None
