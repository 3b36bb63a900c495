"""Find near-duplicates: neighbours by the hash of any part, confirmed by comparing the thumbnails of those parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harvest.duplicates.fingerprint import (
    PACKED,
    PARTS,
    similarity,
    unpack,
)
from harvest.duplicates.hamming import (
    RADIUS,
    HammingIndex,
    count_up,
    find_pairs,
    runs_of_equal_keys,
    split_into_batches,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from harvest.duplicates.fingerprint import Fingerprints
    from harvest.models import Fingerprint

    Ints = NDArray[np.intp]

_UNINDEXED = 512  # fingerprints that are compared one by one: as fast as an index
# Any number of almost empty images may share a hash. So only this many neighbours of an image are confirmed,
# and in a batch only this many with the same hash.
_MOST_NEIGHBOURS = 1000
_MOST_EQUAL = 32
_BATCH = 4096  # pairs that are confirmed at a time


class DuplicateIndex:
    """The known fingerprints by their keys; finds the duplicates of another fingerprint among them.

    >>> from PIL import Image
    >>> from harvest.duplicates.fingerprint import compute_fingerprint
    >>> picture = Image.radial_gradient("L").convert("RGB")
    >>> duplicates = DuplicateIndex([(7, compute_fingerprint(picture))])
    >>> duplicates.find(compute_fingerprint(picture.resize((90, 90))))
    [7]
    """

    def __init__(self, fingerprints: Iterable[tuple[int, Fingerprint]] = ()) -> None:
        known = dict(fingerprints)
        self._keys = np.fromiter(known, np.int64, len(known))
        self._fingerprints = unpack(list(known.values()))
        self._alive = np.ones(len(known), np.bool_)
        self._rows = {key: row for row, key in enumerate(known)}
        self._rebuild()

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, key: int, fingerprint: Fingerprint) -> None:
        """Add a fingerprint under its key; replace that of a known key."""
        self.discard(key)
        if self._end == len(self._keys):
            self._rebuild()
        self._keys[self._end] = key
        self._fingerprints[self._end] = unpack([fingerprint])[0]
        self._alive[self._end] = True
        self._rows[key] = self._end
        self._end += 1

    def discard(self, key: int) -> None:
        """Remove a key; do nothing if it is not known."""
        row = self._rows.pop(key, None)
        if row is not None:
            self._alive[row] = False

    def find(self, fingerprint: Fingerprint) -> list[int]:
        """Return the keys of the confirmed duplicates of a fingerprint, the most similar first."""
        if not self._rows:
            return []
        query = unpack([fingerprint])
        _, part = _distinct_hashes(query)
        matched, row, other = self._find_near_hashes(query["hashes"][0, part])
        living = np.flatnonzero(self._alive[row])[:_MOST_NEIGHBOURS]
        if not len(living):
            return []
        matched, row, other = matched[living], row[living], other[living]
        similar = similarity(np.repeat(query, len(row)), part[matched], self._fingerprints[row], other)
        best = np.argsort(-similar, kind="stable")
        duplicates = dict.fromkeys(row[best[similar[best] > 0]].tolist())
        return [int(self._keys[row]) for row in duplicates]

    def _find_near_hashes(self, hashes: NDArray[np.uint64]) -> tuple[Ints, Ints, Ints]:
        """Return positions in `hashes`, and the rows and parts of the known hashes that are near them."""
        query, found = self._index.find_neighbours(hashes)
        unindexed = self._fingerprints["hashes"][self._indexed : self._end].reshape(-1, 1)
        place, near = np.divmod(np.flatnonzero(np.bitwise_count(unindexed ^ hashes) <= RADIUS), len(hashes))
        row, part = np.divmod(place, len(PARTS))
        return (
            np.concatenate((query, near)),
            np.concatenate((self._row[found], self._indexed + row)),
            np.concatenate((self._part[found], part)),
        )

    def _rebuild(self) -> None:
        """Index the fingerprints that were not discarded, and make room for more."""
        living = np.flatnonzero(self._alive)
        self._end = len(living)
        room = max(_UNINDEXED, self._end // 32)
        self._keys = np.concatenate((self._keys[living], np.zeros(room, np.int64)))
        self._fingerprints = np.concatenate((self._fingerprints[living], np.zeros(room, PACKED)))
        self._alive = np.arange(self._end + room) < self._end
        self._rows = {key: row for row, key in enumerate(self._keys[: self._end].tolist())}
        self._indexed = self._end if self._end > _UNINDEXED else 0
        indexed = self._fingerprints[: self._indexed]
        self._row, self._part = _distinct_hashes(indexed)
        self._index = HammingIndex(indexed["hashes"][self._row, self._part])


def find_duplicates(fingerprints: Sequence[Fingerprint]) -> NDArray[np.int64]:
    """Return confirmed duplicates, each pair once, as rows of two positions, the smaller first.

    Of identical fingerprints, only the pairs with the first one are returned, and of many with the same hash
    only pairs of nearby positions: enough to connect all duplicates.
    """
    packed = unpack(fingerprints)
    _, first, same = np.unique(packed.view(f"V{PACKED.itemsize}"), return_index=True, return_inverse=True)
    row, part = _distinct_hashes(packed[first])
    row = first[row]
    found = [np.stack((first[same], np.arange(len(fingerprints))), axis=1)]
    for one, two in _merge_batches(_candidate_pairs(packed["hashes"][row, part]), row):
        confirmed = similarity(packed[row[one]], part[one], packed[row[two]], part[two]) > 0
        found.append(np.stack((row[one[confirmed]], row[two[confirmed]]), axis=1))
    both = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    return both[both[:, 0] < both[:, 1]]


def _merge_batches(candidates: Iterable[tuple[Ints, Ints]], row: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Merge small batches (600 images give 450), without pairs of parts of the same image."""
    kept: list[tuple[Ints, Ints]] = []
    count = 0
    for one, two in candidates:
        apart = row[one] != row[two]
        kept.append((one[apart], two[apart]))
        count += len(kept[-1][0])
        if count >= _BATCH:
            yield _concatenate(kept)
            kept, count = [], 0
    if kept:
        yield _concatenate(kept)


def _concatenate(pieces: list[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    ones, twos = zip(*pieces, strict=True)
    return np.concatenate(ones), np.concatenate(twos)


def _candidate_pairs(hashes: NDArray[np.uint64]) -> Iterator[tuple[Ints, Ints]]:
    """Yield the positions of pairs of near hashes, some thousands at a time."""
    order = np.argsort(hashes, kind="stable")
    value, start, count = np.unique(hashes[order], return_index=True, return_counts=True)
    for one, two in runs_of_equal_keys(hashes[order], _MOST_EQUAL):
        yield order[one], order[two]
    few = np.minimum(count, _MOST_EQUAL)
    for one, two in find_pairs(value):
        many = few[one] * few[two]
        for some in split_into_batches(many):
            a, b = np.repeat(one[some], many[some]), np.repeat(two[some], many[some])
            number = count_up(many[some])
            yield order[start[a] + number // few[b]], order[start[b] + number % few[b]]


def group_duplicates(pairs: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return for each of `count` images the smallest position in its group of connected duplicates.

    >>> group_duplicates(np.array([[1, 3], [3, 4]]), 5).tolist()
    [0, 1, 2, 1, 1]
    """
    head = np.arange(count)
    while True:
        one, two = head[pairs[:, 0]], head[pairs[:, 1]]
        if (one == two).all():
            return head
        np.minimum.at(head, np.maximum(one, two), np.minimum(one, two))
        while (head != head[head]).any():
            head = head[head]


def _distinct_hashes(fingerprints: Fingerprints) -> tuple[Ints, Ints]:
    """Return the row and the part of every hash that differs from all earlier ones of the same fingerprint."""
    hashes = fingerprints["hashes"]
    new = [(hashes[:, :part] != hashes[:, part : part + 1]).all(axis=1) for part in range(hashes.shape[1])]
    row, part = np.nonzero(np.stack(new, axis=1))
    return row, part
