"""Find copies: neighbours by the hash of any part, compared by the thumbnails of those parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harvest.duplicates.compare import Likeness, compare
from harvest.duplicates.fingerprint import CONTENT, PACKED
from harvest.duplicates.hamming_search import (
    RADIUS,
    HammingIndex,
    count_up,
    find_pairs,
    runs_of_equal_keys,
    split_into_batches,
)
from harvest.duplicates.stored_fingerprints import unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from harvest.duplicates.stored_fingerprints import Fingerprints
    from harvest.models import Fingerprint

    Ints = NDArray[np.intp]

_UNINDEXED = 512  # fingerprints that are compared one by one: as fast as an index
# Any number of almost empty images may share a hash. So only this many neighbours of an image are confirmed,
# and in a batch only this many with the same hash.
_MOST_NEIGHBOURS = 1000
_MOST_EQUAL = 32
_BATCH = 4096  # pairs that are compared at a time


class Copies(NamedTuple):
    """The keys of the copies of one image, the most similar first."""

    certain: list[int]
    probable: list[int]  # or photographs of the same thing


class CopyPairs(NamedTuple):
    """Pairs of images that are copies: rows of two positions, the smaller first, and whether they certainly are."""

    pairs: NDArray[np.int64]
    is_certain: NDArray[np.bool_]


class DuplicateIndex:
    """The known fingerprints by their keys; finds the copies of another fingerprint among them.

    >>> from PIL import Image
    >>> from harvest.duplicates.fingerprint import compute_fingerprint
    >>> picture = Image.radial_gradient("L").convert("RGB")
    >>> index = DuplicateIndex([(7, compute_fingerprint(picture))])
    >>> index.find(compute_fingerprint(picture.resize((90, 90)))).certain
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

    def find(self, fingerprint: Fingerprint) -> Copies:
        """Return the keys of the copies of a fingerprint."""
        if not self._rows:
            return Copies([], [])
        query = unpack([fingerprint])
        _, part = _distinct_hashes(query)
        matched, row, other = self._find_near_hashes(query["hashes"][0, part])
        living = np.flatnonzero(self._alive[row])[:_MOST_NEIGHBOURS]
        if not len(living):
            return Copies([], [])
        matched, row, other = matched[living], row[living], other[living]
        known = self._fingerprints[row]
        likeness, correlation = compare(np.repeat(query, len(row)), part[matched], known, other, row)
        found: dict[int, int] = {}
        for best in np.lexsort((-correlation, -likeness)):
            found.setdefault(int(self._keys[row[best]]), int(likeness[best]))
        certain, probable = (
            [key for key, likeness in found.items() if likeness == wanted]
            for wanted in (Likeness.CERTAIN, Likeness.PROBABLE)
        )
        return Copies(certain, probable)

    def _find_near_hashes(self, hashes: NDArray[np.uint64]) -> tuple[Ints, Ints, Ints]:
        """Return positions in `hashes`, and the rows and parts of the known hashes that are near them."""
        query, found = self._index.find_neighbours(hashes)
        unindexed = self._fingerprints["hashes"][self._indexed : self._end].reshape(-1, 1)
        place, near = np.divmod(np.flatnonzero(np.bitwise_count(unindexed ^ hashes) <= RADIUS), len(hashes))
        row, part = np.divmod(place, CONTENT + 1)
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


def find_duplicates(fingerprints: Sequence[Fingerprint]) -> CopyPairs:
    """Return all copies among fingerprints, each pair once.

    Of identical fingerprints, only the pairs with the first one are returned, and of many with the same hash
    only pairs of nearby positions: enough to connect all copies.
    """
    packed = unpack(fingerprints)
    _, first, same = np.unique(packed.view(f"V{PACKED.itemsize}"), return_index=True, return_inverse=True)
    row, part = _distinct_hashes(packed[first])
    row = first[row]
    identical = np.stack((first[same], np.arange(len(packed)), np.full(len(packed), Likeness.CERTAIN)), axis=1)
    found = [identical[identical[:, 0] != identical[:, 1]]]
    for one, two in _merge_batches(_candidate_pairs(packed["hashes"][row, part]), row):
        pair = np.minimum(row[one], row[two]) * len(packed) + np.maximum(row[one], row[two])
        likeness, _ = compare(packed[row[one]], part[one], packed[row[two]], part[two], pair)
        each = np.stack((*np.divmod(pair, len(packed)), likeness), axis=1)
        found.append(each[likeness > Likeness.DISTINCT])
    return _unique_pairs(np.concatenate(found))


def _unique_pairs(found: NDArray[np.int64]) -> CopyPairs:
    """Return each pair once, with the likeness of its most similar parts."""
    found = found[np.lexsort((-found[:, 2], found[:, 1], found[:, 0]))]
    _, first = np.unique(found[:, :2], axis=0, return_index=True)
    return CopyPairs(found[first, :2], found[first, 2] == Likeness.CERTAIN)


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
