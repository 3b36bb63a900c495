"""The duplicate index: duplicates are found by any part, confirmed, added and removed."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from PIL import Image, ImageOps

from harvest.duplicates.fingerprint import CONTENT, PACKED, SIDE, compute_fingerprint
from harvest.duplicates.hamming_search import RADIUS
from harvest.duplicates.hashes_in_memory import distinct_places
from harvest.duplicates.index import DuplicateIndex, find_duplicates, group_duplicates
from harvest.duplicates.stored_fingerprints import unpack
from harvest.models import Fingerprint
from tests.test_fingerprint import compare_fingerprints, cropped, scene


def repacked(fingerprints) -> list[Fingerprint]:
    return [Fingerprint(one.tobytes()) for one in fingerprints]


def families(seed: int, count: int) -> list[Fingerprint]:
    """Return random fingerprints; a third of them are duplicates of an earlier one, some bits and levels away."""
    rng = np.random.default_rng(seed)
    fingerprints = np.zeros(count, PACKED)
    fingerprints["hashes"] = rng.integers(0, 2**64, (count, fingerprints["hashes"].shape[1]), dtype=np.uint64)
    fingerprints["luma"] = rng.integers(0, 256, fingerprints["luma"].shape)
    fingerprints["chroma"] = 128
    fingerprints["detail"], fingerprints["aspect"] = SIDE, 1
    for row in range(count // 3, 2 * count // 3):
        fingerprints[row] = fingerprints[rng.integers(row)]
        flips = np.uint64(1) << rng.integers(0, 64, (CONTENT + 1, rng.integers(1, 6))).astype(np.uint64)
        fingerprints["hashes"][row] ^= np.bitwise_xor.reduce(flips, axis=1)
        fingerprints["luma"][row] = fingerprints["luma"][row] // 8 * 8 + 3
    return repacked(rng.permutation(fingerprints))


def compared(fingerprints: list[Fingerprint]) -> set[tuple[int, int]]:
    """Compare all with all; those without a near part, which cannot be duplicates, are left out first."""
    hashes = unpack(fingerprints)["hashes"]
    pairs = set()
    for b in range(1, len(fingerprints)):
        near = (np.bitwise_count(hashes[:b, :, None] ^ hashes[b]) <= RADIUS).any((1, 2))
        pairs |= {
            (a, b) for a in np.flatnonzero(near).tolist() if compare_fingerprints(fingerprints[a], fingerprints[b])
        }
    return pairs


def found_keys(duplicates: DuplicateIndex, fingerprint: Fingerprint) -> list[int]:
    certain, probable = duplicates.find(fingerprint)
    return certain + probable


def test_find_equals_comparing_all(monkeypatch) -> None:
    """Indexed fingerprints and those added later are found equally: the same as by a full comparison."""
    monkeypatch.setattr("harvest.duplicates.hashes_in_memory.UNINDEXED", 40)
    fingerprints = families(1, 150)
    expected = compared(fingerprints)
    assert len(expected) > 40
    duplicates = DuplicateIndex(enumerate(fingerprints[:60]))
    for key, one in enumerate(fingerprints[60:], 60):
        assert set(found_keys(duplicates, one)) == {a for a, b in expected if b == key}
        duplicates.add(key, one)


@pytest.mark.parametrize("many", [30_000, 1 << 40])
@pytest.mark.parametrize("indexed_at", [7, 40, 1000])
def test_many_at_once_equal_one_by_one(monkeypatch, indexed_at: int, many: int) -> None:
    """Fingerprints looked up together, by an index or not, have the copies, and their order, that each has alone."""
    monkeypatch.setattr("harvest.duplicates.hashes_in_memory.UNINDEXED", indexed_at)
    monkeypatch.setattr("harvest.duplicates.hashes_in_memory._MANY", many)
    monkeypatch.setattr("harvest.duplicates.hamming_search._CANDIDATES", 50)
    monkeypatch.setattr("harvest.duplicates.hamming_search._BATCH", 3)
    fingerprints = families(6, 90)
    duplicates = DuplicateIndex(enumerate(fingerprints[:70]))
    duplicates.discard(11)
    alone = [duplicates.find(fingerprint) for fingerprint in fingerprints]
    assert sum(bool(any(copies)) for copies in alone[70:]) > 3
    assert duplicates.find_all(fingerprints) == alone
    assert duplicates.find_all([]) == []


def test_distinct_places_are_those_of_a_loop() -> None:
    """Those of the hashes that differ from all earlier ones of their row."""
    hashes = np.random.default_rng(2).integers(0, 9, (10, 18), dtype=np.uint64)
    places = [(row, part) for row in range(10) for part in range(18)]
    expected = [18 * row + part for row, part in places if hashes[row, part] not in hashes[row, :part]]
    assert distinct_places(hashes).tolist() == expected


def test_pairs_equal_comparing_all() -> None:
    """find_duplicates finds the pairs of a full comparison, the smaller position first, each once."""
    fingerprints = families(2, 150)
    found = [tuple(pair) for pair in find_duplicates(fingerprints).pairs.tolist()]
    assert len(found) == len(set(found)) > 40
    assert set(found) == compared(fingerprints)


def test_changed_copies_are_found() -> None:
    """A framed, a cropped and a grey copy are found among 30 other images, under their own keys."""
    duplicates = DuplicateIndex((key, compute_fingerprint(scene(key))) for key in range(30))
    picture = scene(17)
    for copy in (
        ImageOps.expand(picture, 20, "white"),
        cropped(picture, 0.1, 0.1, 0, 0),
        picture.convert("L"),
    ):
        assert found_keys(duplicates, compute_fingerprint(copy.convert("RGB"))) == [17]
    assert found_keys(duplicates, compute_fingerprint(scene(99))) == []


def test_the_most_similar_comes_first() -> None:
    """Of several duplicates the most similar comes first."""
    picture = scene(4)
    duplicates = DuplicateIndex()
    duplicates.add(1, compute_fingerprint(cropped(picture, 0.1, 0.1, 0.1, 0.1)))
    duplicates.add(2, compute_fingerprint(picture))
    duplicates.add(3, compute_fingerprint(cropped(picture, 0, 0, 0, 0.1)))
    found = found_keys(duplicates, compute_fingerprint(picture.resize((240, 180))))
    assert found[0] == 2
    assert sorted(found) == [1, 2, 3]


def test_adding_a_known_key_replaces_its_fingerprint() -> None:
    """Adding a key again replaces its fingerprint."""
    duplicates = DuplicateIndex([(5, compute_fingerprint(scene(1)))])
    duplicates.add(5, compute_fingerprint(scene(2)))
    assert len(duplicates) == 1
    assert found_keys(duplicates, compute_fingerprint(scene(1))) == []
    assert found_keys(duplicates, compute_fingerprint(scene(2))) == [5]


def test_a_discarded_key_is_not_found() -> None:
    """A discarded key is not found again, and discarding an unknown key is not an error."""
    duplicates = DuplicateIndex([(5, compute_fingerprint(scene(1))), (-6, compute_fingerprint(scene(1)))])
    duplicates.discard(5)
    duplicates.discard(5)
    assert found_keys(duplicates, compute_fingerprint(scene(1))) == [-6]
    assert len(duplicates) == 1


def test_any_order_of_adding_and_discarding(monkeypatch) -> None:
    """After a thousand random steps the duplicates are those of a dictionary with the same steps."""
    monkeypatch.setattr("harvest.duplicates.hashes_in_memory.UNINDEXED", 16)
    rng = np.random.default_rng(3)
    fingerprints = families(4, 60)
    expected = compared(fingerprints)
    duplicates, known = DuplicateIndex(), {}
    for _ in range(1000):
        key, which = int(rng.integers(100)), int(rng.integers(len(fingerprints)))
        if rng.random() < 0.6:
            duplicates.add(key, fingerprints[which])
            known[key] = which
        else:
            duplicates.discard(key)
            known.pop(key, None)
        if rng.random() < 0.2:
            like = {k for k, w in known.items() if w == which or (min(w, which), max(w, which)) in expected}
            assert set(found_keys(duplicates, fingerprints[which])) == like
    assert len(duplicates) == len(known)


def test_no_fingerprints() -> None:
    """Without fingerprints there are no duplicates, no pairs and no groups."""
    assert DuplicateIndex().find(compute_fingerprint(scene(1))) == ([], [])
    assert find_duplicates([]).pairs.shape == (0, 2)
    assert group_duplicates(np.zeros((0, 2), np.int64), 3).tolist() == [0, 1, 2]


def flat(count: int) -> list[Fingerprint]:
    """Return fingerprints that share all hashes, as plain images do, with thumbnails of many colours."""
    fingerprints = np.zeros(count, PACKED)
    fingerprints["hashes"] = 1 << 63
    fingerprints["luma"] = np.arange(count)[:, None, None] % 256
    fingerprints["chroma"] = (np.arange(count) // 256)[:, None, None, None] % 256
    return repacked(fingerprints)


def test_I14_a_crowd_of_one_hash_costs_little() -> None:
    """A search among 5,000 plain images, all with one hash, takes few megabytes."""
    fingerprints = flat(5000)
    tracemalloc.start()
    assert found_keys(DuplicateIndex(enumerate(fingerprints)), fingerprints[7]) == []
    assert len(find_duplicates(fingerprints).pairs) == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6


def test_many_identical_fingerprints_are_one_group() -> None:
    """5,000 copies of one image are one group, connected by as few pairs as possible."""
    fingerprints = [compute_fingerprint(scene(1))] * 5000 + [compute_fingerprint(scene(2))]
    duplicates = find_duplicates(fingerprints).pairs
    assert len(duplicates) == 4999
    assert group_duplicates(duplicates, len(fingerprints)).tolist() == [0] * 5000 + [5000]


@pytest.mark.parametrize("seed", range(20))
def test_groups_are_connected_components(seed) -> None:
    """Groups are the connected components of the pairs, including chains and stars."""
    rng = np.random.default_rng(seed)
    edges = np.concatenate(
        (
            rng.integers(0, 200, (rng.integers(0, 150), 2)),
            np.stack((np.arange(200, 299), np.arange(201, 300)), axis=1)[rng.permutation(99)],
            np.stack((np.full(50, 399), np.arange(300, 350)), axis=1),
        )
    )
    expected = list(range(400))
    while expected != (expected := step(expected, edges)):
        pass
    assert group_duplicates(edges, 400).tolist() == expected


def step(label: list[int], edges) -> list[int]:
    label = list(label)
    for one, two in edges.tolist():
        label[one] = label[two] = min(label[one], label[two])
    return label


def test_groups_of_real_fingerprints() -> None:
    """An image, its crop and the crop's copy are one group; another image stays alone."""
    picture = scene(6)
    fingerprints = [
        compute_fingerprint(i) for i in (scene(7), picture, cropped(picture, 0.1, 0, 0, 0), picture.resize((90, 68)))
    ]
    assert group_duplicates(find_duplicates(fingerprints).pairs, 4).tolist() == [0, 1, 1, 1]


def test_a_tiny_picture() -> None:
    """An image of one pixel can be added and searched for."""
    dot = compute_fingerprint(Image.new("RGB", (1, 1), "red"))
    duplicates = DuplicateIndex([(1, dot)])
    assert found_keys(duplicates, dot) == []
    assert found_keys(duplicates, compute_fingerprint(scene(1))) == []


def test_fingerprints_are_loaded_for_candidates_only() -> None:
    """With a loader only the hashes are kept: it is asked for candidates, and those that it lacks are left out."""
    stored = {key: compute_fingerprint(scene(key)) for key in range(6)}
    asked: list[int] = []

    def load(keys):
        asked.extend(keys)
        return {key: stored[key] for key in keys if key in stored}

    duplicates = DuplicateIndex(stored.items(), load=load)
    query = compute_fingerprint(scene(3).resize((240, 180)))
    assert found_keys(duplicates, query) == [3]
    assert set(asked) < set(stored)
    del stored[3]
    assert found_keys(duplicates, query) == []
