"""Find all pairs within a Hamming distance of 8 among a million 64-bit hashes: exactly, without a loop over pairs.

Two hashes that differ in at most 8 bits must agree in some part. Split into 12 blocks, they agree in at least
4 of them, so `find_pairs` sorts by every choice of 4 blocks and compares only equal keys. Split into 4 words,
the first word differs in at most 2 bits or another one in at most 1, so `HammingIndex` looks up those words.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Ints = NDArray[np.intp]

RADIUS = 8  # bits of 64

_AGREE = 4  # 3 would need a third of the sorts, but the runs of equal keys get long at a million hashes
_EDGES = [round(64 * block / (RADIUS + _AGREE)) for block in range(RADIUS + _AGREE + 1)]
_BLOCKS = [(np.uint64(low), high - low, np.uint64((1 << high - low) - 1)) for low, high in pairwise(_EDGES)]
_CACHED = 60_000  # hashes sorted at a time: as many as fit into the cache of a core
_BATCH = 10_000  # pairs at a time; confirming one takes 5 kB
_CANDIDATES = 1 << 20  # that are compared at a time; one takes 40 bytes
# Bits by which a 16-bit word may differ. If every word differed in more, that would be 3 + 2 + 2 + 2 > 8 bits.
_WORDS = ((0, 2), (16, 1), (32, 1), (48, 1))


def find_pairs(hashes: Hashes) -> Iterator[tuple[Ints, Ints]]:
    """Yield, in batches, the positions of all pairs of hashes within the radius, every pair once.

    The hashes must be distinct, because the number of pairs of equal hashes is not limited.

    >>> [(int(a[0]), int(b[0])) for a, b in find_pairs(np.array([0b1000, 2**64 - 1, 0b0001], np.uint64))]
    [(0, 2)]
    """
    for block, (shift, _, mask) in enumerate(_BLOCKS[: RADIUS + 1]):
        values = ((hashes >> shift) & mask).astype(np.uint8)
        order = np.argsort(values, kind="stable")
        ends = np.cumsum(np.bincount(values))
        cuts = np.unique(ends[np.searchsorted(ends, np.arange(0, len(hashes), _CACHED))])
        for part in np.split(order, cuts[:-1]):
            for first, second in _pairs_sharing_block(hashes[part], block):
                yield part[first], part[second]


def _pairs_sharing_block(hashes: Hashes, block: int) -> Iterator[tuple[Ints, Ints]]:
    """Yield the neighbours that agree in this block and in no earlier block."""
    for choice, key in _block_choices(hashes, (), np.arange(len(hashes), dtype=np.uint64), block):
        ordered = np.sort(key)
        order = (ordered & np.uint64(0xFFFFFFFF)).astype(np.intp)
        in_order = hashes[order]
        for place, other in runs_of_equal_keys(ordered >> np.uint64(32)):
            differ = in_order[place] ^ in_order[other]
            near = np.flatnonzero(np.bitwise_count(differ) <= RADIUS)
            near = near[_is_first_match(differ[near], choice)]
            if len(near):
                yield order[place[near]], order[other[near]]


def _block_choices(
    hashes: Hashes, choice: tuple[int, ...], key: Hashes, *blocks: int
) -> Iterator[tuple[tuple[int, ...], Hashes]]:
    """Yield every choice of blocks that begins with `choice`, and the key to sort by, in the bits from 32 on."""
    if len(choice) == _AGREE:
        yield choice, key
        return
    for block in blocks or range(choice[-1] + 1, RADIUS + len(choice) + 1):
        shift, _, mask = _BLOCKS[block]
        above = np.uint64(32 + sum(_BLOCKS[other][1] for other in choice))
        yield from _block_choices(hashes, (*choice, block), key | ((hashes >> shift & mask) << above))


def runs_of_equal_keys(key: NDArray[Any], most: int | None = None) -> Iterator[tuple[Ints, Ints]]:
    """Yield, in batches, the positions of pairs of equal keys in a sorted array; at most `most` pairs begin with each.

    >>> [(a.tolist(), b.tolist()) for a, b in runs_of_equal_keys(np.array([3, 3, 3, 5]))]
    [([0, 1], [1, 2]), ([0], [2])]
    """
    place = np.flatnonzero(key[1:] == key[:-1])
    for start in range(0, len(place), _BATCH):
        yield place[start : start + _BATCH], place[start : start + _BATCH] + 1
    # Most runs have two keys. In a longer one, every position but the last two has more after the next one.
    place = place[:-1][np.diff(place) == 1]
    ends = np.append(np.flatnonzero(np.diff(place) > 1), len(place) - 1)
    many = np.repeat(ends, np.diff(ends, prepend=-1)) - np.arange(-1, len(place) - 1)
    many = np.minimum(many, (most or len(key)) - 1)
    for some in split_into_batches(many):
        one = np.repeat(place[some], many[some])
        yield one, one + 2 + count_up(many[some])


def count_up(many: Ints) -> Ints:
    """Return 0, 1, 2, … up to below each number, one after the other.

    >>> count_up(np.array([2, 0, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    ends = np.cumsum(many)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - many, many)


def split_into_batches(many: Ints, size: int = _BATCH) -> list[slice]:
    """Return slices of numbers; each adds up to about the size of a batch."""
    ends = np.cumsum(many)
    cuts = np.unique(np.searchsorted(ends, np.arange(0, ends[-1] if len(ends) else 0, size)))
    return [slice(*cut) for cut in pairwise([*cuts.tolist(), len(many)])]


def _is_first_match(differ: Hashes, choice: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which pairs agree in no earlier choice of blocks."""
    agree = [(differ >> shift) & mask == 0 for shift, _, mask in _BLOCKS[: choice[-1]]]
    first: NDArray[np.bool_] = np.sum(agree, axis=0) == _AGREE - 1
    return first


class HammingIndex:
    """An index over fixed hashes, or over those at some `places`, that finds the neighbours of other hashes.

    It takes 16 bytes for each hash.
    """

    def __init__(self, hashes: Hashes, places: Ints | None = None) -> None:
        self._hashes = hashes
        small = np.uint32 if len(hashes) <= 1 << 32 else np.intp
        chosen = np.arange(len(hashes), dtype=small) if places is None else places.astype(small)
        words = hashes if places is None else hashes[chosen]
        self._tables = [_table((words >> shift).astype(np.uint16), chosen) for shift, _ in _WORDS if len(chosen)]

    def find_neighbours(self, hashes: Hashes) -> tuple[Ints, Ints]:
        """Return the pairs within the radius: positions in `hashes`, and positions in the hashes of the index.

        >>> index = HammingIndex(np.array([5, 2**64 - 1], np.uint64))
        >>> query, found = index.find_neighbours(np.array([2**63, 7], np.uint64))
        >>> query.tolist(), found.tolist()
        ([0, 1], [0, 0])
        """
        matches = [np.zeros(0, np.intp)]
        for (shift, bits), (starts, order) in zip(_WORDS, self._tables, strict=False):
            words = ((hashes >> shift).astype(np.uint16)[:, None] ^ _FLIPS[bits]).ravel()
            low, many = starts[words], starts[words.astype(np.intp) + 1] - starts[words]
            for some in split_into_batches(many, _CANDIDATES):
                place = np.repeat(low[some], many[some]) + count_up(many[some])
                query = np.repeat(np.arange(some.start, some.stop) // len(_FLIPS[bits]), many[some])
                found = order[place].astype(np.intp)
                near = np.bitwise_count(hashes[query] ^ self._hashes[found]) <= RADIUS
                matches.append(query[near] * len(self._hashes) + found[near])
        both = np.unique(np.concatenate(matches))
        query, found = np.divmod(both, max(1, len(self._hashes)))
        return query, found


def _table(words: NDArray[np.uint16], places: NDArray[Any]) -> tuple[Ints, NDArray[Any]]:
    """Return where the places of each word begin in the sorted order of all words, and the places in that order."""
    return (
        np.concatenate(([0], np.cumsum(np.bincount(words, minlength=1 << 16)))),
        places[np.argsort(words, kind="stable")],
    )


_ALL = np.arange(1 << 16, dtype=np.uint16)
_FLIPS = {bits: _ALL[np.bitwise_count(_ALL) <= bits] for bits in (1, 2)}
