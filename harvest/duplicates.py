"""Perceptual twins: exact neighbours within a radius of the hashes, confirmed by a second look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harvest.looks import SIDE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from harvest.models import Look

RADIUS = 10  # bits of 64
_THUMB = SIDE * SIDE * 3


class Twins:
    """The looks known so far by their keys; finds the twins of another look among them.

    >>> from PIL import Image
    >>> from harvest.looks import look
    >>> twins = Twins([(7, look(Image.linear_gradient("L").convert("RGB")))])
    >>> twins.find(look(Image.linear_gradient("L").convert("RGB").resize((90, 90))))
    [7]
    """

    def __init__(self, looks: Iterable[tuple[int, Look]] = ()) -> None:
        looks = list(looks)
        self._keys = np.array([key for key, _ in looks], np.int64)
        self._hashes, self._thumbs = _unpack([look for _, look in looks])
        self._rows = {key: row for row, (key, _) in enumerate(looks)}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, key: int, look: Look) -> None:
        """Remember a look under its key; a key already known gets the new look."""
        self.discard(key)
        row = len(self._rows)
        if row == len(self._keys):
            self._grow()
        self._keys[row] = key
        self._hashes[row : row + 1], self._thumbs[row : row + 1] = _unpack([look])
        self._rows[key] = row

    def _grow(self) -> None:
        more = max(64, len(self._keys))
        self._keys = np.concatenate((self._keys, np.zeros(more, self._keys.dtype)))
        self._hashes = np.concatenate((self._hashes, np.zeros((more, 2), self._hashes.dtype)))
        self._thumbs = np.concatenate((self._thumbs, np.zeros((more, 2 * _THUMB), self._thumbs.dtype)))

    def discard(self, key: int) -> None:
        """Forget a key; one not known is no error."""
        row = self._rows.pop(key, None)
        if row is None:
            return
        last = len(self._rows)
        if row != last:
            for array in (self._keys, self._hashes, self._thumbs):
                array[row] = array[last]
            self._rows[int(self._keys[row])] = row

    def find(self, look: Look) -> list[int]:
        """Return the keys of the confirmed twins of a look, nearest first."""
        count = len(self._rows)
        ((whole, middle),), (mine,) = _unpack([look])
        known = self._hashes[:count]
        distance = np.minimum(
            np.bitwise_count(known ^ whole).min(axis=1), np.bitwise_count(known[:, 0] ^ middle)
        )
        rows = np.flatnonzero(distance <= RADIUS)
        differ = _differ(np.broadcast_to(mine, (len(rows), len(mine))), self._thumbs[rows])
        order = np.lexsort((differ, distance[rows]))
        return [int(key) for key in self._keys[rows[order[differ[order] <= DIFFER]]]]


def _unpack(looks: Sequence[Look]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    packed = np.frombuffer(b"".join(look.data for look in looks), np.uint8).reshape(
        len(looks), 16 + 2 * _THUMB
    )
    return packed[:, :16].copy().view("<u8").astype(np.uint64), packed[:, 16:]


DIFFER = 14.0  # mean levels of 255


def _differ(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float64]:
    a = first.reshape(-1, 2, _THUMB).astype(np.float64)
    b = second.reshape(-1, 2, _THUMB).astype(np.float64)
    ways = ((a[:, 0], b[:, 0]), (a[:, 0], b[:, 1]), (a[:, 1], b[:, 0]))
    result: NDArray[np.float64] = np.min([np.abs(x - y).mean(axis=1) for x, y in ways], axis=0)
    return result


def pairs(looks: Sequence[Look]) -> NDArray[np.int64]:
    """Return the confirmed twins among looks as rows of two indices, the smaller first."""
    twins = Twins(enumerate(looks))
    found = [
        (index, other) for index, look in enumerate(looks) for other in twins.find(look) if index < other
    ]
    return np.array(found, np.int64).reshape(-1, 2)


def groups(twins: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return for each of `count` pictures the smallest index among those it hangs together with."""
    label = np.arange(count)
    while True:
        low = np.minimum(label[twins[:, 0]], label[twins[:, 1]])
        before = label.copy()
        np.minimum.at(label, twins[:, 0], low)
        np.minimum.at(label, twins[:, 1], low)
        label = label[label]
        if (label == before).all():
            return label
