"""What a model.onnx may hold, looked at before onnxruntime opens it: the file may come from anybody.

It is a protobuf message, read here without the package `onnx`, which is not needed to predict. Refused are
tensors that lie in other files, tensors larger than their bytes, and operators that contain other graphs:
a loop may never end.
"""

from __future__ import annotations

import math
import mmap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST = (1 << 31) - 1  # bytes: protobuf's own limit
_PARTS = 2_000_000  # fields of all messages that are looked at
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_OURS = frozenset({b"", b"ai.onnx"})  # the domains of operators that an export of ours uses

# Numbers of fields in onnx.proto.
_MODEL = {7: "graph", 20: "training", 25: "function"}
_GRAPH = {1: "node", 5: "tensor", 15: "sparse"}
_NODE = {5: "attribute", 7: "domain"}
_ATTRIBUTE = {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"}
_DIMENSIONS, _EXTERNAL, _LOCATION = 1, 13, 14  # of a tensor


def check(model: Path | bytes) -> None:
    """Raise ValueError with a reason where a model is not one that an export of ours could be."""
    if isinstance(model, bytes):
        _Reader().check_model(memoryview(model))
        return
    size = model.stat().st_size
    if not 0 < size <= MOST:
        raise ValueError(f"it has {size:,} bytes; the most is {MOST:,}")
    with model.open("rb") as file:
        # It closes itself, after any traceback that holds its views.
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    _Reader().check_model(memoryview(data))


class _Reader:
    """Reads messages field by field, and no more fields than there can be in a network."""

    def __init__(self) -> None:
        self._left = _PARTS

    def check_model(self, data: memoryview) -> None:
        for number, value in self._fields(data):
            kind = _MODEL.get(number)
            if kind == "graph" and isinstance(value, memoryview):
                self._check_graph(value)
            elif kind:
                raise ValueError(f"it has a part that no export of harvest has: {kind}")

    def _check_graph(self, data: memoryview) -> None:
        for number, value in self._fields(data):
            kind = _GRAPH.get(number)
            if kind is None:
                continue
            if not isinstance(value, memoryview):
                raise ValueError("it is damaged")  # noqa: TRY004 - the file is wrong, not a caller
            if kind == "node":
                self._check_node(value)
            elif kind == "tensor":
                self._check_tensor(value)
            else:
                raise ValueError("it has sparse tensors")

    def _check_node(self, data: memoryview) -> None:
        for number, value in self._fields(data):
            kind = _NODE.get(number)
            if kind is None:
                continue
            if not isinstance(value, memoryview):
                raise ValueError("it is damaged")  # noqa: TRY004 - the file is wrong, not a caller
            if kind == "domain" and bytes(value[:80]) not in _OURS:
                raise ValueError(f"it has operators of {bytes(value[:80]).decode('utf-8', 'replace')!r}")
            if kind == "attribute":
                self._check_attribute(value)

    def _check_attribute(self, data: memoryview) -> None:
        for number, value in self._fields(data):
            kind = _ATTRIBUTE.get(number)
            if kind == "tensor" and isinstance(value, memoryview):
                self._check_tensor(value)
            elif kind:
                raise ValueError("it has operators that contain other graphs or sparse tensors")

    def _check_tensor(self, data: memoryview) -> None:
        dimensions: list[int] = []
        for number, value in self._fields(data):
            if number in (_EXTERNAL, _LOCATION) and value != 0:
                raise ValueError("some of its tensors lie in other files")
            if number == _DIMENSIONS:
                dimensions += [value] if isinstance(value, int) else self._unpack(value)
        if math.prod(dimensions) > 2 * len(data):  # two of the smallest numbers share a byte
            raise ValueError(f"a tensor of {math.prod(dimensions):,} numbers has {len(data):,} bytes")

    def _unpack(self, data: memoryview) -> Iterator[int]:
        place = 0
        while place < len(data):
            self._count()
            value, place = _varint(data, place)
            yield value

    def _fields(self, data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
        place = 0
        while place < len(data):
            self._count()
            key, place = _varint(data, place)
            kind = key & 7
            if kind == _VARINT:
                value, place = _varint(data, place)
                yield key >> 3, value
                continue
            if kind == _BYTES:
                length, place = _varint(data, place)
            elif kind in (_FIXED_32, _FIXED_64):
                length = 4 if kind == _FIXED_32 else 8
            else:
                raise ValueError("it is damaged")
            if place + length > len(data):
                raise ValueError("it is cut off")
            yield key >> 3, data[place : place + length]
            place += length

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"it has more than {_PARTS:,} parts")


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """Read a number of up to ten bytes; return it and the place after it."""
    value = 0
    for count, byte in enumerate(data[place : place + 10]):
        value |= (byte & 127) << (7 * count)
        if byte < 128:  # noqa: PLR2004 - the highest bit says that more follow
            return value, place + count + 1
    raise ValueError("it is damaged")
