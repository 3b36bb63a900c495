"""Find copies: neighbours by the hash of any part, compared by the thumbnails of those parts."""

from __future__ import annotations

import itertools
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from harvest.duplicates.compare import Likeness, compare
from harvest.duplicates.fingerprint import PACKED
from harvest.duplicates.hamming_search import (
    count_up,
    find_pairs,
    runs_of_equal_keys,
    split_into_batches,
)
from harvest.duplicates.hashes_in_memory import PARTS_OF_EACH, HashSegments, distinct_places
from harvest.duplicates.stored_fingerprints import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from harvest.duplicates.stored_fingerprints import Fingerprints
    from harvest.models import Fingerprint

    Ints = NDArray[np.intp]
    LoadFingerprints: TypeAlias = Callable[[Sequence[int]], Mapping[int, Fingerprint]]

# Any number of almost empty images may share a hash. So only this many neighbours of an image are confirmed,
# and in a batch only this many with the same hash.
_MOST_NEIGHBOURS = 1000
_MOST_EQUAL = 32
_BATCH = 4096  # pairs that are compared at a time


class Copies(NamedTuple):
    """The keys of the copies of one image, the most similar first."""

    certain: list[int]
    probable: list[int]  # or photographs of the same thing


class _Candidates(NamedTuple):
    """Pairs of near hashes: a fingerprint, the key of a known one, and the parts of both."""

    number: Ints
    keys: NDArray[np.int64]
    part: Ints
    other: Ints


class CopyPairs(NamedTuple):
    """Pairs of images that are copies: rows of two positions, the smaller first, and whether they certainly are."""

    pairs: NDArray[np.int64]
    is_certain: NDArray[np.bool_]


class DuplicateIndex:
    """The known fingerprints by their keys; finds the copies of another fingerprint among them.

    It keeps their hashes. To compare a candidate it asks `load` for the fingerprints of some keys, which may return
    fewer; without `load` it keeps the fingerprints too.

    >>> from PIL import Image
    >>> from harvest.duplicates.fingerprint import compute_fingerprint
    >>> picture = Image.radial_gradient("L").convert("RGB")
    >>> index = DuplicateIndex([(7, compute_fingerprint(picture))])
    >>> index.find(compute_fingerprint(picture.resize((90, 90)))).certain
    [7]
    """

    def __init__(
        self, fingerprints: Iterable[tuple[int, Fingerprint]] = (), *, load: LoadFingerprints | None = None
    ) -> None:
        self._kept: dict[int, Fingerprint] = {}
        self._load = load or self._load_kept
        self._keeps = load is None
        self._count = 0
        self._largest = -(1 << 63)  # of the keys: those of a ledger grow, so that a new one need not be looked for
        self._hashes = HashSegments(self._read_batches(fingerprints))

    def _read_batches(
        self, fingerprints: Iterable[tuple[int, Fingerprint]]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64]]]:
        if self._keeps:
            self._kept = dict(fingerprints)
            fingerprints = self._kept.items()
        source = iter(fingerprints)
        while batch := list(itertools.islice(source, _BATCH)):
            keys, looks = zip(*batch, strict=True)
            self._count += len(keys)
            self._largest = max(self._largest, *keys)
            yield np.array(keys, np.int64), unpack(looks)["hashes"].copy()

    def _load_kept(self, keys: Sequence[int]) -> Mapping[int, Fingerprint]:
        return {key: self._kept[key] for key in keys}

    def __len__(self) -> int:
        return self._count

    def add(self, key: int, fingerprint: Fingerprint) -> None:
        """Add a fingerprint under its key; replace that of a known key."""
        if key <= self._largest:
            self.discard(key)
        self._largest = max(self._largest, key)
        self._hashes.add(key, unpack([fingerprint])["hashes"][0])
        self._count += 1
        if self._keeps:
            self._kept[key] = fingerprint

    def discard(self, key: int) -> None:
        """Remove a key; do nothing if it is not known."""
        self._count -= self._hashes.discard(key)
        self._kept.pop(key, None)

    def find(self, fingerprint: Fingerprint) -> Copies:
        """Return the keys of the copies of a fingerprint."""
        return self.find_all([fingerprint])[0]

    def find_all(self, fingerprints: Sequence[Fingerprint]) -> list[Copies]:
        """Return the keys of the copies of each fingerprint: faster than one by one."""
        copies = [Copies([], []) for _ in fingerprints]
        if not self._count or not fingerprints:
            return copies
        packed = unpack(fingerprints)
        candidates = self._find_candidates(packed)
        if not len(candidates.number):  # of most new images, nothing is near
            return copies
        for some in split_into_batches(np.bincount(candidates.number, minlength=len(packed))):
            span = slice(*np.searchsorted(candidates.number, (some.start, some.stop)).tolist())
            for number, found in self._compare(packed, _Candidates(*(each[span] for each in candidates))):
                copies[number] = found
        return copies

    def _find_candidates(self, packed: Fingerprints) -> _Candidates:
        """Return the known hashes near those of each fingerprint, in the order of the fingerprints."""
        number, part = np.divmod(distinct_places(packed["hashes"]), PARTS_OF_EACH)
        near = self._hashes.find(packed["hashes"][number, part])
        found = _Candidates(number[near.query], near.keys, part[near.query], near.parts)
        order = np.lexsort(found[::-1])  # the same order however they were found
        few = order[count_up(np.bincount(found.number)) < _MOST_NEIGHBOURS]
        return _Candidates(*(each[few] for each in found))

    def _compare(self, packed: Fingerprints, candidates: _Candidates) -> Iterator[tuple[int, Copies]]:
        """Yield the numbers of the fingerprints that have copies among some candidates, with the copies."""
        loaded = self._load(np.unique(candidates.keys).tolist()) if len(candidates.keys) else {}
        if not loaded:
            return
        keys = np.array(sorted(loaded), np.int64)
        row = np.searchsorted(keys, candidates.keys).clip(max=len(keys) - 1)
        is_loaded = keys[row] == candidates.keys
        row = row[is_loaded]
        number, _, part, other = (each[is_loaded] for each in candidates)
        known = unpack([loaded[key] for key in keys.tolist()])[row]
        likeness, correlation = compare(packed[number], part, known, other, number * len(keys) + row)
        for start, end in pairwise([*np.unique(number, return_index=True)[1].tolist(), len(number)]):
            yield int(number[start]), _sort_copies(keys[row[start:end]], likeness[start:end], correlation[start:end])


def _sort_copies(keys: NDArray[np.int64], likeness: Ints, correlation: NDArray[np.float32]) -> Copies:
    """Return each key by the likeness of its most similar parts, the most similar first."""
    found: dict[int, int] = {}
    for best in np.lexsort((-correlation, -likeness)):
        found.setdefault(int(keys[best]), int(likeness[best]))
    certain, probable = (
        [key for key, likeness in found.items() if likeness == wanted]
        for wanted in (Likeness.CERTAIN, Likeness.PROBABLE)
    )
    return Copies(certain, probable)


def find_duplicates(fingerprints: Sequence[Fingerprint]) -> CopyPairs:
    """Return all copies among fingerprints, each pair once.

    Of identical fingerprints, only the pairs with the first one are returned, and of many with the same hash
    only pairs of nearby positions: enough to connect all copies.
    """
    packed = unpack(fingerprints)
    _, first, same = np.unique(packed.view(f"V{PACKED.itemsize}"), return_index=True, return_inverse=True)
    row, part = np.divmod(distinct_places(packed["hashes"][first]), PARTS_OF_EACH)
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
