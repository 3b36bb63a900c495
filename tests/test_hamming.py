"""The radius search finds what comparing every pair finds, for hashes of every kind."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.duplicates.hamming_search import RADIUS, HammingIndex, find_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]


def changed(hashes: Hashes, bits: int, rng: np.random.Generator) -> Hashes:
    """Flip exactly this many bits of each hash."""
    places = rng.permuted(np.tile(np.arange(64, dtype=np.uint64), (len(hashes), 1)), axis=1)[:, :bits]
    return hashes ^ np.bitwise_or.reduce(np.uint64(1) << places, axis=1, dtype=np.uint64)


def at_random(rng: np.random.Generator) -> Hashes:
    return rng.integers(0, 2**64, 1500, dtype=np.uint64)


def with_neighbours(rng: np.random.Generator) -> Hashes:
    """Return hashes with others at every distance up to just over the radius."""
    centres = rng.integers(0, 2**64, 150, dtype=np.uint64)
    return np.concatenate([changed(centres, bits, rng) for bits in range(RADIUS + 4)])


def in_clusters(rng: np.random.Generator) -> Hashes:
    """Return three clusters whose hashes are mostly near each other."""
    centres = rng.integers(0, 2**64, 3, dtype=np.uint64)
    return np.concatenate([changed(np.repeat(centres, 150), bits, rng) for bits in (1, 4, 6)])


def in_one_half(rng: np.random.Generator) -> Hashes:
    """Return hashes that agree in their upper half, so that most sorts do not separate them."""
    return rng.integers(0, 2**32, 1200, dtype=np.uint64)


def of_few_bits(rng: np.random.Generator) -> Hashes:
    """Return hashes near zero, like those of plain images."""
    return changed(np.zeros(600, np.uint64), 5, rng)


KINDS = [at_random, with_neighbours, in_clusters, in_one_half, of_few_bits]


def compared(hashes: Hashes) -> set[tuple[int, int]]:
    one, two = np.nonzero(np.triu(np.bitwise_count(hashes[:, None] ^ hashes) <= RADIUS, 1))
    return set(zip(one.tolist(), two.tolist(), strict=True))


def found_pairs(hashes: Hashes) -> list[tuple[int, int]]:
    return [
        (min(pair), max(pair))
        for one, two in find_pairs(hashes)
        for pair in zip(one.tolist(), two.tolist(), strict=True)
    ]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_find_pairs_equals_comparing_all(kind, seed) -> None:
    """find_pairs yields every pair within the radius, once, and no other."""
    hashes = np.unique(kind(np.random.default_rng(seed)))
    found = found_pairs(hashes)
    assert len(found) == len(set(found))
    assert set(found) == compared(hashes)


def test_find_pairs_equals_comparing_all_over_several_parts(monkeypatch) -> None:
    """Hashes that are sorted in parts, to fit into the cache, lose no pair."""
    monkeypatch.setattr("harvest.duplicates.hamming_search._CACHED", 400)
    hashes = np.unique(with_neighbours(np.random.default_rng(9)))
    found = found_pairs(hashes)
    assert len(found) == len(set(found))
    assert set(found) == compared(hashes)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_index_equals_comparing_all(kind, seed) -> None:
    """The index finds every hash within the radius, once each, equal hashes included."""
    rng = np.random.default_rng(seed)
    hashes = rng.permutation(np.concatenate((kind(rng), kind(np.random.default_rng(seed))[:100])))
    asked = np.concatenate((hashes[:40], changed(hashes[40:80], RADIUS, rng), changed(hashes[80:99], RADIUS + 1, rng)))
    which, found = HammingIndex(hashes).find_neighbours(asked)
    pairs = list(zip(which.tolist(), found.tolist(), strict=True))
    one, two = np.nonzero(np.bitwise_count(asked[:, None] ^ hashes) <= RADIUS)
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == set(zip(one.tolist(), two.tolist(), strict=True))


@settings(max_examples=40)
@given(
    base=st.integers(0, 2**64 - 1),
    flips=st.lists(st.sets(st.integers(0, 63), max_size=RADIUS + 2), max_size=12, unique_by=frozenset),
)
def test_no_choice_of_bits_hides_a_neighbour(base, flips) -> None:
    """Whichever bits two hashes differ in, both searches find them if there are few enough."""
    hashes = np.array([base ^ sum(1 << bit for bit in bits) for bits in flips], np.uint64)
    assert set(found_pairs(hashes)) == compared(hashes)
    which, found = HammingIndex(hashes).find_neighbours(hashes)
    both = {(a, b) for a, b in zip(which.tolist(), found.tolist(), strict=True) if a < b}
    assert both == compared(hashes)


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_has_no_neighbours(count) -> None:
    """No hash and a single hash are handled."""
    hashes = np.arange(count, dtype=np.uint64)
    assert found_pairs(hashes) == []
    assert HammingIndex(hashes[:0]).find_neighbours(hashes)[0].tolist() == []
    assert HammingIndex(hashes).find_neighbours(hashes[:0])[0].tolist() == []


def test_a_large_cluster_does_not_fill_the_memory() -> None:
    """1,000 hashes near each other are half a million pairs, 8 MB, which are never in memory at once."""
    hashes = np.unique(changed(np.full(1000, 2**60, np.uint64), 3, np.random.default_rng(4)))
    tracemalloc.start()
    count = sum(len(one) for one, _ in find_pairs(hashes))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == len(hashes) * (len(hashes) - 1) // 2
    assert peak < 4e6
