"""Perceptual twins: neighbours by hash of any part, confirmed by a second look at the parts that met."""

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

    from harvest.duplicates.fingerprint import Looks
    from harvest.models import Fingerprint

    Ints = NDArray[np.intp]

_ROOM = 512  # looks that are compared one by one: as fast as asking an index
# Pictures of next to nothing share a hash in any number. A second look is given to so many neighbours of one
# picture, and in a batch to so many with one hash.
_MOST = 1000
_CROWD = 32
_LUMP = 4096  # pairs that are given a second look at once


class DuplicateIndex:
    """The looks known so far, by their keys; finds the twins of another look among them.

    >>> from PIL import Image
    >>> from harvest.duplicates.fingerprint import compute_fingerprint
    >>> picture = Image.radial_gradient("L").convert("RGB")
    >>> twins = DuplicateIndex([(7, compute_fingerprint(picture))])
    >>> twins.find(compute_fingerprint(picture.resize((90, 90))))
    [7]
    """

    def __init__(self, looks: Iterable[tuple[int, Fingerprint]] = ()) -> None:
        known = dict(looks)
        self._keys = np.fromiter(known, np.int64, len(known))
        self._looks = unpack(list(known.values()))
        self._alive = np.ones(len(known), np.bool_)
        self._rows = {key: row for row, key in enumerate(known)}
        self._rebuild()

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, key: int, look: Fingerprint) -> None:
        """Remember a look under its key; a key already known gets the new look."""
        self.discard(key)
        if self._end == len(self._keys):
            self._rebuild()
        self._keys[self._end] = key
        self._looks[self._end] = unpack([look])[0]
        self._alive[self._end] = True
        self._rows[key] = self._end
        self._end += 1

    def discard(self, key: int) -> None:
        """Forget a key; one not known is no error."""
        row = self._rows.pop(key, None)
        if row is not None:
            self._alive[row] = False

    def find(self, look: Fingerprint) -> list[int]:
        """Return the keys of the confirmed twins of a look, the most alike first."""
        if not self._rows:
            return []
        asked = unpack([look])
        _, part = _distinct_hashes(asked)
        met, row, other = self._find_near_hashes(asked["hashes"][0, part])
        living = np.flatnonzero(self._alive[row])[:_MOST]
        if not len(living):
            return []
        met, row, other = met[living], row[living], other[living]
        likeness = similarity(np.repeat(asked, len(row)), part[met], self._looks[row], other)
        best = np.argsort(-likeness, kind="stable")
        twins = dict.fromkeys(row[best[likeness[best] > 0]].tolist())
        return [int(self._keys[row]) for row in twins]

    def _find_near_hashes(self, hashes: NDArray[np.uint64]) -> tuple[Ints, Ints, Ints]:
        """Return the hashes asked for, and the rows and parts that are near them."""
        asked, found = self._index.find_neighbours(hashes)
        late = self._looks["hashes"][self._settled : self._end].reshape(-1, 1)
        place, near = np.divmod(np.flatnonzero(np.bitwise_count(late ^ hashes) <= RADIUS), len(hashes))
        row, part = np.divmod(place, len(PARTS))
        return (
            np.concatenate((asked, near)),
            np.concatenate((self._row[found], self._settled + row)),
            np.concatenate((self._part[found], part)),
        )

    def _rebuild(self) -> None:
        """Index what is alive, and make room for some more."""
        living = np.flatnonzero(self._alive)
        self._end = len(living)
        room = max(_ROOM, self._end // 32)
        self._keys = np.concatenate((self._keys[living], np.zeros(room, np.int64)))
        self._looks = np.concatenate((self._looks[living], np.zeros(room, PACKED)))
        self._alive = np.arange(self._end + room) < self._end
        self._rows = {key: row for row, key in enumerate(self._keys[: self._end].tolist())}
        self._settled = self._end if self._end > _ROOM else 0
        settled = self._looks[: self._settled]
        self._row, self._part = _distinct_hashes(settled)
        self._index = HammingIndex(settled["hashes"][self._row, self._part])


def find_duplicates(looks: Sequence[Fingerprint]) -> NDArray[np.int64]:
    """Return confirmed twins among looks, each pair once, as rows of two positions, the smaller first.

    Of looks that are the same to the byte, only the pairs with the first are returned, and of a crowd with
    one hash only those between next neighbours: as many as it takes for true twins to hang together.
    """
    packed = unpack(looks)
    _, first, same = np.unique(packed.view(f"V{PACKED.itemsize}"), return_index=True, return_inverse=True)
    row, part = _distinct_hashes(packed[first])
    row = first[row]
    found = [np.stack((first[same], np.arange(len(looks))), axis=1)]
    for one, two in _merge_batches(_candidate_pairs(packed["hashes"][row, part]), row):
        twins = similarity(packed[row[one]], part[one], packed[row[two]], part[two]) > 0
        found.append(np.stack((row[one[twins]], row[two[twins]]), axis=1))
    both = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    return both[both[:, 0] < both[:, 1]]


def _merge_batches(candidates: Iterable[tuple[Ints, Ints]], row: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Put candidates together, less the parts of one picture: of 600 pictures come 450 small batches."""
    kept: list[tuple[Ints, Ints]] = []
    count = 0
    for one, two in candidates:
        apart = row[one] != row[two]
        kept.append((one[apart], two[apart]))
        count += len(kept[-1][0])
        if count >= _LUMP:
            yield _concatenate(kept)
            kept, count = [], 0
    if kept:
        yield _concatenate(kept)


def _concatenate(pieces: list[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    ones, twos = zip(*pieces, strict=True)
    return np.concatenate(ones), np.concatenate(twos)


def _candidate_pairs(hashes: NDArray[np.uint64]) -> Iterator[tuple[Ints, Ints]]:
    """Yield the positions of hashes near each other, some thousands at a time."""
    order = np.argsort(hashes, kind="stable")
    value, start, count = np.unique(hashes[order], return_index=True, return_counts=True)
    for one, two in runs_of_equal_keys(hashes[order], _CROWD):
        yield order[one], order[two]
    few = np.minimum(count, _CROWD)
    for one, two in find_pairs(value):
        many = few[one] * few[two]
        for some in split_into_batches(many):
            a, b = np.repeat(one[some], many[some]), np.repeat(two[some], many[some])
            number = count_up(many[some])
            yield order[start[a] + number // few[b]], order[start[b] + number % few[b]]


def group_duplicates(twins: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return for each of `count` pictures the smallest position among those it hangs together with.

    >>> group_duplicates(np.array([[1, 3], [3, 4]]), 5).tolist()
    [0, 1, 2, 1, 1]
    """
    head = np.arange(count)
    while True:
        one, two = head[twins[:, 0]], head[twins[:, 1]]
        if (one == two).all():
            return head
        np.minimum.at(head, np.maximum(one, two), np.minimum(one, two))
        while (head != head[head]).any():
            head = head[head]


def _distinct_hashes(looks: Looks) -> tuple[Ints, Ints]:
    """Return the row and the part of every hash that no part before it in the same look has."""
    hashes = looks["hashes"]
    new = [(hashes[:, :part] != hashes[:, part : part + 1]).all(axis=1) for part in range(hashes.shape[1])]
    row, part = np.nonzero(np.stack(new, axis=1))
    return row, part
