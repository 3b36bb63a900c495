"""Twins: found by any part, confirmed, remembered and forgotten."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from PIL import Image, ImageOps

from harvest.duplicates.fingerprint import (
    PACKED,
    PARTS,
    compute_fingerprint,
    similarity,
    unpack,
)
from harvest.duplicates.hamming import RADIUS
from harvest.duplicates.index import DuplicateIndex, find_duplicates, group_duplicates
from harvest.models import Fingerprint
from tests.test_fingerprint import cropped, scene


def repacked(looks) -> list[Fingerprint]:
    return [Fingerprint(one.tobytes()) for one in looks]


def families(seed: int, count: int) -> list[Fingerprint]:
    """Make looks up, a third of them twins of an earlier one, some bits and levels away."""
    rng = np.random.default_rng(seed)
    looks = np.zeros(count, PACKED)
    looks["hashes"] = rng.integers(0, 2**64, (count, looks["hashes"].shape[1]), dtype=np.uint64)
    looks["luma"] = rng.integers(0, 256, looks["luma"].shape)
    looks["chroma"] = 128
    for row in range(count // 3, 2 * count // 3):
        looks[row] = looks[rng.integers(row)]
        flips = np.uint64(1) << rng.integers(0, 64, (len(PARTS), rng.integers(1, 6))).astype(np.uint64)
        looks["hashes"][row] ^= np.bitwise_xor.reduce(flips, axis=1)
        looks["luma"][row] = looks["luma"][row] // 8 * 8 + 3
    return repacked(rng.permutation(looks))


def are_twins(one: Fingerprint, two: Fingerprint) -> bool:
    """Tell it the slow way: every part against every part."""
    first, second = unpack([one, two])[:, None]
    part, other = np.nonzero(np.bitwise_count(first["hashes"][0][:, None] ^ second["hashes"][0]) <= RADIUS)
    return bool((similarity(np.repeat(first, len(part)), part, np.repeat(second, len(part)), other) > 0).any())


def compared(looks: list[Fingerprint]) -> set[tuple[int, int]]:
    """Compare all with all; those without a near part, which cannot be twins, are left out first."""
    hashes = unpack(looks)["hashes"]
    pairs = set()
    for b in range(1, len(looks)):
        near = (np.bitwise_count(hashes[:b, :, None] ^ hashes[b]) <= RADIUS).any((1, 2))
        pairs |= {(a, b) for a in np.flatnonzero(near).tolist() if are_twins(looks[a], looks[b])}
    return pairs


def test_find_equals_comparing_all(monkeypatch) -> None:
    """Looks that are indexed and looks that came later are found alike: those a full comparison finds."""
    monkeypatch.setattr("harvest.duplicates.index._ROOM", 40)
    looks = families(1, 150)
    expected = compared(looks)
    assert len(expected) > 40
    twins = DuplicateIndex(enumerate(looks[:60]))
    for key, one in enumerate(looks[60:], 60):
        assert set(twins.find(one)) == {a for a, b in expected if b == key}
        twins.add(key, one)


def test_pairs_equal_comparing_all() -> None:
    """The batch finds the pairs a full comparison finds, the smaller first, each once."""
    looks = families(2, 150)
    found = [tuple(pair) for pair in find_duplicates(looks).tolist()]
    assert len(found) == len(set(found)) > 40
    assert set(found) == compared(looks)


def test_changes_of_the_web_are_found() -> None:
    """A framed, a cropped and a grey copy are found among 30 other pictures, under their own keys."""
    twins = DuplicateIndex((key, compute_fingerprint(scene(key))) for key in range(30))
    picture = scene(17)
    for copy in (
        ImageOps.expand(picture, 20, "white"),
        cropped(picture, 0.1, 0.1, 0, 0),
        picture.convert("L"),
    ):
        assert twins.find(compute_fingerprint(copy.convert("RGB"))) == [17]
    assert twins.find(compute_fingerprint(scene(99))) == []


def test_the_most_alike_comes_first() -> None:
    """Of several twins the one that looks most like the picture is named first."""
    picture = scene(4)
    twins = DuplicateIndex()
    twins.add(1, compute_fingerprint(cropped(picture, 0.1, 0.1, 0.1, 0.1)))
    twins.add(2, compute_fingerprint(picture))
    twins.add(3, compute_fingerprint(cropped(picture, 0, 0, 0, 0.1)))
    found = twins.find(compute_fingerprint(picture.resize((240, 180))))
    assert found[0] == 2
    assert sorted(found) == [1, 2, 3]


def test_a_known_key_gets_the_new_look() -> None:
    """Adding a key again replaces its look."""
    twins = DuplicateIndex([(5, compute_fingerprint(scene(1)))])
    twins.add(5, compute_fingerprint(scene(2)))
    assert len(twins) == 1
    assert twins.find(compute_fingerprint(scene(1))) == []
    assert twins.find(compute_fingerprint(scene(2))) == [5]


def test_a_forgotten_key_is_not_found() -> None:
    """What is discarded is not found again, and to discard what is not known is no error."""
    twins = DuplicateIndex([(5, compute_fingerprint(scene(1))), (-6, compute_fingerprint(scene(1)))])
    twins.discard(5)
    twins.discard(5)
    assert twins.find(compute_fingerprint(scene(1))) == [-6]
    assert len(twins) == 1


def test_any_order_of_adding_and_discarding(monkeypatch) -> None:
    """After a thousand random steps the twins are those of a dictionary with the same steps."""
    monkeypatch.setattr("harvest.duplicates.index._ROOM", 16)
    rng = np.random.default_rng(3)
    looks = families(4, 60)
    expected = compared(looks)
    twins, known = DuplicateIndex(), {}
    for _ in range(1000):
        key, which = int(rng.integers(100)), int(rng.integers(len(looks)))
        if rng.random() < 0.6:
            twins.add(key, looks[which])
            known[key] = which
        else:
            twins.discard(key)
            known.pop(key, None)
        if rng.random() < 0.2:
            like = {k for k, w in known.items() if w == which or (min(w, which), max(w, which)) in expected}
            assert set(twins.find(looks[which])) == like
    assert len(twins) == len(known)


def test_nothing_has_no_twins() -> None:
    """Without looks there are no twins, no pairs and no groups."""
    assert DuplicateIndex().find(compute_fingerprint(scene(1))) == []
    assert find_duplicates([]).shape == (0, 2)
    assert group_duplicates(np.zeros((0, 2), np.int64), 3).tolist() == [0, 1, 2]


def flat(count: int) -> list[Fingerprint]:
    """Make looks that share all hashes, as pictures of one colour do, with thumbnails of many colours."""
    looks = np.zeros(count, PACKED)
    looks["hashes"] = 1 << 63
    looks["luma"] = np.arange(count)[:, None, None] % 256
    looks["chroma"] = (np.arange(count) // 256)[:, None, None, None] % 256
    return repacked(looks)


def test_I14_a_crowd_of_one_hash_costs_little() -> None:
    """5,000 pictures of one colour each, all with one hash, take few megabytes to look through."""
    looks = flat(5000)
    tracemalloc.start()
    assert DuplicateIndex(enumerate(looks)).find(looks[7]) == []
    assert len(find_duplicates(looks)) == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6


def test_the_same_look_many_times_hangs_together() -> None:
    """5,000 copies of one picture are one group, by as many pairs as it takes."""
    looks = [compute_fingerprint(scene(1))] * 5000 + [compute_fingerprint(scene(2))]
    twins = find_duplicates(looks)
    assert len(twins) == 4999
    assert group_duplicates(twins, len(looks)).tolist() == [0] * 5000 + [5000]


@pytest.mark.parametrize("seed", range(20))
def test_groups_are_connected_components(seed) -> None:
    """Groups are what a walk along the pairs reaches, chains and stars among them."""
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


def test_groups_of_real_looks() -> None:
    """A picture, its crop and the crop's copy are one group; another picture stays alone."""
    picture = scene(6)
    looks = [
        compute_fingerprint(i) for i in (scene(7), picture, cropped(picture, 0.1, 0, 0, 0), picture.resize((90, 68)))
    ]
    assert group_duplicates(find_duplicates(looks), 4).tolist() == [0, 1, 1, 1]


def test_twins_of_a_tiny_picture() -> None:
    """A picture of one pixel can be added and asked for."""
    dot = compute_fingerprint(Image.new("RGB", (1, 1), "red"))
    twins = DuplicateIndex([(1, dot)])
    assert twins.find(dot) == []
    assert twins.find(compute_fingerprint(scene(1))) == []
