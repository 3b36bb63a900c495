"""Check a model.onnx from an untrusted source before onnxruntime opens it.

The file is a protobuf message. It is read here without the package `onnx`, which is not needed to predict.
Refused are tensors stored in other files, tensors with more elements than bytes, and operators that contain
other graphs: a loop may never end.
"""

from __future__ import annotations

import math
import mmap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST = (1 << 31) - 1  # bytes: the limit of protobuf
_FIELDS = 2_000_000  # most fields that are read
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_DOMAINS = frozenset({b"", b"ai.onnx"})  # of the operators in an export of harvest

# Numbers of fields in onnx.proto.
_MODEL = {7: "graph", 20: "training", 25: "function"}
_GRAPH = {1: "node", 5: "tensor", 15: "sparse"}
_NODE = {5: "attribute", 7: "domain"}
_ATTRIBUTE = {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"}
_DIMENSIONS, _EXTERNAL, _LOCATION = 1, 13, 14  # of a tensor


def check(model: Path | bytes) -> None:
    """Raise ValueError with the reason if a model cannot be an export of harvest."""
    if isinstance(model, bytes):
        _Reader().check_model(memoryview(model))
        return
    size = model.stat().st_size
    if not 0 < size <= MOST:
        raise ValueError(f"it has {size:,} bytes; the limit is {MOST:,}")
    with model.open("rb") as file:
        # It is closed with the last reference: a traceback may still hold views of it.
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    _Reader().check_model(memoryview(data))


class _Reader:
    """Reads messages field by field, up to a limit on the number of fields."""

    def __init__(self) -> None:
        self._left = _FIELDS

    def check_model(self, data: memoryview) -> None:
        for number, value in self._fields(data):
            kind = _MODEL.get(number)
            if kind == "graph" and isinstance(value, memoryview):
                self._check_graph(value)
            elif kind:
                raise ValueError(f"it has a {kind} field, which no export of harvest has")

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
            if kind == "domain" and bytes(value[:80]) not in _DOMAINS:
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
                raise ValueError("some of its tensors are stored in other files")
            if number == _DIMENSIONS:
                dimensions += [value] if isinstance(value, int) else self._unpack(value)
        if math.prod(dimensions) > 2 * len(data):  # the smallest type has two elements per byte
            raise ValueError(f"a tensor of {math.prod(dimensions):,} elements has {len(data):,} bytes")

    def _unpack(self, data: memoryview) -> Iterator[int]:
        position = 0
        while position < len(data):
            self._count()
            value, position = _varint(data, position)
            yield value

    def _fields(self, data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
        position = 0
        while position < len(data):
            self._count()
            key, position = _varint(data, position)
            kind = key & 7
            if kind == _VARINT:
                value, position = _varint(data, position)
                yield key >> 3, value
                continue
            if kind == _BYTES:
                length, position = _varint(data, position)
            elif kind in (_FIXED_32, _FIXED_64):
                length = 4 if kind == _FIXED_32 else 8
            else:
                raise ValueError("it is damaged")
            if position + length > len(data):
                raise ValueError("it is truncated")
            yield key >> 3, data[position : position + length]
            position += length

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"it has more than {_FIELDS:,} fields")


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """Read a variable-length integer of up to ten bytes; return it and the position after it."""
    value = 0
    for count, byte in enumerate(data[position : position + 10]):
        value |= (byte & 127) << (7 * count)
        if byte < 128:  # noqa: PLR2004 - the highest bit says that more follow
            return value, position + count + 1
    raise ValueError("it is damaged")
