"""The hashes of fingerprints in memory: 0.5 kB for each, a quarter of a fingerprint.

Fingerprints that arrive are compared one by one until there are some hundreds. Then they become a segment, which is
never changed, with the index of its hashes. A segment takes the smaller ones before it: a million fingerprints are in
a few segments, and each was indexed a few times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harvest.duplicates.fingerprint import CONTENT
from harvest.duplicates.hamming_search import RADIUS, HammingIndex

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Ints = NDArray[np.intp]
    Hashes = NDArray[np.uint64]  # (n, PARTS_OF_EACH): a row for each fingerprint

UNINDEXED = 512  # fingerprints that are compared one by one: as fast as an index
_MANY = 800_000  # comparisons of two hashes that take longer than to index one side first: 1 ms
PARTS_OF_EACH = CONTENT + 1
_RATIO = 4  # a segment takes the one before it unless that is so many times larger
_FORGOTTEN = -1 << 63  # the key of a row that was discarded


class NearHashes(NamedTuple):
    """Hashes near those of a query: which of its hashes, and the key and the part of the known one."""

    query: Ints
    keys: NDArray[np.int64]
    parts: Ints


class HashSegments:
    """Hashes by the key of their fingerprint; a key may have several rows, until it is discarded."""

    def __init__(self, batches: Iterable[tuple[NDArray[np.int64], Hashes]]) -> None:
        self._segments: list[_Segment] = []
        self._start_tail()
        if loaded := list(batches):
            keys, hashes = (np.concatenate(each) for each in zip(*loaded, strict=True))
            del loaded
            self._add_rows(keys, hashes)

    def _start_tail(self) -> None:
        self._end = 0
        self._tail: _Segment | None = None
        self._keys = np.zeros(UNINDEXED, np.int64)
        self._hashes = np.zeros((UNINDEXED, PARTS_OF_EACH), np.uint64)

    def _add_rows(self, keys: NDArray[np.int64], hashes: Hashes) -> None:
        if len(keys) > UNINDEXED:
            self._segments.append(_Segment(keys, hashes))
            return
        for key, row in zip(keys.tolist(), hashes, strict=True):
            self.add(key, row)

    def add(self, key: int, hashes: NDArray[np.uint64]) -> None:
        """Add the hashes of one fingerprint."""
        if self._end == UNINDEXED:
            self._index_tail()
        self._keys[self._end] = key
        self._hashes[self._end] = hashes
        self._end += 1
        self._tail = None

    def _index_tail(self) -> None:
        """Make a segment of the tail and of the smaller segments before it, without what was discarded."""
        rows = [(self._keys, self._hashes)]
        count = self._end
        while self._segments and len(self._segments[-1].keys) < _RATIO * count:
            taken = self._segments.pop()
            count += len(taken.keys)
            rows.append((taken.keys, taken.hashes))
            del taken  # its index is larger than its hashes: make room for the next one
        keys, hashes = (np.concatenate(each) for each in zip(*rows[::-1], strict=True))
        del rows
        self._start_tail()
        living = keys != _FORGOTTEN
        if not living.all():
            keys, hashes = keys[living], hashes[living]
        self._segments.append(_Segment(keys, hashes))

    def discard(self, key: int) -> int:
        """Remove the rows of a key, and return how many there were."""
        count = 0
        for keys in (self._keys[: self._end], *(segment.keys for segment in self._segments)):
            rows = np.flatnonzero(keys == key)
            keys[rows] = _FORGOTTEN
            count += len(rows)
        return count

    def find(self, hashes: NDArray[np.uint64]) -> NearHashes:
        """Return the known hashes that are near some others."""
        near = [segment.find(hashes) for segment in self._segments]
        near.append(self._find_in_tail(hashes))
        found = NearHashes(*(np.concatenate(each) for each in zip(*near, strict=True)))
        living = found.keys != _FORGOTTEN
        return found if living.all() else NearHashes(*(each[living] for each in found))

    def _find_in_tail(self, hashes: NDArray[np.uint64]) -> NearHashes:
        if len(hashes) * self._end * PARTS_OF_EACH > _MANY:
            if self._tail is None:  # a view: what is discarded is so in both
                self._tail = _Segment(self._keys[: self._end], self._hashes[: self._end])
            return self._tail.find(hashes)
        tail = self._hashes[: self._end].reshape(-1, 1)
        place, query = np.divmod(np.flatnonzero(np.bitwise_count(tail ^ hashes) <= RADIUS), len(hashes))
        return _at(query, place, self._keys)


class _Segment:
    """Hashes with their index; only a key changes, when it is discarded."""

    def __init__(self, keys: NDArray[np.int64], hashes: Hashes) -> None:
        self.keys = keys
        self.hashes = hashes
        self._index = HammingIndex(hashes.reshape(-1), distinct_places(hashes))

    def find(self, hashes: NDArray[np.uint64]) -> NearHashes:
        query, place = self._index.find_neighbours(hashes)
        return _at(query, place, self.keys)


def _at(query: Ints, place: Ints, keys: NDArray[np.int64]) -> NearHashes:
    row, part = np.divmod(place, PARTS_OF_EACH)
    return NearHashes(query, keys[row], part)


def distinct_places(hashes: Hashes) -> Ints:
    """Return the places, row by row, of the hashes that differ from all earlier ones of the same row.

    >>> distinct_places(np.array([[7, 8, 7], [5, 5, 5]], np.uint64)).tolist()
    [0, 1, 3]
    """
    is_new = np.empty(hashes.shape, np.bool_)
    for part in range(hashes.shape[1]):
        is_new[:, part] = (hashes[:, :part] != hashes[:, part : part + 1]).all(axis=1)
    return np.flatnonzero(is_new)
