"""Decode CBOR (RFC 8949), the encoding of Content Credentials, within strict limits."""

from __future__ import annotations

import struct
from typing import Any

_MOST_ITEMS = 20_000
_MOST_DEPTH = 16
_BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = 2, 3, 4, 5, 6, 7  # major types; 0 and 1 are numbers
_INDEFINITE = 31
_CONSTANTS: dict[int, Any] = {20: False, 21: True, 22: None, 23: None}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_BREAK = object()  # the end of an array, map or string without a length


class BrokenCbor(ValueError):
    """The data is not valid CBOR, or exceeds a limit."""


def decode_cbor(data: bytes) -> Any:
    """Return the first item of the data; a tag is left out, and a map key that is not a text is ignored.

    >>> decode_cbor(bytes.fromhex("a163757365" "6a") + b"notAllowed")
    {'use': 'notAllowed'}
    """
    try:
        value = _Decoder(data).item(0)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise BrokenCbor(str(error)) from None
    if value is _BREAK:
        raise BrokenCbor("an end without a beginning")
    return value


class _Decoder:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._items = 0

    def item(self, depth: int) -> Any:
        self._items += 1
        if self._items > _MOST_ITEMS or depth > _MOST_DEPTH:
            raise BrokenCbor("too many items, or nested too deeply")
        first = self._take(1)[0]
        major, size = first >> 5, first & 31
        if major == _SIMPLE:
            return self._simple(size)
        length = None if size == _INDEFINITE else self._number(size)
        if major in (_BYTES, _TEXT):
            data = self._string(length, depth)
            return data.decode() if major == _TEXT else data
        if major == _ARRAY:
            return self._list(length, depth)
        if major == _MAP:
            return self._map(length, depth)
        if length is None:
            raise BrokenCbor("a number without a length")
        if major == _TAG:
            return self.item(depth + 1)
        return length if major == 0 else -1 - length

    def _take(self, size: int) -> bytes:
        data = self._data[self._at : self._at + size]
        if len(data) < size:
            raise BrokenCbor("it ends within an item")
        self._at += size
        return data

    def _number(self, size: int) -> int:
        if size < 24:  # noqa: PLR2004 - smaller numbers stand for themselves
            return size
        if size > 27:  # noqa: PLR2004 - the number of eight bytes
            raise BrokenCbor("a reserved length")
        return int.from_bytes(self._take(1 << (size - 24)), "big")

    def _simple(self, size: int) -> Any:
        if size == _INDEFINITE:
            return _BREAK
        if size in _FLOATS:
            return struct.unpack(_FLOATS[size], self._take(1 << (size - 24)))[0]
        return _CONSTANTS.get(self._number(size))

    def _string(self, length: int | None, depth: int) -> bytes:
        if length is not None:
            return self._take(length)
        pieces = self._list(None, depth)
        return b"".join(piece if isinstance(piece, bytes) else str(piece).encode() for piece in pieces)

    def _list(self, length: int | None, depth: int) -> list[Any]:
        found: list[Any] = []
        while length is None or len(found) < length:
            value = self.item(depth + 1)
            if value is _BREAK:
                if length is not None:
                    raise BrokenCbor("it ends within an array")
                break
            found.append(value)
        return found

    def _map(self, length: int | None, depth: int) -> dict[str, Any]:
        values = self._list(None if length is None else 2 * length, depth)
        return {key: value for key, value in zip(values[::2], values[1::2], strict=False) if isinstance(key, str)}
